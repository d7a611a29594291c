"""The journal of a month, for the bookkeeping: every event of the school's money, from one account to another.

An entry is two lines of one amount, so debit is credit whatever happens; one that goes the other way (breakage that was
taken back) changes sides. Everything is read from what is append-only and put into one order, so the same closed month
gives the same bytes. What is sold, earned, expired and taken back comes from the liability report, by plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from guitaronline.billing.reconciliation import periods
from guitaronline.billing.settlements.models import LineKind
from guitaronline.errors import Reason
from guitaronline.finance import accounts, liability, months
from guitaronline.finance.account_models import AccountMapping, EventKind
from guitaronline.finance.liability import Movement
from guitaronline.finance.months import Month
from guitaronline.finance.refusals import AccountMissing, MonthNotClosed
from guitaronline.money import Money

HEADINGS = ("Entry", "Date", "Event", "Reference", "Account", "Debit", "Credit", "Currency")
NOT_TEST = "{} <> ALL (ARRAY(SELECT u.id FROM users u WHERE u.is_test))"
# ix_payments_paid
PAYMENTS = text(f"""
SELECT p.paid_at AS at, p.reference, p.currency, p.amount_minor FROM payments p
 WHERE p.paid_at >= :start AND p.paid_at < :end AND {NOT_TEST.format("p.student_id")}
 ORDER BY p.paid_at, p.id
""")  # noqa: S608  # put together from constants
# ix_refunds_settled_at; one that came back later was paid out on its day all the same: its month may be closed
REFUNDS = text(f"""
SELECT r.settled_at AS at, r.reference, r.currency, r.amount_minor FROM refunds r JOIN payments p ON p.id = r.payment_id
 WHERE r.settled_at >= :start AND r.settled_at < :end AND (r.status = 'succeeded' OR r.returned_at IS NOT NULL)
   AND {NOT_TEST.format("p.student_id")}
 ORDER BY r.settled_at, r.id
""")  # noqa: S608
# ix_refunds_returned_at
RETURNS = text(f"""
SELECT r.returned_at AS at, r.reference, r.currency, -r.amount_minor AS amount_minor FROM refunds r JOIN payments p ON p.id = r.payment_id
 WHERE r.returned_at >= :start AND r.returned_at < :end AND {NOT_TEST.format("p.student_id")}
 ORDER BY r.returned_at, r.id
""")  # noqa: S608
# ix_disputes_decided_at
DISPUTES = text(f"""
SELECT d.decided_at AS at, d.reference, d.currency, d.amount_minor FROM disputes d JOIN payments p ON p.id = d.payment_id
 WHERE d.decided_at >= :start AND d.decided_at < :end AND d.status = 'lost' AND {NOT_TEST.format("p.student_id")}
 ORDER BY d.decided_at, d.id
""")  # noqa: S608
TEACHERS = text(f"""
SELECT s.approved_at AS at, s.reference, l.currency, CAST(sum(l.amount_minor) AS bigint) AS amount_minor
  FROM teacher_statements s JOIN statement_lines l ON l.statement_id = s.id
 WHERE s.approved_at >= :start AND s.approved_at < :end AND {NOT_TEST.format("s.teacher_id")}
 GROUP BY s.id, l.currency ORDER BY s.approved_at, s.id, l.currency
""")  # noqa: S608


@dataclass(frozen=True)
class Event:
    """One fact about money; a negative amount goes the other way."""

    kind: EventKind
    day: date  # the school's
    reference: str
    currency: str
    amount_minor: int


@dataclass(frozen=True)
class Entry:
    event: Event
    debit_account: str
    credit_account: str

    @property
    def amount(self) -> Money:
        return Money(abs(self.event.amount_minor), self.event.currency)


Source = Callable[[Session, Month], Iterable[Event]]


def _rows(kind: EventKind, statement: TextClause) -> Source:
    def read(session: Session, month: Month) -> Iterator[Event]:
        told = {"start": month.start, "end": month.end}
        for row in session.execute(statement, told):
            yield Event(kind, months.day_of(row.at), row.reference, row.currency, int(row.amount_minor))

    return read


def _of_movements(session: Session, month: Month) -> Iterator[Event]:
    for each in liability.movements(session, month):
        yield from _of_plan(each, month)


def _of_plan(moved: Movement, month: Month) -> Iterator[Event]:
    """By the plan's id and not by its name, which may change: the file of a closed month must not."""
    reference = f"{month.written()} {moved.plan_id or 'without a plan'}"
    amounts = {
        EventKind.PACKAGE_SOLD: moved.sold_minor,
        EventKind.LESSONS_EARNED: moved.earned_minor,
        EventKind.BREAKAGE: moved.breakage_minor,
        EventKind.LESSONS_LAPSED: moved.lapsed_minor,
        EventKind.LESSONS_TAKEN_BACK: moved.revoked_minor,
    }
    for kind, amount_minor in amounts.items():
        if amount_minor:
            yield Event(kind, month.last_day, reference, moved.currency, amount_minor)


