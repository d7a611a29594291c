"""What pages and files of reconciliation show. Each is bounded by days and a limit; the index is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, text, true
from sqlalchemy.orm import Session, selectinload

from guitaronline.billing.models import Payment, Refund
from guitaronline.billing.reconciliation import rules
from guitaronline.billing.reconciliation.models import UNDECIDED, Match, MatchPart, MatchStatus, ReconciliationException
from guitaronline.billing.reconciliation.period_models import (
    PeriodFile,
    PeriodStatus,
    ReconciliationPeriod,
    ReconciliationRun,
)
from guitaronline.billing.reconciliation.rules import Item, Likeness
from guitaronline.billing.settlements.models import LineKind, SettlementLine
from guitaronline.identity.models import Guardian, User

SHOWN = 10
LOOKED_AT = 200  # the nearest in time are ranked; further ones would rank last anyway
AROUND = timedelta(days=45)
LINES_AROUND = timedelta(days=10)
WAITING_UP_TO = 10_000  # more is as bad


@dataclass(frozen=True)
class Candidate:
    """What the other side may be, and why it stands where it stands."""

    record: Any  # Payment, Refund or SettlementLine
    score: int
    reasons: list[str]


def candidates(session: Session, exception: ReconciliationException) -> list[Candidate]:
    """Equal in amount and currency, and free; the likeliest first. Nothing where no other side is looked for."""
    line = exception.line
    if line is None:
        return _lines_for(session, exception) if exception.payment_id else []
    if line.kind in (LineKind.CHARGE, LineKind.BANK_CREDIT):
        return _payments_for(session, line)
    if line.kind in (LineKind.REFUND, LineKind.BANK_DEBIT):
        return _refunds_for(session, line)
    return _bank_lines_for(session, line) if line.kind is LineKind.PAYOUT else []


def _payments_for(session: Session, line: SettlementLine) -> list[Candidate]:
    """ix_payments_amount: ids sort by time."""
    query = (
        select(Payment)
        .where(
            Payment.amount_minor == line.amount_minor,
            Payment.currency == line.currency,
            Payment.id.between(_id_at(line.at - AROUND), _id_at(line.at + AROUND)),
            _payment_is_free(),
        )
        .options(selectinload(Payment.student))
        .limit(LOOKED_AT)
    )
    found = list(session.scalars(query))
    customers = _customer_keys(session, [each.student_id for each in found])
    ranked = [
        (each, _likeness(line, each.reference, customers.get(each.student_id, set()), each.paid_at or each.created_at))
        for each in found
    ]
    return _best(ranked)


def _refunds_for(session: Session, line: SettlementLine) -> list[Candidate]:
    """ix_refunds_settled_at for those that are settled; few are not."""
    is_back = line.amount_minor > 0
    same_way = Match.amount_minor > 0 if is_back else Match.amount_minor < 0
    free = ~exists().where(Match.refund_id == Refund.id, Match.status == MatchStatus.ACTIVE, same_way)
    moment = func.coalesce(Refund.settled_at, Refund.created_at)
    query = select(Refund).where(
        Refund.amount_minor == abs(line.amount_minor),
        Refund.returned_at.is_not(None) if is_back else true(),
        Refund.currency == line.currency,
        Refund.id.between(_id_at(line.at - 2 * AROUND), _id_at(line.at + AROUND)),
        free,
    )
    found = list(session.scalars(query.order_by(moment.desc()).limit(LOOKED_AT)))
    return _best([(each, _likeness(line, each.reference, set(), each.settled_at or each.created_at)) for each in found])


def _bank_lines_for(session: Session, line: SettlementLine) -> list[Candidate]:
    return _free_lines(session, line, -line.net_minor, LineKind.BANK_CREDIT)


def _lines_for(session: Session, exception: ReconciliationException) -> list[Candidate]:
    """Lines that may be the payment, or refund, that is missing there."""
    record: Any = exception.refund or exception.payment
    sign = -1 if exception.refund_id else 1
    kinds = (LineKind.REFUND,) if exception.refund_id else (LineKind.CHARGE, LineKind.BANK_CREDIT)
    moment = (exception.refund.settled_at if exception.refund else exception.payment.paid_at) or record.created_at  # type: ignore[union-attr]
    day = moment.date()
    customers = _customer_keys(session, [exception.payment.student_id]) if exception.payment else {}
    keys = set().union(*customers.values()) if customers else set()
    found = _lines_around(session, day, sign * record.amount_minor, record.currency, kinds)
    return _best([(each, _likeness(each, record.reference, keys, moment)) for each in found])


def _free_lines(session: Session, line: SettlementLine, amount_minor: int, kind: LineKind) -> list[Candidate]:
    found = _lines_around(session, line.booked_on, amount_minor, line.currency, (kind,))
    name = line.payout_id or line.source_id or line.external_id
    return _best([(each, _likeness(each, name, set(), line.at)) for each in found])


def _lines_around(
    session: Session, day: date, amount_minor: int, currency: str, kinds: Sequence[LineKind]
) -> list[SettlementLine]:
    """ix_settlement_lines_booked"""
    active = Match.status == MatchStatus.ACTIVE
    query = select(SettlementLine).where(
        SettlementLine.booked_on.between(day - LINES_AROUND, day + LINES_AROUND),
        SettlementLine.amount_minor == amount_minor,
        SettlementLine.currency == currency,
        SettlementLine.kind.in_(kinds),
        ~exists().where(Match.line_id == SettlementLine.id, active),
        ~exists().where(Match.bank_line_id == SettlementLine.id, active),
        ~_is_held(),
    )
    return list(session.scalars(query.limit(LOOKED_AT)))


def _is_held() -> Any:
    """A closed period counted the line as it is."""
    closed = (PeriodFile.period_id == ReconciliationPeriod.id) & (ReconciliationPeriod.status == PeriodStatus.CLOSED)
    counted = (PeriodFile.file_id == SettlementLine.file_id) & (
        ReconciliationPeriod.last_on >= SettlementLine.booked_on
    )
    return exists().where(closed, counted)


def _payment_is_free() -> Any:
    whole = exists().where(Match.payment_id == Payment.id, Match.status == MatchStatus.ACTIVE)
    part = exists().where(MatchPart.payment_id == Payment.id, MatchPart.is_active)
    return ~whole & ~part


def _likeness(line: SettlementLine, name: str, customers: set[str], moment: datetime) -> Likeness:
    words = " ".join(
        each for each in (line.remittance, line.source_id, line.external_id, line.payment_reference) if each
    )
    key = customer_key(line.counterparty)
    days = abs((moment.date() - line.booked_on).days)
    return Likeness(is_same_customer=bool(key) and key in customers, days_apart=days, is_named=name in words)


def _best(ranked: list[tuple[Any, Likeness]]) -> list[Candidate]:
    found = [Candidate(record, rules.score(likeness), rules.why(likeness)) for record, likeness in ranked]
    return sorted(found, key=lambda each: (-each.score, str(each.record.id)))[:SHOWN]


def customer_key(name: str | None) -> str:
    """The twin of `matching.CUSTOMER_KEY`."""
    return "".join(sign for sign in (name or "").lower() if sign.isalnum())


def _customer_keys(session: Session, student_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """For each student the names and addresses of those who may pay, as keys."""
    keys: dict[UUID, set[str]] = {}
    own = select(User.id, User.full_name, User.email).where(User.id.in_(student_ids))
    payers = (
        select(Guardian.student_id, User.full_name, User.email)
        .join(User, User.id == Guardian.guardian_id)
        .where(Guardian.student_id.in_(student_ids))
    )
    for student_id, name, email in [*session.execute(own), *session.execute(payers)]:
        keys.setdefault(student_id, set()).update({customer_key(name), customer_key(email)} - {""})
    return keys


def parts_suggested(session: Session, line: SettlementLine) -> list[Payment]:
    """Payments that only together make the line's amount, where there is exactly one such choice among the nearest. A suggestion."""
    query = select(Payment).where(
        Payment.amount_minor < line.amount_minor,
        Payment.currency == line.currency,
        Payment.id.between(_id_at(line.at - LINES_AROUND), _id_at(line.at + LINES_AROUND)),
        _payment_is_free(),
    )
    near = list(session.scalars(query.order_by(Payment.id.desc()).limit(LOOKED_AT)))
    customers = _customer_keys(session, [each.student_id for each in near])
    key = customer_key(line.counterparty)
    theirs = [each for each in near if key and key in customers.get(each.student_id, set())]
    looked_at = theirs if len(theirs) > 1 else near
    chosen = rules.subset_sum(line.amount_minor, [Item(each.id, each.amount_minor) for each in looked_at])
    return [each for each in looked_at if each.id in chosen]


