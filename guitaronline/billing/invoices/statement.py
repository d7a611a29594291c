"""The account of one student over a range of days: what was charged, what was paid, what went back, and what is open.

A purchase is charged when it is paid, by its invoice. A package on account is charged when it is granted, so what is open
is its price less what was paid for it; of one that was taken back only what was paid back of it is charged, because that was
credited. Amounts of one currency never meet those of
another: each has an account of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.billing.invoices.days import end_of, school_day, start_of

MOST_ENTRIES = 2_000


class EntryKind(StrEnum):
    CHARGE = "charge"
    PAYMENT = "payment"
    REFUND = "refund"
    CREDIT = "credit"
    RETURN = "return"
    CANCELLATION = "cancellation"


WORDS = {
    EntryKind.CHARGE: "Lessons",
    EntryKind.PAYMENT: "Payment received",
    EntryKind.REFUND: "Paid back",
    EntryKind.CREDIT: "Credit",
    EntryKind.RETURN: "Could not be paid back",
    EntryKind.CANCELLATION: "Credit canceled",
}
# Each reads by the student, over ix_packages_student, ix_payments_student, uq_invoices_payment_id and their like.
ENTRIES = text("""
    SELECT at, rank, kind, reference, paper, currency, amount_minor FROM (
        SELECT p.paid_at AS at, 1 AS rank, 'charge' AS kind, k.reference, i.reference AS paper, p.currency, p.amount_minor
          FROM payments p JOIN packages k ON k.id = p.package_id LEFT JOIN invoices i ON i.payment_id = p.id
         WHERE p.student_id = :student_id AND p.paid_at IS NOT NULL AND k.origin <> 'on_account'
        UNION ALL
        SELECT coalesce(k.activated_at, k.created_at), 1, 'charge', k.reference, NULL, k.currency,
               CASE WHEN k.status = 'revoked' THEN b.back ELSE k.price_minor END
          FROM packages k
         CROSS JOIN LATERAL (SELECT CAST(sum(r.amount_minor) AS bigint) AS back FROM payments p JOIN refunds r ON r.payment_id = p.id
                              WHERE p.package_id = k.id AND p.currency = k.currency AND r.status = 'succeeded') b
         WHERE k.student_id = :student_id AND k.origin = 'on_account' AND k.price_minor > 0
           AND (k.status <> 'revoked' OR b.back > 0)
        UNION ALL
        SELECT p.paid_at, 2, 'payment', p.reference, CASE WHEN k.origin = 'on_account' THEN i.reference END, p.currency, -p.amount_minor
          FROM payments p JOIN packages k ON k.id = p.package_id LEFT JOIN invoices i ON i.payment_id = p.id
         WHERE p.student_id = :student_id AND p.paid_at IS NOT NULL
        UNION ALL
        SELECT r.settled_at, 3, 'credit', r.reference, n.reference, r.currency, -r.amount_minor
          FROM refunds r JOIN payments p ON p.id = r.payment_id LEFT JOIN credit_notes n ON n.refund_id = r.id
         WHERE p.student_id = :student_id AND (r.status = 'succeeded' OR r.returned_at IS NOT NULL)
        UNION ALL
        SELECT r.settled_at, 4, 'refund', r.reference, NULL, r.currency, r.amount_minor
          FROM refunds r JOIN payments p ON p.id = r.payment_id
         WHERE p.student_id = :student_id AND (r.status = 'succeeded' OR r.returned_at IS NOT NULL)
        UNION ALL
        SELECT r.returned_at, 3, 'cancellation', r.reference, x.reference, r.currency, r.amount_minor
          FROM refunds r JOIN payments p ON p.id = r.payment_id LEFT JOIN credit_notes n ON n.refund_id = r.id
          LEFT JOIN credit_cancellations x ON x.credit_note_id = n.id
         WHERE p.student_id = :student_id AND r.returned_at IS NOT NULL
        UNION ALL
        SELECT r.returned_at, 4, 'return', r.reference, NULL, r.currency, -r.amount_minor
          FROM refunds r JOIN payments p ON p.id = r.payment_id
         WHERE p.student_id = :student_id AND r.returned_at IS NOT NULL) entries
     WHERE at < :until ORDER BY at, rank, reference LIMIT :most
""")


@dataclass(frozen=True)
class Entry:
    """One line: positive is charged, negative is paid or credited; `balance_minor` is what was open after it."""

    day: date
    kind: EntryKind
    reference: str
    paper: str | None  # the invoice or credit note
    amount_minor: int
    balance_minor: int

    @property
    def words(self) -> str:
        return WORDS[self.kind]


@dataclass(frozen=True)
class Account:
    """One currency: opening + Σ entries = closing. Positive: the student owes."""

    currency: str
    opening_minor: int
    entries: Sequence[Entry]
    closing_minor: int

    def sum_of(self, kind: EntryKind) -> int:
        return sum(each.amount_minor for each in self.entries if each.kind is kind)


@dataclass(frozen=True)
class Statement:
    first: date
    last: date
    accounts: Sequence[Account]
    is_cut: bool  # there is more than is listed: the balances of this range would be wrong, so choose an earlier end


@dataclass(frozen=True)
class _Row:
    at: datetime
    rank: int
    kind: str
    reference: str
    paper: str | None
    currency: str
    amount_minor: int


def statement_of(session: Session, student_id: UUID, *, first: date, last: date) -> Statement:
    """The accounts over these days of the school, both included; none of a currency in which nothing ever happened."""
    values = {"student_id": student_id, "until": end_of(last), "most": MOST_ENTRIES + 1}
    rows = [_Row(*row) for row in session.execute(ENTRIES, values)]
    currencies = sorted({row.currency for row in rows})
    accounts = [_account(currency, [row for row in rows if row.currency == currency], first) for currency in currencies]
    return Statement(first, last, accounts, is_cut=len(rows) > MOST_ENTRIES)


def _account(currency: str, rows: Sequence[_Row], first: date) -> Account:
    begins = start_of(first)
    balance = opening = sum(row.amount_minor for row in rows if row.at < begins)
    entries = []
    for row in rows:
        if row.at >= begins:
            balance += row.amount_minor
            kind = EntryKind(row.kind)
            entries.append(Entry(school_day(row.at), kind, row.reference, row.paper, row.amount_minor, balance))
    return Account(currency, opening, entries, balance)
