"""What the plan of teachers' slots looks at, read for many teachers at once: the statements do not grow with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from guitaronline.booking import facts
from guitaronline.booking.models import Booking
from guitaronline.scheduling import planning
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff, WeeklyHours
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.scheduling.planning import Absence, Plan, Standing
from guitaronline.scheduling.rules import BUFFER_MINUTES_MAX, SLOT_MINUTES_MAX, Window

DAY = timedelta(days=1)
BUSY_AT_MOST = timedelta(
    minutes=SLOT_MINUTES_MAX + BUFFER_MINUTES_MAX
)  # of what began longer ago, the pause is over too

WINDOW = (
    WeeklyHours.weekday,
    WeeklyHours.start_local,
    WeeklyHours.end_local,
    WeeklyHours.lesson_minutes,
    WeeklyHours.buffer_minutes,
    WeeklyHours.valid_from,
    WeeklyHours.valid_until,
)


@dataclass(frozen=True)
class Ask:
    """The days of one teacher's calendar that are to be turned into slots.

    `is_whole`: all that lie ahead, and what is not asked for any more goes. Otherwise new days are added, and nothing goes."""

    teacher_id: UUID
    zone: ZoneInfo
    first_day: date
    last_day: date
    is_whole: bool

    def start(self, now: datetime) -> datetime:
        """Slots that end later may be in the way."""
        return max(now, datetime.combine(self.first_day, datetime.min.time(), self.zone) - DAY)

    @property
    def end(self) -> datetime:
        """No slot of these days begins later: windows of the last day may reach into the next."""
        return datetime.combine(self.last_day + 3 * DAY, datetime.min.time(), self.zone)


@dataclass(frozen=True)
class Schedule:
    """A teacher's week, in their own zone, and the last day that has slots (None: there never were hours)."""

    zone: str
    until: date | None
    windows: list[Window]


@dataclass(frozen=True)
class Known:
    """What stands of one teacher: slots that are there, and places of which a person said no."""

    standing: Sequence[Standing] = ()
    withdrawn: frozenset[tuple[datetime, datetime]] = frozenset()


def plan_all(
    session: Session, asks: Sequence[Ask], now: datetime, *, hours: Mapping[UUID, Sequence[Window]] | None = None
) -> dict[UUID, Plan]:
    """What each of these teachers' slots come to; all asks are whole, or none is. `hours`: as if the weeks were these."""
    if not asks:
        return {}
    ids = [each.teacher_id for each in asks]
    start, end = min(each.start(now) for each in asks), max(each.end for each in asks)
    weeks = hours if hours is not None else hours_of_all(session, ids)
    off, closed = _time_off(session, ids, start, end), _closures(session, start, end)
    known = _known(session, ids, start, now)
    return {
        each.teacher_id: planning.plan(
            weeks.get(each.teacher_id, ()),
            each.zone,
            first_day=each.first_day,
            last_day=each.last_day,
            now=now,
            absences=[*off.get(each.teacher_id, ()), *closed],
            standing=known[each.teacher_id].standing,
            withdrawn=known[each.teacher_id].withdrawn,
            is_whole=each.is_whole,
        )
        for each in asks
    }


def hours_of(session: Session, teacher_id: UUID) -> list[Window]:
    """The teacher's week, Monday first."""
    return hours_of_all(session, [teacher_id])[teacher_id]


def hours_of_all(session: Session, teacher_ids: Iterable[UUID]) -> dict[UUID, list[Window]]:
    """The weeks of these teachers; empty where there is none. ix_weekly_hours_teacher_id"""
    week = WeeklyHours
    query = (
        select(week.teacher_id, *WINDOW)
        .where(week.teacher_id.in_(list(teacher_ids)))
        .order_by(week.teacher_id, week.weekday, week.start_local, week.id)
    )
    found: dict[UUID, list[Window]] = defaultdict(list)
    for row in session.execute(query):
        values: Any = row[2:]
        found[row.teacher_id].append(Window(frozenset([row.weekday]), *values))
    return found


def _time_off(session: Session, ids: Sequence[UUID], start: datetime, end: datetime) -> dict[UUID, list[Absence]]:
    """ix_time_off_teacher_end"""
    query = select(TimeOff.teacher_id, TimeOff.start_at, TimeOff.end_at).where(
        TimeOff.teacher_id.in_(ids),
        TimeOff.status == AbsenceStatus.PLANNED,
        TimeOff.end_at > start,
        TimeOff.start_at < end,
    )
    found: dict[UUID, list[Absence]] = defaultdict(list)
    for row in session.execute(query):
        found[row.teacher_id].append(Absence(row.start_at, row.end_at, "time_off", "The teacher is away."))
    return found


def _closures(session: Session, start: datetime, end: datetime) -> list[Absence]:
    """ix_closures_end"""
    query = select(Closure.start_at, Closure.end_at, Closure.name).where(
        Closure.status == AbsenceStatus.PLANNED, Closure.end_at > start, Closure.start_at < end
    )
    return [
        Absence(row.start_at, row.end_at, "closure", f"The school is closed: {row.name}.")
        for row in session.execute(query)
    ]


def _known(session: Session, ids: Sequence[UUID], start: datetime, now: datetime) -> dict[UUID, Known]:
    """Slots, their pauses included, that end after `start`. Those that a change of the hours took away are history."""
    columns = (
        Slot.teacher_id, Slot.id, Slot.reference, Slot.start_at, Slot.end_at, Slot.busy_until, Slot.status, Slot.origin,
        Slot.wall_start, Slot.wall_zone,
    )  # fmt: skip
    query = select(*columns).where(  # ix_availability_slots_teacher_start
        Slot.teacher_id.in_(ids),
        Slot.start_at > start - BUSY_AT_MOST,
        func.coalesce(Slot.busy_until, Slot.end_at) > start,
        or_(Slot.status != SlotStatus.WITHDRAWN, Slot.origin == SlotOrigin.GENERATED),
    )
    occupied = set(session.scalars(_occupied(ids, start)))
    standing: dict[UUID, list[Standing]] = defaultdict(list)
    withdrawn: dict[UUID, set[tuple[datetime, datetime]]] = defaultdict(set)
    for row in session.execute(query):
        if row.status is SlotStatus.WITHDRAWN:
            withdrawn[row.teacher_id].add((row.start_at, row.end_at))
        else:
            standing[row.teacher_id].append(standing_of(row, row.id in occupied, now))
    return {each: Known(standing[each], frozenset(withdrawn[each])) for each in ids}


def _occupied(ids: Sequence[UUID], start: datetime) -> Any:
    """Slots with a booking in state hold or confirmed, lapsed or not. ix_bookings_teacher_start"""
    return select(Booking.slot_id).where(
        and_(Booking.teacher_id.in_(ids), Booking.start_at > start - BUSY_AT_MOST, Booking.status.in_(facts.ACTIVE))
    )


def standing_of(slot: Any, is_occupied: bool, now: datetime) -> Standing:
    """The slot (a row of it) as the plan sees it, and why it stays whatever the hours say."""
    because = {
        slot.origin is SlotOrigin.MADE: "made_by_hand",
        slot.status is SlotStatus.BLOCKED: "blocked",
        is_occupied: "occupied",
        slot.start_at <= now: "begun",
    }.get(True)
    wall = (slot.wall_start, slot.wall_zone) if slot.wall_start else None
    return Standing(slot.id, slot.reference, slot.start_at, slot.end_at, slot.busy_until or slot.end_at, because, wall)
