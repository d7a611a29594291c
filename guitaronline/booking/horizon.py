"""Weekly hours become slots: at once when anything changes, and every night for the days that come into reach (`rolling.py`).

Only future open generated slots that no booking occupies are ever replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.booking import facts, hours
from guitaronline.booking.hours import DAY, Ask, Schedule
from guitaronline.errors import Conflict, Invalid, NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling import planning, rules
from guitaronline.scheduling.generating import make_generated
from guitaronline.scheduling.hours_models import Horizon, WeeklyHours
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.scheduling.planning import Plan, Standing
from guitaronline.scheduling.rules import Planned, Skipped, Window
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command

NOTHING_IS_KNOWN = date(2000, 1, 1)  # as `Horizon.until`: all days are looked at again, not only the new ones
hours_of = hours.hours_of
UNSETTLED_AGAIN = timedelta(
    minutes=15
)  # a slot that the hours do not ask for is offered no longer than that once it is free


class HoursInvalid(Invalid):
    detail = "These hours cannot be a teacher's week."


class HoursChanged(Conflict):
    detail = "Somebody changed these hours after you opened the page. Look at what yours would change now, then save."


@dataclass(frozen=True)
class Regenerated:
    """What became of the teacher's slots, from now to the horizon. `plan.kept` and `plan.skipped` say why."""

    teacher_id: UUID
    plan: Plan
    zone: str
    until: date
    due_at: datetime

    @property
    def is_changed(self) -> bool:
        return bool(self.plan.make or self.plan.remove)


@command("schedule.set", on="users")
def set_hours(
    work: Work, teacher_id: UUID, *, windows: Sequence[Window], seen: str | None = None, reason: str | None = None
) -> Regenerated:
    """The teacher's week is these windows, and the slots up to the horizon follow at once. Repeat: no-op.

    `seen`: `planning.hours_digest` of the hours that the person saw; others that stand by now are not overwritten.
    Locks the teacher. Raises HoursInvalid with every reason, HoursChanged, NotATeacher, TeacherNotActive."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    problems = planning.hours_problems(windows)
    if problems:
        raise HoursInvalid(reasons=problems)
    teacher = require_active_teacher(work, teacher_id)
    before, after = planning.hours_digest(hours_of(work.session, teacher_id)), planning.hours_digest(windows)
    if seen is not None and before not in (seen, after):
        raise HoursChanged()
    if before != after:
        work.session.execute(delete(WeeklyHours).where(WeeklyHours.teacher_id == teacher_id))
        for window in windows:
            work.add(WeeklyHours(teacher_id=teacher_id, **window.as_row()))
        work.session.flush()
    return regenerate(work, teacher)


@command("schedule.regenerate", on="users")
def regenerate_slots(work: Work, teacher_id: UUID, *, reason: str | None = None) -> Regenerated:
    """The teacher's slots are what the hours ask for, whatever has changed around them. Locks the teacher."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    return regenerate(work, require_active_teacher(work, teacher_id))


def preview_hours(session: Session, teacher: User, windows: Sequence[Window], now: datetime) -> Plan:
    """What `set_hours` would do now; the windows have no problems."""
    asks = [whole(teacher, now)]
    return hours.plan_all(session, asks, now, hours={teacher.id: windows})[teacher.id]


def schedule_of(session: Session, teacher_id: UUID, now: datetime) -> Schedule:
    """The teacher's week as it is. Raises NotFound."""
    zone = session.scalar(select(User.timezone).where(User.id == teacher_id))
    if zone is None:
        raise NotFound()
    is_known = session.scalar(select(Horizon.teacher_id).where(Horizon.teacher_id == teacher_id)) is not None
    return Schedule(zone, last_day_of(now, ZoneInfo(zone)) if is_known else None, hours_of(session, teacher_id))


def last_day_of(now: datetime, zone: ZoneInfo) -> date:
    """The last day that is turned into slots: one more than is offered now, so that the next day finds it there."""
    return (now + timedelta(days=policy.current().BOOKING_HORIZON_DAYS)).astimezone(zone).date() + DAY


def whole(teacher: User, now: datetime) -> Ask:
    """All days of the teacher's that lie ahead; a window of yesterday may still be open."""
    zone = ZoneInfo(teacher.timezone)
    return Ask(teacher.id, zone, now.astimezone(zone).date() - DAY, last_day_of(now, zone), is_whole=True)


def regenerate(work: Work, teacher: User) -> Regenerated:
    """A step: the same inside somebody's transaction that has locked the teacher. One of no hours offers nothing."""
    lock_horizons(work, [teacher])
    return carry_out(work, [teacher], [whole(teacher, work.now)])[0]


