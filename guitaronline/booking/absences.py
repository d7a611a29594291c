"""Time off and closures: nothing inside them is offered from the moment they are saved; bookings inside wait for a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.models import Package
from guitaronline.booking import impact
from guitaronline.booking.deciding import carry_out, lock_for_decisions
from guitaronline.booking.decisions import (
    Chosen,
    DecisionInvalid,
    DecisionsNeeded,
    choice_problems,
    pointed,
    undecided_problems,
)
from guitaronline.booking.horizon import regenerate
from guitaronline.booking.impact import Why
from guitaronline.booking.models import Booking
from guitaronline.errors import Conflict, DomainError, Invalid, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, Horizon, TimeOff
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR
from guitaronline.teachers.queries import is_active_teacher
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command, constraint_errors

DAYS_MAX = 366
REASON_LENGTH = 500
NAME_LENGTH = 200


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
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    problems = time_off_problems(start_at, end_at, work.now, reason)
    if problems:
        raise AbsenceInvalid(reasons=problems)
    off = TimeOff(
        id=work.record_id,
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


def closure_times(first_day: date, last_day: date) -> tuple[datetime, datetime]:
    """From the first day's midnight to the one after the last day, in the school's zone."""
    zone = ZoneInfo(policy.current().SCHOOL_TIMEZONE)
    return datetime.combine(first_day, time(), zone), datetime.combine(last_day + timedelta(days=1), time(), zone)


def school_day(now: datetime) -> date:
    """The day that it is at the school."""
    return now.astimezone(ZoneInfo(policy.current().SCHOOL_TIMEZONE)).date()


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


def ask_all_again(session: Session, now: datetime) -> None:
    """The job looks at every teacher's horizon at its next tick."""
    session.execute(update(Horizon).where(Horizon.due_at > now).values(due_at=now))


def time_off_problems(start_at: datetime, end_at: datetime, now: datetime, reason: str | None = None) -> list[Reason]:
    """A rule: everything that keeps these times from being time off."""
    found = [
        reason
        for field, moment in (("start_at", start_at), ("end_at", end_at))
        for reason in _moment_problems(field, moment)
    ]
    if not found and end_at <= start_at:
        found.append(Reason("ends_before_start", "It ends before it starts.", pointer="/end_at"))
    if not found and end_at <= now:
        found.append(Reason("in_the_past", "These times have passed.", pointer="/end_at"))
    if not found and end_at - start_at > timedelta(days=DAYS_MAX):
        found.append(Reason("too_long", f"At most {DAYS_MAX} days at a time.", pointer="/end_at"))
    if len(reason or "") > REASON_LENGTH:
        found.append(Reason("reason_too_long", f"At most {REASON_LENGTH} characters.", pointer="/reason"))
    return found


def _moment_problems(field: str, moment: datetime) -> list[Reason]:
    if moment.utcoffset() is None:
        return [Reason("naive_time", "A time needs its offset from UTC.", pointer=f"/{field}")]
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        detail = f"Times lie between the years {FIRST_YEAR} and {LAST_YEAR}."
        return [Reason("time_out_of_range", detail, pointer=f"/{field}")]
    return []


def closure_problems(name: str, first_day: date, last_day: date, *, today: date) -> list[Reason]:
    """A rule: everything that keeps these days from being a closure."""
    found = []
    if not 1 <= len(name.strip()) <= NAME_LENGTH:
        found.append(Reason("bad_name", f"The name has 1 to {NAME_LENGTH} characters.", pointer="/name"))
    if not (FIRST_YEAR < first_day.year < LAST_YEAR and FIRST_YEAR < last_day.year < LAST_YEAR):
        detail = f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}."
        found.append(Reason("time_out_of_range", detail, pointer="/first_day"))
    elif last_day < first_day:
        found.append(Reason("days_reversed", "The last day is before the first.", pointer="/last_day"))
    elif last_day < today:
        found.append(Reason("in_the_past", "These days are over.", pointer="/last_day"))
    elif (last_day - first_day).days >= DAYS_MAX:
        found.append(Reason("too_many_days", f"At most {DAYS_MAX} days at a time.", pointer="/last_day"))
    return found
