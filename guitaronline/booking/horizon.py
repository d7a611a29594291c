"""Weekly hours become slots: at once when anything changes, and every night for the days that come into reach.

Only future open generated slots that no booking occupies are ever replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from guitaronline import db, policy
from guitaronline.actor import Role
from guitaronline.booking import facts
from guitaronline.errors import Invalid
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling import planning
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, Horizon, TimeOff, WeeklyHours
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.scheduling.planning import Absence, Plan, Standing
from guitaronline.scheduling.rules import Window
from guitaronline.teachers.queries import is_active_teacher
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command

DAY = timedelta(days=1)


class HoursInvalid(Invalid):
    detail = "These hours cannot be a teacher's week."


@dataclass(frozen=True)
class Regenerated:
    """What became of the teacher's slots, from now to the horizon. `plan.kept` and `plan.skipped` say why."""

    teacher_id: UUID
    plan: Plan

    @property
    def is_changed(self) -> bool:
        return bool(self.plan.make or self.plan.remove)


@command("schedule.set", on="users")
def set_hours(work: Work, teacher_id: UUID, *, windows: Sequence[Window], reason: str | None = None) -> Regenerated:
    """The teacher's week is these windows, and the slots up to the horizon follow at once. Repeat: no-op.

    Locks the teacher. Raises HoursInvalid with every reason, NotATeacher, TeacherNotActive."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    problems = planning.hours_problems(windows)
    if problems:
        raise HoursInvalid(reasons=problems)
    teacher = require_active_teacher(work, teacher_id)
    if sorted(map(_row, windows), key=str) != sorted(map(_row, hours_of(work.session, teacher_id)), key=str):
        work.session.execute(delete(WeeklyHours).where(WeeklyHours.teacher_id == teacher_id))
        for window in windows:
            work.add(WeeklyHours(teacher_id=teacher_id, **_row(window)))
        work.session.flush()
    return regenerate(work, teacher)


@command("schedule.regenerate", on="users")
def regenerate_slots(work: Work, teacher_id: UUID, *, reason: str | None = None) -> Regenerated:
    """The teacher's slots are what the hours ask for, whatever has changed around them. Locks the teacher."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    return regenerate(work, require_active_teacher(work, teacher_id))


def regenerate(work: Work, teacher: User) -> Regenerated:
    """A step: the same inside somebody's transaction that has locked the teacher. One of no hours offers nothing."""
    zone = ZoneInfo(teacher.timezone)
    today = work.now.astimezone(zone).date()
    last_day = last_day_of(work.now, zone)
    made = _make_plan(work, teacher, zone, today - DAY, last_day)
    if made.remove:
        made = _under_lock(work, made)
        work.move_all(Slot, [each.slot_id for each in made.remove], SlotStatus.OPEN, SlotStatus.WITHDRAWN,
                      origin=SlotOrigin.REPLACED)  # fmt: skip
    if made.make:
        work.session.execute(insert(Slot), [_slot(work, teacher, place) for place in made.make])
    result = Regenerated(teacher.id, made)
    if result.is_changed:
        work.emit("schedule.regenerated", teacher, made=len(made.make), removed=len(made.remove))
    next_night = datetime.combine(today + DAY, datetime.min.time(), zone)
    remember(work.session, teacher.id, zone=teacher.timezone, until=last_day, due_at=next_night)
    return result


def last_day_of(now: datetime, zone: ZoneInfo) -> date:
    """The last day that is turned into slots: one more than is offered now, so that the next day finds it there."""
    return (now + timedelta(days=policy.current().BOOKING_HORIZON_DAYS)).astimezone(zone).date() + DAY


def remember(session: Session, teacher_id: UUID, **facts_: Any) -> None:
    """The bookkeeping of one teacher's horizon."""
    statement = upsert(Horizon).values(teacher_id=teacher_id, **facts_)
    session.execute(statement.on_conflict_do_update(index_elements=["teacher_id"], set_=facts_))


def hours_of(session: Session, teacher_id: UUID) -> list[Window]:
    """The teacher's week, Monday first. ix_weekly_hours_teacher_id"""
    query = select(WeeklyHours).where(WeeklyHours.teacher_id == teacher_id)
    rows = session.scalars(query.order_by(WeeklyHours.weekday, WeeklyHours.start_local, WeeklyHours.id))
    return [
        Window(
            frozenset([row.weekday]),
            row.start_local,
            row.end_local,
            row.lesson_minutes,
            row.buffer_minutes,
            row.valid_from,
            row.valid_until,
        )
        for row in rows
    ]


def absences_of(session: Session, teacher_id: UUID, *, start: datetime, end: datetime) -> list[Absence]:
    """The teacher's time off and the school's closures that touch `[start, end)`. ix_time_off_teacher_end, ix_closures_end"""
    off = select(TimeOff.start_at, TimeOff.end_at).where(
        TimeOff.teacher_id == teacher_id, TimeOff.status == AbsenceStatus.PLANNED
    )
    closed = select(Closure.start_at, Closure.end_at, Closure.name).where(Closure.status == AbsenceStatus.PLANNED)
    away = session.execute(off.where(TimeOff.end_at > start, TimeOff.start_at < end))
    shut = session.execute(closed.where(Closure.end_at > start, Closure.start_at < end))
    return [
        *(Absence(row.start_at, row.end_at, "time_off", "The teacher is away.") for row in away),
        *(Absence(row.start_at, row.end_at, "closure", f"The school is closed: {row.name}.") for row in shut),
    ]


