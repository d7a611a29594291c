"""The accounts of each kind of event, as the bookkeeping knows them."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import money
from guitaronline.errors import Reason
from guitaronline.finance.account_models import AccountMapping, EventKind
from guitaronline.finance.refusals import InvalidMapping
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

ANY = ""  # every currency that has no mapping of its own
A_CODE = re.compile(r"[0-9A-Za-z.-]{1,20}", re.ASCII)
MEANINGS = {
    EventKind.PACKAGE_SOLD: "a package became active: its price is asked for and owed in lessons",
    EventKind.PAYMENT_RECEIVED: "money came",
    EventKind.REFUND_PAID: "money went back; changes sides when it could not be paid out",
    EventKind.PROVIDER_FEE: "what a provider kept",
    EventKind.LESSONS_EARNED: "lessons were delivered",
    EventKind.BREAKAGE: "lessons expired whose plan says that they are the school's",
    EventKind.LESSONS_LAPSED: "lessons expired whose plan does not say so",
    EventKind.LESSONS_TAKEN_BACK: "lessons were taken back, with a refund or by staff",
    EventKind.DISPUTE_LOST: "a bank took money back",
    EventKind.TEACHER_COST: "a teacher's statement was approved",
}
USUAL = {  # debit and credit, to begin with
    EventKind.PACKAGE_SOLD: ("1200", "2400"),
    EventKind.PAYMENT_RECEIVED: ("1100", "1200"),
    EventKind.REFUND_PAID: ("1200", "1100"),
    EventKind.PROVIDER_FEE: ("6100", "1100"),
    EventKind.LESSONS_EARNED: ("2400", "4000"),
    EventKind.BREAKAGE: ("2400", "4100"),
    EventKind.LESSONS_LAPSED: ("2400", "2450"),
    EventKind.LESSONS_TAKEN_BACK: ("2400", "1200"),
    EventKind.DISPUTE_LOST: ("6200", "1100"),
    EventKind.TEACHER_COST: ("5000", "2100"),
}


@command("account.map", creates="account_mappings")
def map_accounts(
    work: Work,
    *,
    kind: EventKind | str,
    debit_account: str,
    credit_account: str,
    currency: str = ANY,
    reason: str | None = None,
) -> AccountMapping:
    """Events of that kind and currency (empty: any) lead from the one account to the other. The same again changes nothing.

    Locks the mapping where there is one. Raises InvalidMapping with every reason."""
    access.require(work.actor, Permission.KEEP_BOOKS)
    _refuse(kind, debit_account, credit_account, currency)
    query = select(AccountMapping).where(AccountMapping.kind == EventKind(kind), AccountMapping.currency == currency)
    found = work.session.scalars(query.with_for_update(key_share=True)).one_or_none()
    if found is not None:
        found.debit_account, found.credit_account = debit_account, credit_account
        return found
    made = AccountMapping(
        id=work.record_id,
        kind=EventKind(kind),
        currency=currency,
        debit_account=debit_account,
        credit_account=credit_account,
    )
    work.add(made)
    return made


def all_mappings(session: Session) -> dict[tuple[EventKind, str], AccountMapping]:
    """By kind and currency; there are a few dozen at most."""
    return {(each.kind, each.currency): each for each in session.scalars(select(AccountMapping).limit(2000))}


def _refuse(kind: EventKind | str, debit_account: str, credit_account: str, currency: str) -> None:
    wrong_code = "An account has 1 to 20 letters, digits, points or hyphens."
    found = [
        (kind not in list(EventKind), "kind", "There is no such kind of event."),
        (currency != ANY and currency not in money.CURRENCIES, "currency", "This is not a currency that is taken."),
        (not A_CODE.fullmatch(debit_account), "debit_account", wrong_code),
        (not A_CODE.fullmatch(credit_account), "credit_account", wrong_code),
        (debit_account == credit_account, "credit_account", "Debit and credit are two accounts."),
    ]
    problems = [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]
    if problems:
        raise InvalidMapping(reasons=problems)
