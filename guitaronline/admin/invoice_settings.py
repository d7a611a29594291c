"""What invoices are written by: who sells, from when on, and the tax rates by country and day."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import flask
from wtforms.validators import InputRequired, Optional, ValidationError

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice
from guitaronline.admin.invoices import unbroken
from guitaronline.admin.record_page import actions_of, facts
from guitaronline.admin.timeline import timeline_of
from guitaronline.billing.invoices import sellers, taxes
from guitaronline.billing.invoices.countries import COUNTRIES, name_of
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import Seller, TaxRate
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.tax import percent
from guitaronline.db import session
from guitaronline.identity.access import Permission

BY_NAME = sorted(COUNTRIES.items(), key=lambda each: each[1])


def country(label: str = "Country") -> forms.SelectField:
    return forms.SelectField(label, choices=forms.choices([("", "Choose"), *BY_NAME]), validators=[InputRequired()])


class InvoiceSettingsDesk(Desk):
    model_of = Seller
    path = "invoice-settings"
    title = "Settings of invoices"
    one = "Seller"
    permission = Permission.READ_SETTINGS
    intro = "Who sells, as invoices say it from a day on. What was issued keeps the seller that it named."
    empty = "Nobody said yet who sells, so no invoice is issued. Set the tax rate of your country, then say who sells."
    columns = (
        Column("name", "Seller", show.link),
        Column("valid_from", "From", lambda each: show.day(each.valid_from), sort=Seller.valid_from),
        Column("country", "Country", lambda each: name_of(each.country)),
        Column("tax_id", "Tax id", lambda each: show.text(each.tax_id)),
        Column("exemption", "No tax because", lambda each: show.text(each.exemption)),
        Column("id", "Written", lambda each: show.stamp(each.created_at), sort=Seller.id),
    )
    exported = exported.SELLERS
    default_order = (Seller.id, True)

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(SetSeller))]}

    def record_page(self, seller: Any) -> dict[str, Any]:
        party = Party.of(seller)
        found = facts(
            ("From", show.day(seller.valid_from)),
            ("Address", ", ".join(party.address_lines)),
            ("Tax id", seller.tax_id),
            ("Registration", seller.registration),
            ("Contact", seller.contact),
            ("Bank", seller.bank),
            ("No tax because", seller.exemption),
            ("Under each invoice", show.prose(seller.footer)),
        )
        state = show.chip("active", "holds today") if seller is _present() else ""
        return {"facts": found, "state": state, "timeline": timeline_of(seller)}


def _present() -> Seller | None:
    return sellers.seller_on(session(), school_day(gate.now()))


class SellerForm(forms.CommandForm):
    name = forms.line("Name", required=True, most=120, help="Of the business, as it is registered.")
    street = forms.line("Street", required=True, most=120)
    postal_code = forms.line("Postal code", required=True, most=20)
    city = forms.line("City", required=True, most=120)
    country = country()
    tax_id = forms.line("Tax id", most=120, help="VAT id or tax number.")
    registration = forms.line("Registration", most=120, help="Such as the register and number of the company.")
    contact = forms.line("Contact", most=120, help="E-mail and phone.")
    bank = forms.line("Bank", most=120)
    exemption = forms.line(
        "No tax is charged because",
        most=500,
        help="Only for small businesses that charge none at all. Empty: the tax rates count.",
    )
    footer = forms.paragraph("Under each invoice", most=500)
    valid_from = forms.DateField("From", validators=[Optional()], description="Empty: from today on.")
    reason = forms.reason(required=False)


PARTY = ("name", "street", "postal_code", "city", "country", "tax_id", "registration", "contact", "bank")


class SetSeller(CommandPage):
    path = "invoice-settings/new"
    title = "Say who sells"
    parent = "desk_invoice-settings.index_view"
    button = "Save"
    permission = Permission.EDIT_INVOICING
    needs_step_up = True
    form = SellerForm
    lead = "Holds for what is issued from that day on. What was issued stays as it is."

    def initial(self, record: Any) -> dict[str, Any]:
        seller = _present()
        return {name: getattr(seller, name) for name in (*PARTY, "exemption", "footer")} if seller else {}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        known = {each.value for each in form.country.choices}  # the page is shown again with whatever was typed
        code, day = (
            form.country.data if form.country.data in known else None,
            form.valid_from.data or school_day(gate.now()),
        )
        if form.exemption.data:
            return Consequences([("Tax", "None is charged; every invoice says why.")])
        rate = taxes.rate_on(session(), code, day) if code else None
        own = (
            f"{percent(rate.rate_bps)} in {name_of(code)}"
            if rate and code
            else "the seller's country has no rate yet: set it first"
        )
        return Consequences(
            [("Tax", f"By the buyer's country and the table of rates; where that has none, the seller's: {own}.")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return sellers.set_seller(
            actor,
            party=Party(**{name: form[name].data or "" for name in PARTY}),
            valid_from=form.valid_from.data,
            exemption=form.exemption.data,
            footer=form.footer.data or "",
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(
            f"{result.name} sells from {result.valid_from} on.", flask.url_for("desk_invoice-settings.index_view")
        )


def rate_state(rate: TaxRate) -> Any:
    today = school_day(gate.now())
    if rate.valid_until is not None and rate.valid_until <= today:
        return show.chip("expired", "it has ended")
    return (
        show.chip("planned", "it has not begun") if rate.valid_from > today else show.chip("active", "it holds today")
    )


class TaxRatesDesk(Desk):
    model_of = TaxRate
    path = "tax-rates"
    title = "Tax rates"
    one = "Tax rate"
    permission = Permission.READ_SETTINGS
    intro = "Prices contain their tax. The buyer's country decides; where it has no rate, or is not known, the seller's does."
    empty = "No rate yet. Begin with the school's own country."
    columns = (
        Column("country", "Country", lambda each: show.link(each, name_of(each.country)), sort=TaxRate.country),
        Column("rate_bps", "Rate", lambda each: unbroken(percent(each.rate_bps)), is_number=True),
        Column("state", "State", rate_state),
        Column("valid_from", "From", lambda each: show.day(each.valid_from), sort=TaxRate.valid_from),
        Column("valid_until", "Until before", lambda each: show.day(each.valid_until)),
        Column("exemption", "No tax because", lambda each: show.text(each.exemption)),
        Column("id", "Written", lambda each: show.stamp(each.created_at), sort=TaxRate.id, is_default=False),
    )
    filters = (Choice("country", "Country", sorted(COUNTRIES), lambda value: TaxRate.country == value),)
    exported = exported.TAX_RATES
    default_order = (TaxRate.country, False)
    row_actions = staticmethod(buttons_of)
    page_title = staticmethod(lambda rate: f"{name_of(rate.country)}, {percent(rate.rate_bps)}")

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(SetTaxRate))]}

    def record_page(self, rate: Any) -> dict[str, Any]:
        found = facts(
            ("Country", name_of(rate.country)),
            ("Rate", percent(rate.rate_bps)),
            ("From", show.day(rate.valid_from)),
            ("Until before", show.day(rate.valid_until)),
            ("No tax because", rate.exemption),
        )
        actions = actions_of(buttons_of(rate))
        return {"facts": found, "state": rate_state(rate), "actions": actions, "timeline": timeline_of(rate)}


def is_percent(form: Any, field: Any) -> None:
    try:
        bps_of(field.data or "")
    except ValueError:
        raise ValidationError("Write a rate like 19 or 5.5, with at most two places.") from None


def bps_of(words: str) -> int:
    """`19` → 1900, `5.5` → 550. Raises ValueError."""
    whole, _, rest = words.removesuffix("%").strip().partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 3 and len(rest) <= 2):
        raise ValueError
    if rest and not (rest.isascii() and rest.isdigit()):
        raise ValueError
    return int(Decimal(f"{whole}.{rest or 0}") * 100)


class TaxRateForm(forms.CommandForm):
    country = country()
    rate = forms.line("Rate, percent", required=True, most=8, checks=[is_percent], help="Such as 19 or 5.5.")
    valid_from = forms.DateField("From", validators=[InputRequired("Say from which day on.")])
    valid_until = forms.DateField("Until before", validators=[Optional()], description="Empty: until the next one.")
    exemption = forms.line("No tax is charged because", most=300, help="Needed for a rate of 0; stands on invoices.")
    reason = forms.reason(required=False)


class SetTaxRate(CommandPage):
    path = "tax-rates/new"
    title = "Set a tax rate"
    parent = "desk_tax-rates.index_view"
    button = "Save"
    permission = Permission.EDIT_INVOICING
    needs_step_up = True
    form = TaxRateForm
    lead = "A rate that is open ends where the new one begins. Two never hold on one day."

    def initial(self, record: Any) -> dict[str, Any]:
        return {"valid_from": school_day(gate.now())}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return taxes.set_tax_rate(
            actor,
            country=form.country.data,
            rate_bps=bps_of(form.rate.data),
            valid_from=form.valid_from.data,
            valid_until=form.valid_until.data,
            exemption=form.exemption.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        words = f"{name_of(result.country)}: {percent(result.rate_bps)} from {result.valid_from} on."
        return Done(words, show.record_url("tax_rates", result.id) or "")


class EndForm(forms.CommandForm):
    valid_until = forms.DateField(
        "Holds no more from",
        validators=[InputRequired("Say from which day on.")],
        description="Tomorrow at the earliest.",
    )
    reason = forms.reason()


class EndTaxRate(CommandPage):
    record = TaxRate
    path = "tax-rates/<uuid:id>/end"
    title = "End"
    button = "End the rate"
    permission = Permission.EDIT_INVOICING
    needs_step_up = True
    form = EndForm
    tone = "danger"

    def initial(self, record: Any) -> dict[str, Any]:
        return {"valid_until": school_day(gate.now()) + timedelta(days=1)}

    def refused_because(self, record: Any) -> str | None:
        if record.valid_until is not None and record.valid_until <= school_day(gate.now()):
            return "It has ended."
        if taxes.is_needed(session(), record.country, school_day(gate.now())):
            return "It is the seller's country, which must have a rate on every day. Set the next rate: this one ends there."
        return None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Then", f"Buyers from {name_of(record.country)} pay the tax of the seller's country.")])

    def back(self, record: Any) -> tuple[str, str]:
        return name_of(record.country), show.record_url("tax_rates", record.id) or ""

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return taxes.end_tax_rate(actor, record.id, valid_until=form.valid_until.data, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"It ends on {result.valid_until}.", show.record_url("tax_rates", result.id) or "")


commands.add(SetSeller, SetTaxRate, EndTaxRate)
