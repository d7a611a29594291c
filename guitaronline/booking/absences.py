"""Time off and closures: nothing inside them is offered from the moment they are saved; bookings inside wait for a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from guitaronline.billing.models import Package
from guitaronline.booking import impact
from guitaronline.booking.absence_rules import closure_problems, closure_times, school_day, time_off_problems
from guitaronline.booking.deciding import carry_out, lock_for_decisions
from guitaronline.booking.decisions import (
    Chosen,
    DecisionInvalid,
    DecisionsNeeded,
    choice_problems,
    pointed,
    undecided_problems,
)
from guitaronline.booking.horizon import look_again, regenerate
from guitaronline.booking.impact import Why
from guitaronline.booking.models import Booking
from guitaronline.errors import Conflict, DomainError, Invalid
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.teachers.queries import is_active_teacher
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command, constraint_errors


class AbsenceInvalid(Invalid):
    detail = "These times cannot be time off."


class ClosureInvalid(Invalid):
    detail = "These days cannot be a closure."


class AbsenceOver(Conflict):
    detail = "This time has passed; it cannot be called off any more."


class ClosureKnown(Conflict):
    detail = "This holiday was imported before."


constraint_errors["uq_closures_uid"] = ClosureKnown


@command("time_off.create", creates="time_off")
def create_time_off(
    work: Work,
    *,
    teacher_id: UUID,
    start_at: datetime,
    end_at: datetime,
    reason: str | None = None,
    decisions: Sequence[Chosen] | None = None,
) -> TimeOff:
    """The teacher is away then: nothing of theirs is offered, generated slots are gone, and what was decided about bookings
    inside is done. The others wait for a decision.

    `decisions`: one for every booking inside (`later` is one); None leaves them all for later. All or nothing. Locks as
    `lock_for_decisions`. Raises AbsenceInvalid, DecisionInvalid, DecisionsNeeded, NotATeacher, TeacherNotActive, and what a
    move may meet."""
    return be_away(
        work,
        work.record_id,
        teacher_id=teacher_id,
        start_at=start_at,
        end_at=end_at,
        reason=reason,
        decisions=decisions,
    )


def be_away(
    work: Work,
    time_off_id: UUID,
    *,
    teacher_id: UUID,
    start_at: datetime,
    end_at: datetime,
    reason: str | None,
    decisions: Sequence[Chosen] | None = None,
) -> TimeOff:
    """A step: the same inside somebody's transaction that has locked nothing yet. The actor's right is asked for."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    problems = time_off_problems(start_at, end_at, work.now, reason)
    if problems:
        raise AbsenceInvalid(reasons=problems)
    off = TimeOff(
        id=time_off_id,
        teacher_id=teacher_id,
        start_at=start_at,
        end_at=end_at,
        reason=(reason or "").strip() or None,
        status=AbsenceStatus.PLANNED,
    )
    asked = decisions or []
    packages = lock_for_decisions(
        work, asked, impact.affected(work.session, teacher_id, start_at, end_at, work.now), away=off
    )
    teacher = require_active_teacher(work, teacher_id)
    inside = {each.id: each for each in impact.affected(work.session, teacher_id, start_at, end_at, work.now)}
    wrong = choice_problems(work, asked, list(inside.values()))
    if wrong:
        raise DecisionInvalid(reasons=wrong)
    missing = [] if decisions is None else undecided_problems(asked, list(inside.values()))
    if missing:
        raise DecisionsNeeded(reasons=missing)
    work.create(off, teacher_id=str(teacher_id))
    work.session.flush()  # a move must see it: its target may not lie inside
    for number, chosen in enumerate(asked):
        _decide(work, number, chosen, inside[chosen.booking_id], packages, off)
    work.session.flush()
    regenerate(work, teacher)
    return off


def _decide(  # noqa: PLR0917
    work: Work, number: int, chosen: Chosen, booking: Booking, packages: dict[UUID, Package], off: TimeOff
) -> None:
    """One of the decisions is done. The teacher's own words stay with the time off: the student does not read them."""
    try:
        carry_out(work, chosen, booking, packages, [Why(off)], reason=None)
    except DomainError as refusal:
        raise pointed(refusal, number, chosen) from None


