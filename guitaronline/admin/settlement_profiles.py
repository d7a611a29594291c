"""Profiles of banks: how the CSV of each is read."""

from __future__ import annotations

from typing import Any

import flask

from guitaronline.actor import Actor
from guitaronline.admin import forms, plain, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, contains
from guitaronline.admin.record_page import actions_of, facts
from guitaronline.admin.timeline import timeline_of
from guitaronline.billing.settlements import profiles
from guitaronline.billing.settlements.models import SettlementProfile
from guitaronline.billing.settlements.profiles import (
    DAYS,
    DECIMALS,
    DELIMITERS,
    ENCODINGS,
    LONGEST_HEADING,
    THOUSANDS,
    Columns,
    read_mapping,
)
from guitaronline.identity.access import Permission
from guitaronline.money import CURRENCIES

TAB = "\t"
LISTS = ("texts", "debit_words")
PLAIN = ("booked_on", "value_on", "amount", "sign", "credit", "debit", "currency", "one_currency", "counterparty", "external_id", "balance")  # fmt: skip
CHOICES = ("encoding", "decimal", "thousands", "day")
LABELS = {
    "booked_on": "Day", "value_on": "Value day", "amount": "Amount", "sign": "Sign", "credit": "Credit", "debit": "Debit",
    "currency": "Currency", "one_currency": "One currency", "texts": "Text", "counterparty": "From or to", "external_id": "Bank's id",
    "balance": "Balance", "delimiter": "Separator", "encoding": "Encoding", "decimal": "Decimal sign", "thousands": "Between thousands",
    "day": "Days are written", "debit_words": "Words for a debit",
}  # fmt: skip


def _state(profile: SettlementProfile) -> Any:
    return show.chip("active", "in use") if profile.is_active else show.chip("withdrawn", "not in use")


class ProfilesDesk(Desk):
    model_of = SettlementProfile
    path = "bank-profiles"
    title = "Bank profiles"
    one = "Profile"
    permission = Permission.READ_PAYMENTS
    intro = "How a bank's CSV is read: which column is what, and how it writes days and amounts."
    empty = "No profile yet. CAMT.053 and MT940 need none."
    search_words = "Name"
    columns = (
        Column("name", "Profile", show.link, sort=SettlementProfile.name),
        Column("is_active", "State", _state),
        Column("id", "Made", lambda each: show.stamp(each.created_at), sort=SettlementProfile.id),
    )
    filters = (
        Choice("active", "In use", ["yes", "no"], lambda value: SettlementProfile.is_active.is_(value == "yes")),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "name": plain.words(SettlementProfile.name),
        "is_active": plain.yes(SettlementProfile.is_active, true="in use", false="not in use"),
        "id": plain.moment(SettlementProfile.created_at),
    }
    default_order = (SettlementProfile.name, False)
    row_actions = staticmethod(buttons_of)

    def search_clauses(self, words: str) -> list[Any]:
        return [contains(SettlementProfile.name, words)]

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(MakeBankProfile))]}

    def record_page(self, profile: Any) -> dict[str, Any]:
        mapping = read_mapping(profile.mapping)
        told = facts(*((LABELS[name], _said(mapping, name)) for name in LABELS))
        return {
            "facts": [fact for fact in told if fact.value is not show.NOTHING],
            "state": _state(profile),
            "actions": actions_of(buttons_of(profile)),
            "timeline": timeline_of(profile),
        }


def _said(mapping: Columns, name: str) -> Any:
    value = getattr(mapping, name)
    words = {"delimiter": DELIMITERS, "encoding": ENCODINGS, "decimal": DECIMALS, "thousands": THOUSANDS, "day": DAYS}
    return ", ".join(value) if name in LISTS else words[name].get(value, value) if name in words else value


def heading(label: str, *, required: bool = False, help: str = "") -> Any:  # noqa: A002  # the word on screen
    return forms.line(label, required=required, most=LONGEST_HEADING, help=help)


