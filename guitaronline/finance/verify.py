"""The proof that the books agree: every ledger is replayed and compared with what is stored.

Each proof reads in the order of its ledger through a cursor of the server, so a million payments need the memory of one.
Matches and invoices are proved by the invariants that are looked at every night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.invoices import proofs as invoices
from guitaronline.billing.models import PackageStatus, Payment, PaymentStatus
from guitaronline.billing.queries import DELIVERED
from guitaronline.billing.reconciliation.proofs import MATCHES
from guitaronline.billing.worth import Parts, parts_of, sql_worth
from guitaronline.finance import liability

BUCKETS = ("available", "reserved", "consumed", "expired", "revoked")
AT_ONCE = 2000  # rows fetched from the server's cursor
LONG = text("SET LOCAL statement_timeout = '30min'")  # years of a large school
EVERYTHING = datetime(9000, 1, 1, tzinfo=UTC)  # whatever the ledger says, also what a shifted clock wrote
ALONE = {"isolation_level": "REPEATABLE READ"}  # everything as it stands at one moment, while people work on


@dataclass(frozen=True)
class Difference:
    """Something stored that its ledger does not say."""

    ledger: str
    reference: str
    words: str


@dataclass(frozen=True)
class Proof:
    name: str
    sentence: str
    find: Callable[[Session], Iterable[Difference]]


def run(session: Session) -> Iterator[Difference]:
    """Everything that differs, proof by proof. Begins a transaction that sees one moment, and changes nothing."""
    session.rollback()
    session.connection(execution_options=ALONE)
    session.execute(LONG)
    for proof in PROOFS:
        yield from proof.find(session)


# Packages

ENTRIES = text("""
SELECT p.id, p.reference, p.status, p.lessons_total, p.available, p.reserved, p.consumed, p.expired, p.revoked,
       e.sequence, e.op_key, e.d_available, e.d_reserved, e.d_consumed, e.d_expired, e.d_revoked,
       e.available AS a_available, e.reserved AS a_reserved, e.consumed AS a_consumed, e.expired AS a_expired, e.revoked AS a_revoked
  FROM packages p LEFT JOIN credit_entries e ON e.package_id = p.id
 ORDER BY p.id, e.sequence
""")


def packages(session: Session) -> Iterator[Difference]:
    """Buckets, total and state of each package against the replay of its entries."""
    for _, rows in groupby(_streamed(session, ENTRIES), key=lambda row: row.id):
        yield from _package(list(rows))


def _package(rows: list[Any]) -> Iterator[Difference]:
    package, replayed = rows[0], dict.fromkeys(BUCKETS, 0)
    for place, row in enumerate((row for row in rows if row.sequence is not None), start=1):
        for bucket in BUCKETS:
            replayed[bucket] += getattr(row, f"d_{bucket}")
        if row.sequence != place or any(getattr(row, f"a_{each}") != replayed[each] for each in BUCKETS):
            yield Difference("packages", package.reference, f"entry {row.op_key} does not follow from those before it")
    for bucket in BUCKETS:
        stored = getattr(package, bucket)
        if stored != replayed[bucket]:
            words = f"{bucket} is {stored}, its entries say {replayed[bucket]}"
            yield Difference("packages", package.reference, words)
    if package.lessons_total != sum(replayed.values()):
        words = f"it has {package.lessons_total} lessons in all, its entries say {sum(replayed.values())}"
        yield Difference("packages", package.reference, words)
    if not _state_fits(package.status, replayed):
        yield Difference("packages", package.reference, f"it cannot be {package.status} with what its entries say")


def _state_fits(status: str, replayed: dict[str, int]) -> bool:
    left, total = replayed["available"] + replayed["reserved"], sum(replayed.values())
    return {
        PackageStatus.PENDING: total == 0,
        PackageStatus.ACTIVE: left > 0,
        PackageStatus.DEPLETED: left == 0 and total > 0,
        PackageStatus.EXPIRED: replayed["available"] == 0 and total > 0,
        PackageStatus.REVOKED: replayed["available"] == 0,
    }[PackageStatus(status)]


BREAKAGE = text(f"""
SELECT p.reference, p.currency, coalesce(b.booked, 0) AS booked, w.due
  FROM packages p
  LEFT JOIN (SELECT package_id, sum(breakage_minor) AS booked FROM credit_entries WHERE breakage_minor <> 0 GROUP BY package_id) b ON b.package_id = p.id
 CROSS JOIN LATERAL (SELECT CASE WHEN p.books_breakage AND p.lessons_total > 0 THEN {sql_worth("p.expired")} ELSE 0 END AS due) w
 WHERE coalesce(b.booked, 0) <> w.due""")  # noqa: S608  # put together from constants; also an invariant of `checks`


def breakage(session: Session) -> Iterator[Difference]:
    """What was booked for each package against what its expired lessons are worth."""
    for row in _streamed(session, BREAKAGE):
        words = f"breakage of {row.booked} {row.currency} is booked, its expired lessons are worth {row.due}"
        yield Difference("breakage", row.reference, f"{words} (minor units)")


# Payments

TRANSITIONS = text("""
SELECT p.id, p.reference, p.status, p.paid_at, t.sequence, t.from_status, t.to_status, t.created_at
  FROM payments p LEFT JOIN payment_transitions t ON t.payment_id = p.id
 ORDER BY p.id, t.sequence