def _fees(session: Session, month: Month) -> Iterator[Event]:
    """What providers kept, by the periods that were signed: a closed month says the same whatever comes later."""
    for period in periods.closed_within(session, month.first_day, month.last_day):
        for account in period.snapshot["accounts"]:
            if account["side"] == "provider":
                fee = sum(_fee(each) for each in account["movements"])
                reference = f"{account['account']} until {period.last_on}"
                yield Event(EventKind.PROVIDER_FEE, period.last_on, reference, account["currency"], fee)


def _fee(moved: Mapping[str, Any]) -> int:
    """Fees are taken off other lines, or stand as lines of their own."""
    return int(moved["fee_minor"]) - (int(moved["amount_minor"]) if moved["kind"] == LineKind.FEE else 0)


SOURCES: list[Source] = [
    _rows(EventKind.PAYMENT_RECEIVED, PAYMENTS),
    _rows(EventKind.REFUND_PAID, REFUNDS),
    _rows(EventKind.REFUND_PAID, RETURNS),
    _rows(EventKind.DISPUTE_LOST, DISPUTES),
    _fees,
    _rows(EventKind.TEACHER_COST, TEACHERS),
    _of_movements,
]


def is_closed(session: Session, month: Month, *, now: datetime) -> bool:
    """Whether nothing can be written into the month any more: it is over, and where money is reconciled it was signed."""
    return month.is_over(now) and periods.is_closed_through(session, month.last_day)


def events_of(session: Session, month: Month) -> list[Event]:
    """Every event of the month, by day, kind, currency and reference: an order of its own, whoever told it."""
    found = [event for source in SOURCES for event in source(session, month) if event.amount_minor]
    return sorted(found, key=lambda each: (each.day, each.kind, each.currency, each.reference, each.amount_minor))


def journal_of(session: Session, month: Month, *, now: datetime) -> list[Entry]:
    """The entries of the closed month. Raises MonthNotClosed, AccountMissing naming each kind and currency."""
    if not is_closed(session, month, now=now):
        raise MonthNotClosed(month=month.written())
    events = events_of(session, month)
    missing = missing_accounts(session, events)
    if missing:
        raise AccountMissing(reasons=[_no_account(kind, currency) for kind, currency in missing])
    known = accounts.all_mappings(session)
    return [_entry(each, _mapping(known, each.kind, each.currency)) for each in events]


def missing_accounts(session: Session, events: Sequence[Event]) -> list[tuple[EventKind, str]]:
    """Kinds and currencies that no mapping is for."""
    known = accounts.all_mappings(session)
    asked = sorted({(each.kind, each.currency) for each in events})
    return [each for each in asked if _mapping(known, *each) is None]


def lines(entries: Sequence[Entry]) -> Iterator[Sequence[str | int | date | Money | None]]:
    """Two for each entry, as they stand in a file."""
    for number, each in enumerate(entries, start=1):
        event = each.event
        head = (number, event.day, event.kind.value, event.reference)
        yield (*head, each.debit_account, each.amount, None, event.currency)
        yield (*head, each.credit_account, None, each.amount, event.currency)


def _mapping(
    known: dict[tuple[EventKind, str], AccountMapping], kind: EventKind, currency: str
) -> AccountMapping | None:
    return known.get((kind, currency)) or known.get((kind, accounts.ANY))


def _entry(event: Event, mapping: AccountMapping | None) -> Entry:
    assert mapping is not None
    sides = (mapping.debit_account, mapping.credit_account)
    return Entry(event, *(sides if event.amount_minor > 0 else sides[::-1]))


def _no_account(kind: EventKind, currency: str) -> Reason:
    words = f"{kind.value.replace('_', ' ').capitalize()} in {currency} has no accounts."
    return Reason("account_missing", words, "Set them.", facts={"kind": kind.value, "currency": currency})
