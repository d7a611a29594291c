"""Time off and closures: nothing inside them is offered from the moment they are saved; bookings inside wait for a decision."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.booking.horizon import look_again, regenerate
from guitaronline.errors import Conflict, Invalid, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command, constraint_errors

DAYS_MAX = 366
REASON_LENGTH = 500
NAME_LENGTH = 200


class AbsenceInvalid(Invalid):
    detail = "These times cannot be time off."


class ClosureInvalid(Invalid):
    detail = "These days cannot be a closure."


class ClosureKnown(Conflict):
    detail = "This holiday was imported before."


constraint_errors["uq_closures_uid"] = ClosureKnown


@command("time_off.create", creates="time_off")
def create_time_off(
    work: Work, *, teacher_id: UUID, start_at: datetime, end_at: datetime, reason: str | None = None
) -> TimeOff:
    """The teacher is away then: nothing of theirs is offered, generated slots are gone. Bookings inside wait for a decision.

    Locks the teacher. Raises AbsenceInvalid, NotATeacher, TeacherNotActive."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    problems = time_off_problems(start_at, end_at, work.now, reason)
    if problems:
        raise AbsenceInvalid(reasons=problems)
    teacher = require_active_teacher(work, teacher_id)
    off = TimeOff(
        id=work.record_id,
        teacher_id=teacher_id,
        start_at=start_at,
        end_at=end_at,
        reason=(reason or "").strip() or None,
        status=AbsenceStatus.PLANNED,
    )
    work.create(off, teacher_id=str(teacher_id))
    work.session.flush()
    regenerate(work, teacher)
    return off


@command("time_off.cancel", on="time_off")
def cancel_time_off(work: Work, time_off_id: UUID, *, reason: str | None = None) -> TimeOff:
    """The teacher is there after all; the hours' slots are back where nothing else lies. Repeat: no-op."""
    known = work.find(TimeOff, time_off_id)
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == known.teacher_id)
    teacher = require_active_teacher(work, known.teacher_id)
    off = work.lock(TimeOff, time_off_id)
    if off.status is AbsenceStatus.PLANNED:
        work.move(off, AbsenceStatus.CANCELED, teacher_id=str(off.teacher_id))
        work.session.flush()
        regenerate(work, teacher)
    return off


@command("closure.create", creates="closures")
def create_closure(
    work: Work, *, name: str, first_day: date, last_day: date, uid: str | None = None, reason: str | None = None
) -> Closure:
    """The school gives no lessons on these days of its calendar. Slots inside are not offered from now on; the job takes
    the generated ones away. Raises ClosureInvalid, ClosureKnown."""
    access.require(work.actor, Permission.MANAGE_SLOTS)
    problems = closure_problems(name, first_day, last_day)
    if problems:
        raise ClosureInvalid(reasons=problems)
    zone = ZoneInfo(policy.current().SCHOOL_TIMEZONE)
    closure = Closure(
        id=work.record_id,
        name=name.strip(),
        first_day=first_day,
        last_day=last_day,
        start_at=datetime.combine(first_day, time(), zone),
        end_at=datetime.combine(last_day + timedelta(days=1), time(), zone),
        uid=uid,
        status=AbsenceStatus.PLANNED,
    )
    work.create(closure)
    work.session.flush()
    ask_all_again(work.session, work.now)
    return closure


@command("closure.cancel", on="closures")
def cancel_closure(work: Work, closure_id: UUID, *, reason: str | None = None) -> Closure:
    """Lessons are given on these days after all. Repeat: no-op."""
    access.require(work.actor, Permission.MANAGE_SLOTS)
    closure = work.lock(Closure, closure_id)
    if closure.status is AbsenceStatus.PLANNED:
        work.move(closure, AbsenceStatus.CANCELED)
        ask_all_again(work.session, work.now)
    return closure


def ask_all_again(session: Session, now: datetime) -> None:
    """The job looks at every teacher's horizon at its next tick."""
    look_again(session, now)


def time_off_problems(start_at: datetime, end_at: datetime, now: datetime, reason: str | None = None) -> list[Reason]:
    """A rule: everything that keeps these times from being time off."""
    found = [
        Reason("time_out_of_range", f"Times lie in the years {FIRST_YEAR} to {LAST_YEAR}.", pointer=f"/{field}")
        for field, moment in (("start_at", start_at), ("end_at", end_at))
        if not FIRST_YEAR < moment.year < LAST_YEAR
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


def closure_problems(name: str, first_day: date, last_day: date) -> list[Reason]:
    """A rule: everything that keeps these days from being a closure."""
    found = []
    if not 1 <= len(name.strip()) <= NAME_LENGTH:
        found.append(Reason("bad_name", f"The name has 1 to {NAME_LENGTH} characters.", pointer="/name"))
    if not (FIRST_YEAR < first_day.year < LAST_YEAR and FIRST_YEAR < last_day.year < LAST_YEAR):
        detail = f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}."
        found.append(Reason("time_out_of_range", detail, pointer="/first_day"))
    elif last_day < first_day:
        found.append(Reason("days_reversed", "The last day is before the first.", pointer="/last_day"))
    elif (last_day - first_day).days >= DAYS_MAX:
        found.append(Reason("too_many_days", f"At most {DAYS_MAX} days at a time.", pointer="/last_day"))
    return found
