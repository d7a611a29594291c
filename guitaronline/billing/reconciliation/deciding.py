"""What people decide about exceptions: accept a candidate, split, ignore, write off, escalate; and take it back until the period closes.

Locks: no run and no closing (advisory, shared), then the payments or the refund, the lines (each in the order of their ids), the
exception, the match, then inserts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.billing import rules as billing_rules
from guitaronline.billing.models import Payment, Refund
from guitaronline.billing.reconciliation import rules
from guitaronline.billing.reconciliation.models import (
    UNDECIDED,
    Category,
    ExceptionStatus,
    Match,
    MatchPart,
    MatchStatus,
    ReconciliationException,
    Rule,
)
from guitaronline.billing.reconciliation.period_models import PeriodFile, PeriodStatus, ReconciliationPeriod
from guitaronline.billing.reconciliation.refusals import (
    AlreadyMatched,
    ExceptionDecided,
    ExceptionNotDecided,
    MatchUndone,
    NoPersonalOwner,
    NothingToMatch,
    PeriodClosed,
    SidesDiffer,
    SplitTooSmall,
    WriteOffTooLarge,
)
from guitaronline.billing.reconciliation.running import LOCK
from guitaronline.billing.refusals import require_reason
from guitaronline.billing.settlements.models import LineKind, SettlementLine, Side
from guitaronline.errors import NotAllowed
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command

INCOMING = frozenset({LineKind.CHARGE, LineKind.BANK_CREDIT})
OUTGOING = frozenset({LineKind.REFUND, LineKind.BANK_DEBIT})
MOST_PARTS = 20
# What is over when its line, or its payment, stands in a match. A wrong fee or sum stays wrong whatever the line is matched with.
ANSWERED_BY_A_MATCH = frozenset(
    {
        Category.MISSING_THERE,
        Category.MISSING_HERE,
        Category.AMOUNT,
        Category.CURRENCY,
        Category.DUPLICATE,
        Category.UNKNOWN_REFUND,
        Category.PAYOUT_NOT_IN_BANK,
        Category.AMBIGUOUS,
    }
)
NO_ANSWER = "A match does not answer this: it is not about what the line is."


def closed_through(session: Session) -> date | None:
    """The last day that is closed; None before the first close."""
    query = select(func.max(ReconciliationPeriod.last_on)).where(ReconciliationPeriod.status == PeriodStatus.CLOSED)
    return session.scalar(query)


@command("exception.accept", on="reconciliation_exceptions")
def accept_candidate(
    work: Work, exception_id: UUID, *, other_id: UUID, reason: str | None = None
) -> ReconciliationException:
    """The exception's line is that payment, refund or bank line (or its payment that line), and the exception is resolved.

    Raises ExceptionDecided, NothingToMatch, SidesDiffer, AlreadyMatched, PeriodClosed."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    _hold_periods(work)
    seen = _answerable(work, exception_id)
    line = work.find(SettlementLine, seen.line_id or other_id)
    sides = _sides(work, line, other_id if seen.line_id else seen.refund_id or seen.payment_id or other_id)
    exception = _undecided(work, exception_id)
    match = _make_match(work, line, Rule.PERSON, because=reason, **sides)
    _decide(work, exception, ExceptionStatus.RESOLVED, reason or "a candidate was accepted", match)
    return exception


def _answerable(work: Work, exception_id: UUID) -> ReconciliationException:
    """The exception, unlocked. Raises NothingToMatch for what no match would answer."""
    seen = work.find(ReconciliationException, exception_id)
    if seen.category not in ANSWERED_BY_A_MATCH:
        raise NothingToMatch(NO_ANSWER)
    return seen


def _sides(work: Work, line: SettlementLine, other_id: UUID) -> dict[str, UUID]:
    """What the line is said to be, both locked and free, equal to the minor unit."""
    if line.kind in INCOMING and line.amount_minor > 0:
        payment = work.lock(Payment, other_id)
        _must_equal(line.amount_minor == payment.amount_minor and line.currency == payment.currency)
        _must_be_free(work, [payment.id])
        _lock_lines(work, line.id)
        return {"payment_id": payment.id}
    if line.kind in OUTGOING:
        refund = work.lock(Refund, other_id)
        is_its_way = line.amount_minor < 0 or refund.returned_at is not None
        _must_equal(is_its_way and abs(line.amount_minor) == refund.amount_minor and line.currency == refund.currency)
        _lock_lines(work, line.id)
        return {"refund_id": refund.id}
    if line.kind is LineKind.PAYOUT:
        bank_line = work.find(SettlementLine, other_id)
        if bank_line.side is not Side.BANK:
            raise NothingToMatch()
        _must_equal(-line.net_minor == bank_line.amount_minor and line.currency == bank_line.currency)
        _lock_lines(work, line.id, bank_line.id)
        return {"bank_line_id": bank_line.id}
    raise NothingToMatch()