def _id_at(moment: datetime) -> UUID:
    """The smallest id of that millisecond."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def match_of_line(session: Session, line_id: UUID) -> Match | None:
    """ix: uq_settlement_matches_line, else of its other side."""
    active = select(Match).where(Match.status == MatchStatus.ACTIVE)
    return (
        session.scalars(active.where(Match.line_id == line_id)).first()
        or session.scalars(active.where(Match.bank_line_id == line_id)).first()
    )


# How well the rules do


@dataclass(frozen=True)
class Rate:
    """Of the lines of a kind: how many the rules matched, by which rule. `wrong`: matches that people undid."""

    kind: str
    lines: int
    matched: int
    by_rule: dict[str, int]


@dataclass(frozen=True)
class Quality:
    """As of the last run. `automatic` and `wrong`: matches of rules that were made so far and those of them that people undid."""

    at: datetime | None
    rates: list[Rate]
    automatic: int
    wrong: int

    @property
    def lines(self) -> int:
        return sum(each.lines for each in self.rates)

    @property
    def matched(self) -> int:
        return sum(each.matched for each in self.rates)


def quality(session: Session) -> Quality:
    """The last run's mix, and the few matches that people undid (ix_settlement_matches_undone)."""
    last = session.scalars(select(ReconciliationRun).order_by(ReconciliationRun.created_at.desc()).limit(1)).first()
    wrong = session.scalar(
        select(func.count()).where(
            Match.status == MatchStatus.UNDONE, Match.undone_by.is_not(None), Match.matched_by.is_(None)
        )
    )
    rates: dict[str, Rate] = {}
    for row in last.mix if last else []:
        rate = rates.get(row["kind"]) or Rate(row["kind"], 0, 0, {})
        matched = row["lines"] if row["rule"] else 0
        by_rule = rate.by_rule | ({row["rule"]: row["lines"]} if row["rule"] else {})
        rates[row["kind"]] = Rate(rate.kind, rate.lines + row["lines"], rate.matched + matched, by_rule)
    made = session.scalar(select(func.coalesce(func.sum(ReconciliationRun.made - ReconciliationRun.undone), 0)))
    return Quality(last.created_at if last else None, list(rates.values()), int(made or 0), int(wrong or 0))