""")


def payments(session: Session) -> Iterator[Difference]:
    """State and time of payment against the replay of the history."""
    for _, rows in groupby(_streamed(session, TRANSITIONS), key=lambda row: row.id):
        yield from _payment(list(rows))


def _payment(rows: list[Any]) -> Iterator[Difference]:
    payment, status, paid_at = rows[0], None, None
    for row in rows:
        if row.sequence is None:
            break
        target = PaymentStatus(row.to_status)
        source: PaymentStatus | None = PaymentStatus(status) if status else None
        if row.from_status != status or not Payment.states.events(source, target):
            words = f"its history leads from {row.from_status} to {row.to_status} after {status or 'nothing'}"
            yield Difference("payments", payment.reference, words)
        status = row.to_status
        if target is PaymentStatus.SUCCEEDED:
            paid_at = paid_at or row.created_at
    if payment.status != status:
        words = f"it is {payment.status}, its history ends with {status or 'nothing'}"
        yield Difference("payments", payment.reference, words)
    if payment.paid_at != paid_at:
        words = f"its money came {payment.paid_at or 'never'}, its history says {paid_at or 'never'}"
        yield Difference("payments", payment.reference, words)


# What was paid back, and the lessons that it took: uq_credit_entries_op_key
REFUND_SUMS = text("""
SELECT p.reference, p.status, p.amount_minor, p.currency, coalesce(r.committed, 0) AS committed, coalesce(r.paid_back, 0) AS paid_back, r.other
  FROM payments p
  LEFT JOIN (SELECT q.id, sum(r.amount_minor) FILTER (WHERE r.status IN ('pending', 'succeeded')) AS committed,
                    sum(r.amount_minor) FILTER (WHERE r.status = 'succeeded') AS paid_back,
                    min(r.reference) FILTER (WHERE r.currency <> q.currency) AS other
               FROM refunds r JOIN payments q ON q.id = r.payment_id GROUP BY q.id) r ON r.id = p.id
 WHERE coalesce(r.committed, 0) > p.amount_minor OR r.other IS NOT NULL
    OR (p.status = 'refunded') <> (coalesce(r.paid_back, 0) = p.amount_minor)
 ORDER BY p.id
""")
REFUND_LESSONS = text("""
SELECT r.reference, r.lessons_revoked, coalesce(e.d_revoked, 0) AS taken, r.status, coalesce(-u.d_revoked, 0) AS back
  FROM refunds r
  LEFT JOIN credit_entries e ON e.op_key = 'revoke:' || r.id
  LEFT JOIN credit_entries u ON u.op_key = 'unrevoke:' || r.id
 WHERE r.lessons_revoked <> coalesce(e.d_revoked, 0)
    OR (u.id IS NOT NULL AND (r.status NOT IN ('failed', 'canceled') OR -u.d_revoked > r.lessons_revoked))
 ORDER BY r.id
""")


def refunds(session: Session) -> Iterator[Difference]:
    """Sums against the payment, and lessons taken against the ledger."""
    for row in _streamed(session, REFUND_SUMS):
        words = (
            f"it is {row.status} with {row.amount_minor} {row.currency}; refunds of {row.committed} stand, "
            f"{row.paid_back} of it paid out (minor units){f'; {row.other} is in another currency' if row.other else ''}"
        )
        yield Difference("refunds", row.reference, words)
    for row in _streamed(session, REFUND_LESSONS):
        words = f"{row.status}, {row.lessons_revoked} lessons taken back; the ledger took {row.taken} and gave back {row.back}"
        yield Difference("refunds", row.reference, words)


# Liability

OF_PACKAGES = text(f"""
SELECT p.currency, p.plan_id, p.price_minor, p.lessons_total, p.expired, p.revoked, p.books_breakage,
       CASE WHEN p.consumed > 0 THEN ({DELIVERED.text.replace(":package_id", "p.id")}) ELSE 0 END AS delivered
  FROM packages p JOIN users u ON u.id = p.student_id
 WHERE p.price_minor > 0 AND p.lessons_total > 0 AND NOT u.is_test