def _lock_lines(work: Work, *line_ids: UUID) -> None:
    """Whoever makes another match of one of them, on either side, comes before or after this unit. Raises PeriodClosed: what a
    closed period counted as it was stays so, and so does what it counted as on its way."""
    for line in work.lock_all(SettlementLine, line_ids):
        if _holds(work.session, line.file_id, line.booked_on):
            raise PeriodClosed(
                "A closed period counted this line as it is. Ignore or write off what is left, with a reason."
            )


@command("exception.split", on="reconciliation_exceptions")
def split_line(
    work: Work, exception_id: UUID, *, payment_ids: Sequence[UUID], reason: str | None = None
) -> ReconciliationException:
    """The exception's line pays all of these payments together, and the exception is resolved.

    Raises ExceptionDecided, NothingToMatch, SplitTooSmall, SidesDiffer, AlreadyMatched, PeriodClosed."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    if not 2 <= len(set(payment_ids)) == len(payment_ids) <= MOST_PARTS:
        raise SplitTooSmall()
    _hold_periods(work)
    seen = _answerable(work, exception_id)
    if seen.line_id is None:
        raise NothingToMatch()
    line = work.find(SettlementLine, seen.line_id)
    if line.kind not in INCOMING:
        raise NothingToMatch()
    payments = work.lock_all(Payment, payment_ids)
    same_currency = all(each.currency == line.currency for each in payments)
    _must_equal(same_currency and sum(each.amount_minor for each in payments) == line.amount_minor)
    _must_be_free(work, [each.id for each in payments])
    _lock_lines(work, line.id)
    exception = _undecided(work, exception_id)
    match = _make_match(work, line, Rule.SPLIT, because=reason)
    work.session.flush()
    for each in payments:
        work.add(
            MatchPart(match_id=match.id, payment_id=each.id, amount_minor=each.amount_minor, currency=each.currency)
        )
    _decide(work, exception, ExceptionStatus.RESOLVED, reason or "split between payments", match)
    return exception


@command("exception.ignore", on="reconciliation_exceptions")
def ignore_exception(work: Work, exception_id: UUID, *, reason: str | None) -> ReconciliationException:
    """It is said why it does not matter. Locks the exception. Raises ReasonRequired, ExceptionDecided."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    exception = _undecided(work, exception_id)
    _decide(work, exception, ExceptionStatus.IGNORED, said)
    return exception


@command("exception.write_off", on="reconciliation_exceptions")
def write_off(work: Work, exception_id: UUID, *, reason: str | None) -> ReconciliationException:
    """The difference is given up, within the limit of the actor's role. Raises ReasonRequired, ExceptionDecided, WriteOffTooLarge."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    exception = _undecided(work, exception_id)
    limit = rules.write_off_limit(work.actor)
    if exception.value_minor > limit:
        raise WriteOffTooLarge(limit=limit, asked=exception.value_minor)
    _decide(work, exception, ExceptionStatus.WRITTEN_OFF, said)
    return exception


@command("exception.escalate", on="reconciliation_exceptions")
def escalate(work: Work, exception_id: UUID, *, owner_id: UUID, reason: str | None) -> ReconciliationException:
    """Its owner has to decide it. To somebody else later: once more. Raises ReasonRequired, ExceptionDecided, NoPersonalOwner."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    require_reason(reason)
    owner = work.find(User, owner_id)
    if owner.role not in (Role.FINANCE, Role.ADMIN) or not owner.is_active:
        raise NoPersonalOwner()
    exception = _undecided(work, exception_id)
    exception.owner_id = owner.id
    if exception.status is ExceptionStatus.OPEN:
        work.move(exception, ExceptionStatus.ESCALATED)
    return exception


@command("exception.undo", on="reconciliation_exceptions")
def undo_decision(work: Work, exception_id: UUID, *, reason: str | None) -> ReconciliationException:
    """It is open again, and a match that resolved it is undone. Until its period closes.

    Raises ReasonRequired, ExceptionNotDecided, PeriodClosed."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    _hold_periods(work)
    exception = work.lock(ReconciliationException, exception_id)
    if exception.status is ExceptionStatus.OPEN:
        raise ExceptionNotDecided()
    _must_be_open(work, exception.booked_on)
    if exception.match_id is not None:
        _undo(work, work.lock(Match, exception.match_id), said)
    _open_again(work, exception)
    return exception


def _open_again(work: Work, exception: ReconciliationException) -> None:
    exception.decided_at = exception.decided_by = exception.decided_because = exception.match_id = None
    exception.owner_id = None
    work.move(exception, ExceptionStatus.OPEN)


@command("match.undo", on="settlement_matches")
def undo_match(work: Work, match_id: UUID, *, reason: str | None) -> Match:
    """The match is undone and not made again by itself, and the exception that it resolved is open again. Until its period closes.

    Raises ReasonRequired, MatchUndone, PeriodClosed."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    _hold_periods(work)
    resolved = _resolved_by(work, work.find(Match, match_id))
    match = work.lock(Match, match_id)
    if match.status is MatchStatus.UNDONE:
        raise MatchUndone()
    for exception in resolved:
        exception.booked_on = _open_day(work, exception.booked_on)
        _open_again(work, exception)
    _undo(work, match, said)
    return match


