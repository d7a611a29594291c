"""The address that invoices name for a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.invoice_settings import country
from guitaronline.admin.record_page import Section
from guitaronline.billing.invoices import addresses
from guitaronline.billing.invoices.parties import Party
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User


def billing_section(person: User) -> Section:
    """Who pays, and the address on their invoices, for those who may see or edit it."""
    payer = addresses.payer_of(session(), person)
    address = addresses.address_of(session(), payer.id)
    is_clear = gate.may(Permission.READ_CONTACTS) or gate.may(Permission.EDIT_ADDRESSES)
    lines = Party.of(address).address_lines if address and is_clear else []
    if lines:
        show.read_by_viewer(payer.id, "")
    hidden = "known; shown on invoices" if address and not is_clear else "not known: invoices name the payer only"
    table = [[show.link(payer), "", ", ".join(lines) or hidden]]
    return Section("Invoices go to", ("Payer", "", "Address"), table, is_aside=True)


class AddressForm(forms.CommandForm):
    name = forms.line("Name", required=True, most=120)
    company = forms.line("Company", most=120)
    street = forms.line("Street", required=True, most=120)
    postal_code = forms.line("Postal code", required=True, most=20)
    city = forms.line("City", required=True, most=120)
    country = country()
    tax_id = forms.line("Tax id", most=120, help="Of a business that buys; stands on its invoices.")
    reason = forms.reason(required=False)


class SetBillingAddress(CommandPage):
    record = User
    path = "people/<uuid:id>/billing-address"
    title = "Billing address"
    button = "Save"
    permission = Permission.EDIT_ADDRESSES
    form = AddressForm
    is_rare = True
    lead = "Holds for invoices from now on. Those that were issued stay as they are."

    def refused_because(self, record: Any) -> str | None:
        return None if record.role is Role.STUDENT else "Students and those who pay for them get invoices."

    def initial(self, record: Any) -> dict[str, Any]:
        address = addresses.address_of(session(), record.id)
        if address is None:
            return {"name": record.full_name}
        return {name: value for name, value in asdict(Party.of(address)).items() if name in addresses.FIELDS}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        payer = addresses.payer_of(session(), record)
        if payer.id == record.id:
            return Consequences([("Tax", "The country decides which tax rate their invoices show.")])
        words = show.html("{} pays: invoices name their address, not this one.", show.link(payer))
        return Consequences([("Payer", words)])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        party = Party(**{name: form[name].data or "" for name in addresses.FIELDS})
        return addresses.set_billing_address(actor, record.id, party=party, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The billing address is saved.", show.record_url("users", result.user_id) or "")


commands.add(SetBillingAddress)
