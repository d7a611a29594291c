"""Periods are prepared by one person and closed by another. A closed one never changes and never opens again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.audit import integrity
from guitaronline.billing.reconciliation import proving
from guitaronline.billing.reconciliation.models import UNDECIDED, ReconciliationException
from guitaronline.billing.reconciliation.period_models import PeriodStatus, ReconciliationPeriod
from guitaronline.billing.reconciliation.proving import Proof, Stretch
from guitaronline.billing.reconciliation.refusals import (
    PeriodChanged,
    PeriodClosed,
    PeriodDoesNotAddUp,
    PeriodHasExceptions,
    PeriodNotMatched,
    PeriodNotNext,
    PeriodNotOver,
    PeriodNotPrepared,
    ReviewerIsPreparer,
)
from guitaronline.billing.reconciliation.running import has_news, try_lock
from guitaronline.billing.refusals import require_reason
from guitaronline.billing.settlements.models import SettlementFile
from guitaronline.errors import Busy, NotAllowed, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

TELL_AT_MOST = 20
# The next one has to follow without a gap, so a year that was mistyped could not be left again.
EARLIEST = date(2000, 1, 1)
# The files of the snapshot and no others: what is imported while the period closes was not counted in it.
COUNTED_FILES = text("""
INSERT INTO reconciliation_period_files (id, period_id, file_id)
SELECT gen_random_uuid(), :period, f.id FROM settlement_files f WHERE f.reference = ANY(:files)
""")


@dataclass(frozen=True)
class Readiness:
    """What preparing the period would sign, and what stands in its way."""

    first_on: date
    last_on: date
    proof: Proof
    blockers: list[Reason]
    exceptions: list[ReconciliationException]  # that still wait; TELL_AT_MOST of them


def last_closed(session: Session) -> ReconciliationPeriod | None:
    query = select(ReconciliationPeriod).where(ReconciliationPeriod.status == PeriodStatus.CLOSED)
    return session.scalars(query.order_by(ReconciliationPeriod.last_on.desc()).limit(1)).first()


def closed_within(session: Session, first: date, last: date) -> list[ReconciliationPeriod]:
    """Closed periods that end between these days, in order."""
    query = select(ReconciliationPeriod).where(
        ReconciliationPeriod.status == PeriodStatus.CLOSED, ReconciliationPeriod.last_on.between(first, last)
    )
    return list(session.scalars(query.order_by(ReconciliationPeriod.last_on)))


def is_closed_through(session: Session, last: date) -> bool:
    """Whether everything until that day was signed; a school that imports no files has nothing to sign."""
    closed = last_closed(session)
    if closed is None:
        return session.scalar(select(SettlementFile.id).limit(1)) is None
    return closed.last_on >= last


def readiness(session: Session, first_on: date, last_on: date, *, now: datetime) -> Readiness:
    """A query: the consequences by the rules that decide. Raises PeriodNotNext, PeriodClosed, PeriodNotOver."""
    before = last_closed(session)
    _must_be_next(before, first_on, last_on)
    if last_on >= now.astimezone(ZoneInfo(policy.current().SCHOOL_TIMEZONE)).date():
        raise PeriodNotOver()
    stretch = Stretch(last_on, before.last_on if before else None)
    told = proving.prove(session, stretch, before.snapshot if before else None)
    proof = Proof({"first_on": first_on.isoformat(), **told.snapshot}, told.problems)
    waiting = _waiting(session, last_on)
    blockers = [
        *([Reason("not_matched", PeriodNotMatched.detail)] if has_news(session) else []),
        *(Reason("exception_open", f"{each.reference} still waits for a decision.") for each in waiting),
        *(Reason("does_not_add_up", sentence) for sentence in proof.problems[:TELL_AT_MOST]),
    ]
    return Readiness(first_on, last_on, proof, blockers, waiting)


def _must_be_next(before: ReconciliationPeriod | None, first_on: date, last_on: date) -> None:
    if last_on < first_on or (last_on - first_on).days >= 366:
        raise PeriodNotNext("A period has a first and a last day, and at most a year between them.")
    if first_on < EARLIEST:
        raise PeriodNotNext(f"A period begins on {EARLIEST} or later.")
    if before is not None and first_on <= before.last_on:
        raise PeriodClosed(through=before.last_on.isoformat())
    if before is not None and (first_on - before.last_on).days != 1:
        raise PeriodNotNext(closed_through=before.last_on.isoformat())


def _waiting(session: Session, last_on: date) -> list[ReconciliationException]:
    """ix_reconciliation_exceptions_status"""
    query = select(ReconciliationException).where(
        ReconciliationException.status.in_(UNDECIDED), ReconciliationException.booked_on <= last_on
    )
    return list(session.scalars(query.order_by(ReconciliationException.id).limit(TELL_AT_MOST)))


@command("period.prepare", creates="reconciliation_periods")
def prepare_period(work: Work, *, first_on: date, last_on: date, reason: str | None = None) -> ReconciliationPeriod:
    """The period is proved and its snapshot waits for a reviewer. Told again while it waits: proved anew.

    Holds runs and other closings. Raises PeriodNotNext, PeriodClosed, PeriodNotOver, PeriodNotMatched, PeriodHasExceptions, PeriodDoesNotAddUp."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    _alone(work)
    ready = readiness(work.session, first_on, last_on, now=work.now)
    _refuse(ready)
    period = _period(work, first_on, last_on)
    period.snapshot = ready.proof.snapshot
    period.snapshot_hash = ready.proof.digest
    period.prepared_by, period.prepared_at = work.actor.id, work.now
    if period.status is not PeriodStatus.PREPARED:
        work.move(period, PeriodStatus.PREPARED)
    return period


