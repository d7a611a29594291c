"""What was agreed with a provider about its fees, from a day on. What was agreed before stays written."""

from __future__ import annotations

from datetime import date

from guitaronline import money
from guitaronline.billing.reconciliation.period_models import FeeContract
from guitaronline.billing.reconciliation.refusals import InvalidContract
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

ACCOUNT_LENGTH = 100
MOST_BPS, MOST_FIXED_MINOR = 10_000, 1_000_000


@command("fee_contract.add", creates="fee_contracts")
def add_fee_contract(
    work: Work,
    *,
    account: str,
    currency: str,
    from_on: date,
    percent_bps: int,
    fixed_minor: int,
    reason: str | None = None,
) -> FeeContract:
    """Charges of the account from that day on are expected to cost this. Raises InvalidContract with every reason, ContractExists."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = account.strip()
    problems = [
        *([] if 1 <= len(said) <= ACCOUNT_LENGTH else [Reason("account_invalid", "Name the account as its files do.", pointer="/account")]),
        *([] if currency in money.CURRENCIES else [Reason("currency_unknown", "There is no such currency.", pointer="/currency")]),
        *([] if 0 <= percent_bps <= MOST_BPS else [Reason("percent_invalid", "A percentage is between 0 and 100.", pointer="/percent")]),
        *([] if 0 <= fixed_minor <= MOST_FIXED_MINOR else [Reason("fixed_invalid", "The fixed part is too large.", pointer="/fixed")]),
    ]  # fmt: skip
    if problems:
        raise InvalidContract(reasons=problems)
    contract = FeeContract(
        id=work.record_id,
        account=said,
        currency=currency,
        from_on=from_on,
        percent_bps=percent_bps,
        fixed_minor=fixed_minor,
    )
    work.add(contract)
    work.session.flush()
    return contract