@dataclass(frozen=True)
class Waiting:
    """Exceptions that nobody has decided: how many, up to WAITING_UP_TO, and since when the oldest waits."""

    number: int
    since: datetime | None


def waiting(session: Session) -> Waiting:
    """ix_reconciliation_exceptions_status: ids sort by time."""
    of = ReconciliationException
    oldest = select(of.created_at).where(of.status.in_(UNDECIDED)).order_by(of.id).limit(WAITING_UP_TO).subquery()
    number, since = session.execute(select(func.count(), func.min(oldest.c.created_at)).select_from(oldest)).one()
    return Waiting(number, since)


# Money by currency and plan

BY_PLAN = text("""
WITH paid AS (
  SELECT p.id, p.currency, p.amount_minor, k.plan_id FROM payments p JOIN packages k ON k.id = p.package_id
   WHERE p.paid_at >= :start AND p.paid_at < :end AND p.status IN ('succeeded', 'refunded')),
back AS (
  SELECT r.currency, r.amount_minor, k.plan_id FROM refunds r JOIN payments p ON p.id = r.payment_id JOIN packages k ON k.id = p.package_id
   WHERE r.settled_at >= :start AND r.settled_at < :end AND r.status = 'succeeded'),
fees AS (
  SELECT d.currency, l.fee_minor, d.plan_id FROM paid d
    JOIN settlement_matches m ON m.payment_id = d.id AND m.status = 'active' JOIN settlement_lines l ON l.id = m.line_id)
SELECT s.currency, coalesce(n.name, '') AS plan, sum(s.payments)::bigint AS payments, sum(s.revenue)::bigint AS revenue_minor,
       sum(s.refunds)::bigint AS refunds_minor, sum(s.fees)::bigint AS fees_minor, sum(s.revenue - s.refunds - s.fees)::bigint AS net_minor
  FROM (SELECT currency, plan_id, 1 AS payments, amount_minor AS revenue, 0 AS refunds, 0 AS fees FROM paid
        UNION ALL SELECT currency, plan_id, 0, 0, amount_minor, 0 FROM back
        UNION ALL SELECT currency, plan_id, 0, 0, 0, fee_minor FROM fees) s
  LEFT JOIN plans n ON n.id = s.plan_id
 GROUP BY 1, 2 ORDER BY 1, 4 DESC, 2
""")


@dataclass(frozen=True)
class PlanMoney:
    currency: str
    plan: str  # empty: no plan
    payments: int
    revenue_minor: int
    refunds_minor: int
    fees_minor: int  # of the charges that are matched; the others' are not known
    net_minor: int


def money_by_plan(session: Session, first_on: date, last_on: date) -> list[PlanMoney]:
    """Of payments paid and refunds paid out on these days (UTC). ix_payments_paid, ix_refunds_settled_at"""
    start = datetime.combine(first_on, time(), UTC)
    end = datetime.combine(last_on + timedelta(days=1), time(), UTC)
    return [PlanMoney(*row) for row in session.execute(BY_PLAN, {"start": start, "end": end})]


# The matches as a file

EXPORT = text("""
SELECT l.account, l.external_id, m.rule, m.rule_version, m.amount_minor, m.currency, m.booked_on,
       coalesce(p.reference, r.reference, b.account || ' ' || b.external_id, '') AS other, m.evidence
  FROM settlement_matches m
  JOIN settlement_lines l ON l.id = m.line_id
  LEFT JOIN payments p ON p.id = m.payment_id
  LEFT JOIN refunds r ON r.id = m.refund_id
  LEFT JOIN settlement_lines b ON b.id = m.bank_line_id
 WHERE m.status = 'active' ORDER BY l.account, l.external_id
""")


def written_matches(session: Session) -> Iterator[str]:
    """Every active match as a line of text, by natural keys: without ids and times of ours, which differ from run to run."""
    for row in session.execute(EXPORT, execution_options={"stream_results": True}):
        evidence = "; ".join(f"{key}={value}" for key, value in sorted(row.evidence.items()))
        yield "|".join(str(each) for each in [*row[:-1], evidence]) + "\n"