def preview_hours(session: Session, teacher: User, windows: Sequence[Window], now: datetime) -> Plan:
    """What `set_hours` would do now; the windows have no problems."""
    zone = ZoneInfo(teacher.timezone)
    return _plan(session, teacher.id, windows, zone, now.astimezone(zone).date() - DAY, last_day_of(now, zone), now)


def _make_plan(work: Work, teacher: User, zone: ZoneInfo, first_day: date, last_day: date) -> Plan:
    windows = hours_of(work.session, teacher.id)
    return _plan(work.session, teacher.id, windows, zone, first_day, last_day, work.now)


def _plan(  # noqa: PLR0917
    session: Session,
    teacher_id: UUID,
    windows: Sequence[Window],
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
    now: datetime,
) -> Plan:
    end = datetime.combine(last_day + 2 * DAY, datetime.min.time(), zone)
    known = select(Slot).where(Slot.teacher_id == teacher_id, Slot.start_at > now - facts.LONGEST)
    slots = list(session.scalars(known, execution_options=facts.FRESH))  # ix_availability_slots_teacher_start
    standing = [each for each in slots if each.status is not SlotStatus.WITHDRAWN]
    occupied = facts.read_standing(session, [each.id for each in standing])
    return planning.plan(
        windows,
        zone,
        first_day=first_day,
        last_day=last_day,
        now=now,
        absences=absences_of(session, teacher_id, start=now, end=end),
        standing=[_standing(each, each.id in occupied, now) for each in standing],
        withdrawn=frozenset(
            (each.start_at, each.end_at)
            for each in slots
            if each.status is SlotStatus.WITHDRAWN and each.origin is SlotOrigin.GENERATED
        ),
    )


def _standing(slot: Slot, is_occupied: bool, now: datetime) -> Standing:
    because = {
        slot.origin is SlotOrigin.MADE: "made_by_hand",
        slot.status is SlotStatus.BLOCKED: "blocked",
        is_occupied: "occupied",
        slot.start_at <= now: "begun",
    }.get(True)
    return Standing(slot.id, slot.reference, slot.start_at, slot.end_at, slot.ends_busy, because)


def _under_lock(work: Work, plan: Plan) -> Plan:
    """Whoever holds one of these slots has locked it: with the locks ours, look again, and keep what is occupied now."""
    slots = {each.id: each for each in work.lock_all(Slot, [each.slot_id for each in plan.remove])}
    occupied = facts.read_standing(work.session, list(slots))
    now_standing = [_standing(slots[each.slot_id], each.slot_id in occupied, work.now) for each in plan.remove]
    kept = [each for each in now_standing if each.stays_because]
    make = [place for place in plan.make if not any(_touch(place, each) for each in kept)]
    return replace(
        plan, make=make, remove=[each for each in now_standing if not each.stays_because], kept=plan.kept + kept
    )


def _touch(place: Any, other: Standing) -> bool:
    return bool(place.start_at < other.busy_until and other.start_at < place.busy_until)


def _slot(work: Work, teacher: User, place: Any) -> dict[str, Any]:
    Slot.states.event(None, SlotStatus.OPEN)  # a legal first state
    return {
        "id": db.new_id(),
        "teacher_id": teacher.id,
        "start_at": place.start_at,
        "end_at": place.end_at,
        "busy_until": place.busy_until if place.busy_until > place.end_at else None,
        "status": SlotStatus.OPEN,
        "origin": SlotOrigin.GENERATED,
        "wall_start": place.local,
        "wall_zone": teacher.timezone,
        "created_at": work.now,
        "updated_at": work.now,
    }


def _row(window: Window) -> dict[str, Any]:
    return {
        "weekday": min(window.weekdays),
        "start_local": window.start_local,
        "end_local": window.end_local,
        "lesson_minutes": window.lesson_minutes,
        "buffer_minutes": window.buffer_minutes,
        "valid_from": window.valid_from,
        "valid_until": window.valid_until,
    }


def due_teachers(session: Session, now: datetime, *, limit: int) -> list[UUID]:
    """Teachers with hours whose horizon is to be looked at: a new day, another zone, or never done. ix_horizons_due_at"""
    with_hours = select(WeeklyHours.teacher_id).distinct().subquery()
    query = (
        select(with_hours.c.teacher_id)
        .join(User, User.id == with_hours.c.teacher_id)
        .outerjoin(Horizon, Horizon.teacher_id == User.id)
        .where((Horizon.teacher_id.is_(None)) | (Horizon.due_at <= now) | (Horizon.zone != User.timezone))
        .order_by(Horizon.due_at.nulls_first(), User.id)
    )
    return list(session.scalars(query.limit(limit)))


@command("schedule.extend", quiet=True)
def extend_horizons(work: Work, *, teacher_ids: Sequence[UUID]) -> list[Regenerated]:
    """The slots of these teachers are what their hours ask for; those that changed. For the job; two at once do no harm."""
    access.require(work.actor, Permission.ADMINISTER)
    done = []
    for teacher in work.lock_all(User, teacher_ids):
        if teacher.role is Role.TEACHER and is_active_teacher(work.session, teacher.id):
            done.append(regenerate(work, teacher))
    return [each for each in done if each.is_changed]