def _resolved_by(work: Work, match: Match) -> list[ReconciliationException]:
    """The exception that a person resolved with this match, locked: its page undoes the same. ix_reconciliation_exceptions_match"""
    of = ReconciliationException
    return work.lock_all(of, work.session.scalars(select(of.id).where(of.match_id == match.id)))


def is_closed(session: Session, match: Match) -> bool:
    """Whether a closed period holds the match's line."""
    return _holds(session, match.file_id, match.booked_on)


def _holds(session: Session, file_id: UUID, day: date) -> bool:
    through = counted_through(session, [file_id]).get(file_id)
    return through is not None and day <= through


def counted_through(session: Session, file_ids: Collection[UUID]) -> dict[UUID, date]:
    """Of files that closed periods counted: the last day of them."""
    query = (
        select(PeriodFile.file_id, func.max(ReconciliationPeriod.last_on))
        .join(ReconciliationPeriod, ReconciliationPeriod.id == PeriodFile.period_id)
        .where(PeriodFile.file_id.in_(file_ids), ReconciliationPeriod.status == PeriodStatus.CLOSED)
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(PeriodFile.file_id))}


def _undo(work: Work, match: Match, because: str) -> None:
    if match.status is MatchStatus.UNDONE:
        return
    if is_closed(work.session, match):
        raise PeriodClosed()
    if work.actor.id is None:
        raise NotAllowed("A match is undone by a person, or by a run.")
    match.undone_at, match.undone_by, match.undone_because = work.now, work.actor.id, because
    work.move(match, MatchStatus.UNDONE)
    parts = update(MatchPart).where(MatchPart.match_id == match.id).values(is_active=False)
    work.session.execute(parts, execution_options={"synchronize_session": False})


def _make_match(work: Work, line: SettlementLine, rule: Rule, *, because: str | None, **sides: UUID) -> Match:
    if work.actor.id is None:
        raise NotAllowed("A candidate is accepted by a person.")
    evidence: dict[str, Any] = {"because": billing_rules.said(because)}
    match = Match(
        rule=rule,
        rule_version=rules.VERSION,
        line_id=line.id,
        amount_minor=line.amount_minor,
        currency=line.currency,
        booked_on=line.booked_on,
        file_id=line.file_id,
        evidence=evidence,
        status=MatchStatus.ACTIVE,
        matched_at=work.now,
        matched_by=work.actor.id,
        **sides,
    )
    work.create(match)
    return match


def _decide(
    work: Work, exception: ReconciliationException, decision: ExceptionStatus, because: str, match: Match | None = None
) -> None:
    if match is not None:
        work.session.flush()  # the match stands before the exception points to it
        exception.match_id = match.id
    exception.decided_at, exception.decided_by, exception.decided_because = work.now, work.actor.id, because
    work.move(exception, decision)


def _undecided(work: Work, exception_id: UUID) -> ReconciliationException:
    exception = work.lock(ReconciliationException, exception_id)
    if exception.status not in UNDECIDED:
        raise ExceptionDecided(status=exception.status.value)
    return exception


def _must_equal(equal: bool) -> None:
    if not equal:
        raise SidesDiffer()


def _must_be_free(work: Work, payment_ids: Sequence[UUID]) -> None:
    """In no active match, whole or as a part. The payments are locked."""
    whole = select(Match.id).where(Match.payment_id.in_(payment_ids), Match.status == MatchStatus.ACTIVE)
    part = select(MatchPart.id).where(MatchPart.payment_id.in_(payment_ids), MatchPart.is_active)
    if work.session.scalars(whole.union_all(part).limit(1)).first() is not None:
        raise AlreadyMatched()


def _open_day(work: Work, day: date) -> date:
    """What waits again is a fact of the first day that is not closed."""
    through = closed_through(work.session)
    return day if through is None else max(day, through + timedelta(days=1))


def _must_be_open(work: Work, day: date) -> None:
    through = closed_through(work.session)
    if through is not None and day <= through:
        raise PeriodClosed(through=through.isoformat())


def _hold_periods(work: Work) -> None:
    """No run is at work and no period closes before this unit ends. Waits for one that is; raises Busy when it takes long."""
    work.session.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": LOCK})