def lock_horizons(work: Work, teachers: Sequence[User]) -> dict[UUID, Horizon]:
    """The bookkeeping of these teachers, locked until commit in the order of their ids; made where there was none.

    Whoever closes the school asks all of them to look again: so it is either seen in the plan, or comes after it."""
    rows = [
        {"teacher_id": each.id, "zone": each.timezone, "until": NOTHING_IS_KNOWN, "due_at": work.now}
        for each in sorted(teachers, key=lambda each: each.id)
    ]
    if not rows:
        return {}
    work.session.execute(upsert(Horizon).values(rows).on_conflict_do_nothing())
    query = select(Horizon).where(Horizon.teacher_id.in_([each["teacher_id"] for each in rows]))
    locked = work.session.scalars(query.order_by(Horizon.teacher_id).with_for_update(), execution_options=facts.FRESH)
    return {each.teacher_id: each for each in locked}


def carry_out(work: Work, teachers: Sequence[User], asks: Sequence[Ask]) -> list[Regenerated]:
    """The slots of these locked teachers are what was asked for: all asks are whole, or none is.

    Plan, lock what is to go, look again, take away, make, tell, remember."""
    plans = _under_lock(work, hours.plan_all(work.session, asks, work.now))
    going = [each.slot_id for plan in plans.values() for each in plan.remove]
    if going:
        work.move_all(Slot, going, SlotStatus.OPEN, SlotStatus.WITHDRAWN, origin=SlotOrigin.REPLACED)
    make_generated(work, [(teacher, place) for teacher in teachers for place in plans[teacher.id].make])
    done = [_regenerated(ask, plans[ask.teacher_id], work.now) for ask in asks]
    for teacher, each in zip(teachers, done, strict=True):
        if each.is_changed:
            work.emit("schedule.regenerated", teacher, made=len(each.plan.make), removed=len(each.plan.remove))
    remember(work.session, done)
    return done


def _under_lock(work: Work, plans: dict[UUID, Plan]) -> dict[UUID, Plan]:
    """Whoever holds a slot has locked it: with the locks ours, look again, and keep what is not free any more."""
    ids = [each.slot_id for plan in plans.values() for each in plan.remove]
    if not ids:
        return plans
    slots = {each.id: each for each in work.lock_all(Slot, ids)}
    occupied = facts.read_standing(work.session, ids)
    now = {
        slot.id: hours.standing_of(slot, slot.id in occupied, work.now)
        for slot in slots.values()
        if slot.status is not SlotStatus.WITHDRAWN
    }
    return {teacher_id: _looked_at_again(plan, now) for teacher_id, plan in plans.items()}


def _looked_at_again(plan: Plan, now: dict[UUID, Standing]) -> Plan:
    """The plan with what became of its slots until they were locked."""
    there = [now[each.slot_id] for each in plan.remove if each.slot_id in now]
    kept = [each for each in there if each.stays_because]
    if len(there) == len(plan.remove) and not kept:
        return plan
    blocked = [(place, other) for place in plan.make for other in kept if _touch(place, other)]
    skipped = [
        Skipped(place.local, "overlaps_slot", f"Slot {other.reference} is at this time.") for place, other in blocked
    ]
    lost = {place.start_at for place, _ in blocked}
    return replace(
        plan,
        make=[place for place in plan.make if place.start_at not in lost],
        remove=[each for each in there if not each.stays_because],
        kept=sorted(plan.kept + kept, key=lambda each: each.start_at),
        skipped=sorted(plan.skipped + skipped, key=lambda each: each.local),
    )


def _touch(place: Planned, other: Standing) -> bool:
    return place.start_at < other.busy_until and other.start_at < place.busy_until


def _regenerated(ask: Ask, plan: Plan, now: datetime) -> Regenerated:
    """What is not settled is looked at as a whole, and soon."""
    until, due_at = ask.last_day, rules.next_day_begins(now, ask.zone)
    if not plan.is_settled:
        until, due_at = NOTHING_IS_KNOWN, min(due_at, now + UNSETTLED_AGAIN)
    return Regenerated(ask.teacher_id, plan, ask.zone.key, until, due_at)


def remember(session: Session, done: Sequence[Regenerated]) -> None:
    """The bookkeeping of these teachers, whose rows are locked, in one statement."""
    if done:
        rows = [
            {"teacher_id": each.teacher_id, "zone": each.zone, "until": each.until, "due_at": each.due_at}
            for each in done
        ]
        put = upsert(Horizon).values(rows)
        values = {name: put.excluded[name] for name in ("zone", "until", "due_at")}
        session.execute(put.on_conflict_do_update(index_elements=["teacher_id"], set_=values))


def look_again(session: Session, now: datetime) -> None:
    """Every teacher's slots are looked at as a whole at the job's next tick. Locks the bookkeeping in the order of ids."""
    session.execute(select(Horizon.teacher_id).order_by(Horizon.teacher_id).with_for_update())
    session.execute(
        update(Horizon).values(due_at=now, until=NOTHING_IS_KNOWN).execution_options(synchronize_session=False)
    )