""")  # noqa: S608  # the one statement of billing that says what is delivered


def owed(session: Session) -> Iterator[Difference]:
    """The liability report of this moment, read from the entries, against the prices laid out package by package."""
    replayed: dict[tuple[str, Any], list[int]] = {}
    for row in _streamed(session, OF_PACKAGES):
        parts = _parts(row)
        sums = replayed.setdefault((row.currency, row.plan_id), [0, 0, 0, 0])
        amounts = (parts.owed_minor, parts.earned_minor, parts.expired_minor, parts.revoked_minor)
        sums[:] = [sum(each) for each in zip(sums, amounts, strict=True)]
    told = {(each.currency, each.plan_id): each for each in liability.report(session, EVERYTHING)}
    for key in sorted({*replayed, *told}, key=str):
        line, sums = told.get(key), replayed.get(key, [0, 0, 0, 0])
        said = (
            [line.owed_minor, line.earned_minor, line.breakage_minor + line.lapsed_minor, line.revoked_minor]
            if line
            else [0, 0, 0, 0]
        )
        if said != sums:
            words = f"owed, earned, expired, taken back: the report says {said}, the packages {sums} (minor units)"
            yield Difference("liability", f"{key[0]} {line.plan if line else key[1]}", words)


def _parts(row: Any) -> Parts:
    return parts_of(
        price_minor=row.price_minor,
        lessons_total=row.lessons_total,
        expired=row.expired,
        revoked=row.revoked,
        delivered=row.delivered,
    )


# Statements of teachers

LINES = text("""
SELECT s.reference, l.position, 'its lesson has lines that are not numbered one by one' AS words
  FROM (SELECT *, row_number() OVER (PARTITION BY lesson_id ORDER BY revision) AS place FROM statement_lines WHERE lesson_id IS NOT NULL) l
  JOIN teacher_statements s ON s.id = l.statement_id WHERE l.revision <> l.place
UNION ALL
SELECT s.reference, l.position, 'its lesson is another teacher''s'
  FROM statement_lines l JOIN teacher_statements s ON s.id = l.statement_id JOIN lessons t ON t.id = l.lesson_id
 WHERE t.teacher_id <> s.teacher_id
UNION ALL
SELECT s.reference, l.position, 'it is not what was written down for the month'
  FROM statement_lines l JOIN teacher_statements s ON s.id = l.statement_id JOIN statement_extras x ON x.id = l.extra_id
 WHERE (x.teacher_id, x.month, x.currency, CASE x.kind WHEN 'work' THEN x.amount_minor ELSE -x.amount_minor END)
       <> (s.teacher_id, s.month, l.currency, l.amount_minor)
UNION ALL
SELECT s.reference, 0, 'other work or a deduction of its month is missing'
  FROM statement_extras x JOIN teacher_statements s ON s.teacher_id = x.teacher_id AND s.month = x.month
 WHERE NOT EXISTS (SELECT FROM statement_lines l WHERE l.extra_id = x.id)
UNION ALL
SELECT s.reference, 0, 'its lines are not numbered one by one'
  FROM teacher_statements s JOIN (SELECT statement_id, count(*) AS lines, max(position) AS last FROM statement_lines GROUP BY statement_id) l
       ON l.statement_id = s.id WHERE l.lines <> l.last
ORDER BY 1, 2
""")


def statements(session: Session) -> Iterator[Difference]:
    """Lines against lessons, other work and each other."""
    for row in _streamed(session, LINES):
        where = f"{row.reference}, line {row.position}" if row.position else row.reference
        yield Difference("statements", where, row.words)


def _streamed(session: Session, statement: TextClause) -> Iterator[Any]:
    yield from session.execute(statement, execution_options={"yield_per": AT_ONCE})


def _sought(ledger: str, statement: str, words: str) -> Callable[[Session], Iterator[Difference]]:
    """Proved by one of the invariants: whatever it finds differs."""
    values = {"is_on": policy.current().INVOICES == "on"} if ":is_on" in statement else {}

    def find(session: Session) -> Iterator[Difference]:
        rows = session.execute(text(statement), values, execution_options={"yield_per": AT_ONCE})
        for row in rows.mappings():
            yield Difference(
                ledger, str(row.get("reference") or row.get("id") or f"{row['series']} {row['year']}"), words
            )

    return find


def _issued(session: Session) -> Iterator[Difference]:
    """Numbers, invoices against payments, credit notes against refunds."""
    for name, sentence, statement in invoices.PROOFS:
        yield from _sought("invoices", statement, f"{name}: not so: {sentence}")(session)


def _matched(session: Session) -> Iterator[Difference]:
    yield from _sought("matches", MATCHES, "both sides of the match are not equal, or a line stands in two")(session)


PROOFS = (
    Proof("packages", "A package has what its entries add up to, and the state that follows.", packages),
    Proof("breakage", "What is booked as breakage is what the expired lessons are worth.", breakage),
    Proof("payments", "A payment is what its history says.", payments),
    Proof("refunds", "Refunds fit their payment, and took the lessons that they say.", refunds),
    Proof("liability", "The liability report is what the packages say one by one.", owed),
    Proof("statements", "A statement has the lines of its lessons and of its month's other work.", statements),
    Proof(
        "invoices", "Invoices are their payments, credit notes what was paid back, and no number is missing.", _issued
    ),
    Proof("matches", "Both sides of a match are equal, and a line stands in one.", _matched),
)