def _refuse(ready: Readiness) -> None:
    codes = {each.code for each in ready.blockers}
    if "not_matched" in codes:
        raise PeriodNotMatched(reasons=ready.blockers)
    if "exception_open" in codes:
        raise PeriodHasExceptions(reasons=ready.blockers)
    if codes:
        raise PeriodDoesNotAddUp(reasons=ready.blockers)


def _period(work: Work, first_on: date, last_on: date) -> ReconciliationPeriod:
    """The one period that is not closed, or a new one; with these days."""
    query = select(ReconciliationPeriod.id).where(ReconciliationPeriod.status != PeriodStatus.CLOSED)
    waiting = work.session.scalars(query).one_or_none()
    if waiting is not None:
        period = work.lock(ReconciliationPeriod, waiting)
        period.first_on, period.last_on = first_on, last_on
        return period
    period = ReconciliationPeriod(
        id=work.record_id, first_on=first_on, last_on=last_on, status=PeriodStatus.OPEN, snapshot={}
    )
    work.create(period)
    work.session.flush()
    return period


@command("period.send_back", on="reconciliation_periods")
def send_period_back(work: Work, period_id: UUID, *, reason: str | None) -> ReconciliationPeriod:
    """The period is open again and has to be prepared anew. Raises ReasonRequired, IllegalMove."""
    access.require(work.actor, Permission.APPROVE)
    require_reason(reason)
    period = work.lock(ReconciliationPeriod, period_id)
    work.move(period, PeriodStatus.OPEN)
    period.snapshot, period.snapshot_hash = {}, None
    period.prepared_by = period.prepared_at = None
    return period


@command("period.close", on="reconciliation_periods")
def close_period(work: Work, period_id: UUID, *, reason: str | None = None) -> ReconciliationPeriod:
    """A second person has reviewed it: its lines, matches and exceptions stand for good. Told again: no-op.

    Holds runs and other closings. Raises PeriodNotPrepared, ReviewerIsPreparer, PeriodChanged, PeriodNotMatched, PeriodHasExceptions."""
    access.require(work.actor, Permission.APPROVE)
    if work.actor.id is None:
        raise NotAllowed("A period is reviewed by a person.")
    _alone(work)
    period = work.lock(ReconciliationPeriod, period_id)
    if period.status is PeriodStatus.CLOSED:
        return period
    if period.status is not PeriodStatus.PREPARED:
        raise PeriodNotPrepared()
    if period.prepared_by == work.actor.id:
        raise ReviewerIsPreparer()
    ready = readiness(work.session, period.first_on, period.last_on, now=work.now)
    _refuse(ready)
    if ready.proof.digest != period.snapshot_hash:
        raise PeriodChanged()
    period.reviewed_by, period.closed_at = work.actor.id, work.now
    facts: dict[str, Any] = {"period": period.id, "files": period.snapshot["files"]}
    work.move(period, PeriodStatus.CLOSED)
    work.session.execute(COUNTED_FILES, facts)
    return period


def _alone(work: Work) -> None:
    if not try_lock(work.session):
        raise Busy("Matching is at work right now. Try again in a moment.")
    work.session.execute(integrity.LONG)
