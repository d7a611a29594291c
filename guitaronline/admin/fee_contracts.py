"""What was agreed with providers about their fees."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from wtforms.validators import InputRequired, ValidationError

from guitaronline.actor import Actor
from guitaronline.admin import exported_money, forms, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.filters import Choice
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.billing.reconciliation import service
from guitaronline.billing.reconciliation.period_models import FeeContract
from guitaronline.identity.access import Permission
from guitaronline.money import CURRENCIES


def percent(contract: FeeContract) -> str:
    return f"{Decimal(contract.percent_bps) / 100:.2f} %"


def contract_title(contract: FeeContract) -> str:
    return f"{contract.account}, {contract.currency}, from {contract.from_on}"


class FeeContractsDesk(Desk):
    model_of = FeeContract
    path = "fee-contracts"
    title = "Fee contracts"
    one = "Fee contract"
    permission = Permission.READ_PAYMENTS
    intro = "What a provider may take of a charge. A fee that differs by more than rounding becomes an exception."
    empty = "No fee is checked. Add what was agreed with the provider."
    columns = (
        Column("account", "Account", lambda each: show.link(each, each.account)),
        Column("currency", "Currency", lambda each: each.currency),
        Column("from_on", "From", lambda each: show.day(each.from_on)),
        Column("percent_bps", "Percent", percent, is_number=True),
        Column("fixed_minor", "And fixed", lambda each: show.money(each.fixed_minor, each.currency), is_number=True),
    )
    filters = (Choice("currency", "Currency", sorted(CURRENCIES), lambda value: FeeContract.currency == value),)
    exported = exported_money.CONTRACTS
    default_order = (FeeContract.id, True)
    page_title = staticmethod(contract_title)

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(AddFeeContract))]}

    def record_page(self, contract: Any) -> dict[str, Any]:
        found = facts(
            ("Account", contract.account),
            ("From", show.day(contract.from_on)),
            ("Percent", percent(contract)),
            ("And fixed", show.money(contract.fixed_minor, contract.currency)),
        )
        return whole(contract, Page(found))


def is_percent(form: Any, field: Any) -> None:
    whole_part, _, rest = (field.data or "").partition(".")
    if not (
        whole_part.isascii()
        and whole_part.isdigit()
        and len(whole_part) <= 3
        and len(rest) <= 2
        and (not rest or (rest.isascii() and rest.isdigit()))
    ):
        raise ValidationError("Write a percentage such as 2.9, with two digits after the point at most.")


class ContractForm(forms.CommandForm):
    account = forms.line("Account", required=True, most=100, help="As the files call it; see a line of it.")
    currency = forms.currency()
    from_on = forms.DateField("From", validators=[InputRequired("A day is needed.")])
    percent = forms.line("Percent", required=True, most=6, checks=[is_percent])
    fixed = forms.amount("And fixed", help="0 where there is none.")
    reason = forms.reason(required=False)


class AddFeeContract(CommandPage):
    path = "fee-contracts/new"
    title = "New fee contract"
    parent = "desk_fee-contracts.index_view"
    button = "It was agreed"
    permission = Permission.EDIT_PAYMENTS
    form = ContractForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("Afterwards", "Charges of that account from that day on are checked against it, within a minute.")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.add_fee_contract(
            actor,
            account=form.account.data,
            currency=form.currency.data,
            from_on=form.from_on.data,
            percent_bps=int(Decimal(form.percent.data) * 100),
            fixed_minor=form.fixed.minor(form.currency.data) or 0,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"The contract of {result.account} stands.", show.record_url("fee_contracts", result.id) or "")


commands.add(AddFeeContract)