@command("time_off.cancel", on="time_off")
def cancel_time_off(work: Work, time_off_id: UUID, *, reason: str | None = None) -> TimeOff:
    """The teacher is there after all; the hours' slots are back where nothing else lies. What was kept in spite of it, or
    still waited because of it, is an ordinary booking again; what was moved or canceled stays so. Repeat: no-op.

    Locks the teacher, then the time off. Raises AbsenceOver."""
    known = work.find(TimeOff, time_off_id)
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == known.teacher_id)
    teacher = work.lock(User, known.teacher_id)
    off = work.lock(TimeOff, time_off_id)
    if off.status is AbsenceStatus.CANCELED:
        return off
    if off.end_at <= work.now:
        raise AbsenceOver(ended_at=off.end_at)
    work.move(off, AbsenceStatus.CANCELED, teacher_id=str(off.teacher_id))
    work.session.flush()
    if is_active_teacher(work.session, teacher.id):  # of one who is not, nothing is offered anyway
        regenerate(work, teacher)
    return off


@command("closure.create", creates="closures")
def create_closure(
    work: Work, *, name: str, first_day: date, last_day: date, uid: str | None = None, reason: str | None = None
) -> Closure:
    """The school gives no lessons on these days of its calendar. Slots inside are not offered from now on; the job takes
    the generated ones away. Raises ClosureInvalid, ClosureKnown."""
    access.require(work.actor, Permission.MANAGE_SLOTS)
    problems = closure_problems(name, first_day, last_day, today=school_day(work.now))
    if problems:
        raise ClosureInvalid(reasons=problems)
    closure = new_closure(work, work.record_id, name=name, first_day=first_day, last_day=last_day, uid=uid)
    ask_all_again(work.session, work.now)
    return closure


def new_closure(
    work: Work, closure_id: UUID, *, name: str, first_day: date, last_day: date, uid: str | None
) -> Closure:
    """A step: the closure of these days, which have no problems, stands."""
    start, end = closure_times(first_day, last_day)
    closure = Closure(
        id=closure_id, name=name.strip(), first_day=first_day, last_day=last_day, start_at=start, end_at=end, uid=uid,
        status=AbsenceStatus.PLANNED,
    )  # fmt: skip
    work.create(closure)
    return closure


@command("closure.cancel", on="closures")
def cancel_closure(work: Work, closure_id: UUID, *, reason: str | None = None) -> Closure:
    """Lessons are given on these days after all; bookings that were kept in spite of it, or waited because of it, are
    ordinary ones again. Repeat: no-op. Raises AbsenceOver."""
    access.require(work.actor, Permission.MANAGE_SLOTS)
    closure = work.lock(Closure, closure_id)
    if closure.status is AbsenceStatus.CANCELED:
        return closure
    if closure.end_at <= work.now:
        raise AbsenceOver(ended_at=closure.end_at)
    work.move(closure, AbsenceStatus.CANCELED)
    ask_all_again(work.session, work.now)
    return closure


def time_off_of(
    session: Session,
    teacher_id: UUID,
    *,
    after: tuple[datetime, UUID] | None = None,
    offset: int = 0,
    limit: int = 20,
) -> list[TimeOff]:
    """When the teacher is away or was, the latest first; `after`: end and id of the last one seen. ix_time_off_teacher_end"""
    query = select(TimeOff).where(TimeOff.teacher_id == teacher_id, TimeOff.status == AbsenceStatus.PLANNED)
    if after is not None:
        query = query.where(tuple_(TimeOff.end_at, TimeOff.id) < after)
    return list(session.scalars(query.order_by(TimeOff.end_at.desc(), TimeOff.id.desc()).offset(offset).limit(limit)))


def ask_all_again(session: Session, now: datetime) -> None:
    """The job looks at every teacher's horizon at its next tick."""
    session.flush()  # the absence first: who plans next must see it
    look_again(session, now)