class ProfileForm(forms.CommandForm):
    name = forms.line("Name", required=True, most=100, help="Of the bank and the kind of file.")
    booked_on = heading("Column: day", required=True, help="The heading exactly as the file has it.")
    value_on = heading("Column: value day")
    amount = heading("Column: amount", help="With its sign; or leave it empty and name the next two.")
    credit = heading("Column: credit")
    debit = heading("Column: debit")
    sign = heading("Column: sign", help="When it says in words whether the amount is a debit.")
    debit_words = forms.line("Words for a debit", most=100, help="With commas between them: D, DBIT, S.")
    currency = heading("Column: currency")
    one_currency = forms.choice(
        "Or one currency for all lines", [("", "none"), *((code, code) for code in sorted(CURRENCIES))]
    )
    texts = forms.paragraph("Columns: text", most=600, help="One heading a line; their cells are put together.")
    counterparty = heading("Column: from or to")
    external_id = heading("Column: the bank's id", help="When there is none, the line's content stands for it.")
    balance = heading("Column: balance after the line", help="Proves that no line is missing.")
    delimiter = forms.choice(
        "Separator", [("tab" if each == TAB else each, words) for each, words in DELIMITERS.items()]
    )
    encoding = forms.choice("Encoding", list(ENCODINGS.items()))
    decimal = forms.choice("Decimal sign", list(DECIMALS.items()))
    thousands = forms.choice(
        "Between thousands", [("space" if each == " " else each, words) for each, words in THOUSANDS.items()]
    )
    day = forms.choice("Days are written", list(DAYS.items()))
    reason = forms.reason(required=False)

    def mapping(self) -> Columns:
        typed: dict[str, Any] = {name: self[name].data or "" for name in (*PLAIN, *CHOICES)}
        typed["delimiter"] = TAB if self.delimiter.data == "tab" else self.delimiter.data
        typed["thousands"] = " " if self.thousands.data == "space" else self.thousands.data
        typed["texts"] = [each.strip() for each in (self.texts.data or "").splitlines() if each.strip()]
        typed["debit_words"] = [each.strip() for each in (self.debit_words.data or "").split(",") if each.strip()]
        return Columns(**typed)


class EditProfileForm(ProfileForm):
    is_active = forms.BooleanField("In use")


class MakeBankProfile(CommandPage):
    path = "bank-profiles/new"
    title = "New bank profile"
    parent = "desk_bank-profiles.index_view"
    button = "Create"
    permission = Permission.EDIT_PAYMENTS
    form = ProfileForm

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return profiles.create_profile(actor, name=form.name.data, mapping=form.mapping(), reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.name} can be used.", flask.url_for("desk_bank-profiles.details_view", id=result.id))


class EditBankProfile(CommandPage):
    record = SettlementProfile
    path = "bank-profiles/<uuid:id>/edit"
    title = "Edit"
    button = "Save"
    permission = Permission.EDIT_PAYMENTS
    form = EditProfileForm
    lead = "Holds for files that are uploaded from now on; those that are here are read as it was when they came."

    def initial(self, record: Any) -> dict[str, Any]:
        mapping = read_mapping(record.mapping)
        values = {name: getattr(mapping, name) for name in (*PLAIN, *CHOICES)}
        return {
            **values,
            "name": record.name,
            "is_active": record.is_active,
            "delimiter": "tab" if mapping.delimiter == TAB else mapping.delimiter,
            "thousands": "space" if mapping.thousands == " " else mapping.thousands,
            "texts": "\n".join(mapping.texts),
            "debit_words": ", ".join(mapping.debit_words),
        }

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return profiles.edit_profile(
            actor,
            record.id,
            name=form.name.data,
            mapping=form.mapping(),
            is_active=form.is_active.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.name} is saved.", flask.url_for("desk_bank-profiles.details_view", id=result.id))


commands.add(MakeBankProfile, EditBankProfile)
