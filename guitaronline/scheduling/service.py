"""Slots are made, one by one or many at once, and unblocked. Blocking and withdrawing ask about bookings: `booking/slots.py`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.errors import Conflict, Invalid, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling import queries, rules
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.planning import Absence
from guitaronline.scheduling.rules import Planned, Skipped, Window
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command, constraint_errors


class SlotInvalid(Invalid):
    detail = "These times cannot be a slot."


class WindowInvalid(Invalid):
    detail = "These days and times cannot be cut into slots."


class SlotOverlap(Conflict):
    detail = "The teacher has another slot at this time."


constraint_errors["slots_no_teacher_overlap"] = SlotOverlap


@dataclass(frozen=True)
class SlotsMade:
    made: list[Slot]
    skipped: list[Skipped]


@dataclass(frozen=True)
class Wanted:
    """Slots of one window over these days of the teacher's calendar, but for some."""

    window: Window
    first_day: date
    last_day: date
    without: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Places:
    free: list[Planned]
    skipped: list[Skipped]


@command("slot.create", creates="availability_slots")
def create_slot(work: Work, *, teacher_id: UUID, start_at: datetime, end_at: datetime) -> Slot:
    """The teacher has an open slot at that time.

    Locks the teacher. Raises SlotInvalid with every reason, SlotOverlap, NotATeacher, TeacherNotActive."""
    return make_slot(work, teacher_id=teacher_id, start_at=start_at, end_at=end_at, slot_id=work.record_id)


def make_slot(
    work: Work, *, teacher_id: UUID, start_at: datetime, end_at: datetime, slot_id: UUID | None = None
) -> Slot:
    """A step: the same inside somebody's transaction (a booking by phone makes its slot). The actor's right is asked for."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    problems = rules.slot_problems(start_at, end_at, work.now)
    if problems:
        raise SlotInvalid(reasons=problems)
    teacher = require_active_teacher(work, teacher_id)
    for other in queries.standing_slots(work.session, teacher_id, start=start_at, end=end_at):
        raise SlotOverlap(
            slot_id=str(other.id), reference=other.reference, start_at=other.start_at, end_at=other.end_at
        )
    return _make(work, teacher, start_at, end_at, slot_id)


def create_slots(
    actor: Actor,
    *,
    teacher_id: UUID,
    first_day: date,
    last_day: date,
    weekdays: set[int] | frozenset[int] | list[int],
    start_local: time,
    end_local: time,
    lesson_minutes: int,
    buffer_minutes: int = 0,
    without: Collection[date] = (),
) -> SlotsMade:
    """The window, on its weekdays within these days of the teacher's calendar, is cut into open slots, all or none.

    Days in `without` are left out. Places that do not exist, have passed, lie in time off or a closure, or overlap another
    slot are skipped and reported. At most 1,000 slots and 366 days. Raises WindowInvalid with every reason, NotATeacher,
    TeacherNotActive."""
    window = Window(frozenset(weekdays), start_local, end_local, lesson_minutes, buffer_minutes)
    wanted = Wanted(window, first_day, last_day, frozenset(without))
    return _create_slots(actor, teacher_id, wanted=wanted)


@command("slot.create_many", on="users")
def _create_slots(work: Work, teacher_id: UUID, *, wanted: Wanted) -> SlotsMade:
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    _require_possible(wanted)
    teacher = require_active_teacher(work, teacher_id)  # its lock keeps other makers of slots of this teacher waiting
    found = places_for(work.session, teacher, wanted, work.now)
    made = [_make(work, teacher, place.start_at, place.end_at) for place in found.free]
    return SlotsMade(made, found.skipped)


def places_for(session: Session, teacher: User, wanted: Wanted, now: datetime) -> Places:
    """Query: the slots that `create_slots` would make now, and the places it would leave out. Raises WindowInvalid."""
    _require_possible(wanted)
    zone = ZoneInfo(teacher.timezone)
    planned, skipped = rules.cut(wanted.window, wanted.first_day, wanted.last_day, zone)
    asked = [place for place in planned if place.local.date() not in wanted.without]
    skipped = [each for each in skipped if each.local.date() not in wanted.without]
    if len(asked) > rules.BULK_SLOTS_MAX:
        raise WindowInvalid(reasons=[_too_many(len(asked))])
    free, taken = _free_places(session, teacher.id, asked, now)
    return Places(free, sorted(skipped + taken, key=lambda each: each.local))


def _require_possible(wanted: Wanted) -> None:
    problems = rules.window_problems(wanted.window, wanted.first_day, wanted.last_day)
    if problems:
        raise WindowInvalid(reasons=problems)


@command("slot.unblock", on="availability_slots")
def unblock_slot(work: Work, slot_id: UUID, *, reason: str | None = None) -> Slot:
    """A blocked slot is open again. Repeat: no-op. Raises IllegalMove when it was withdrawn."""
    slot = work.lock(Slot, slot_id)
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == slot.teacher_id)
    if slot.status is not SlotStatus.OPEN:
        work.move(slot, SlotStatus.OPEN, teacher_id=str(slot.teacher_id))
    return slot


def _free_places(
    session: Session, teacher_id: UUID, planned: list[Planned], now: datetime
) -> tuple[list[Planned], list[Skipped]]:
    """Those that lie ahead, in no absence, and touch no slot of the teacher; and the others with the reason."""
    if not planned:
        return [], []
    start, end = planned[0].start_at, planned[-1].end_at
    standing = queries.standing_slots(session, teacher_id, start=start, end=end)
    absences = queries.absences_of(session, teacher_id, start=start, end=end)
    starts = [slot.start_at for slot in standing]
    free: list[Planned] = []
    skipped: list[Skipped] = []
    for place in planned:
        if place.start_at <= now:
            skipped.append(Skipped(place.local, "in_the_past", "This time has passed."))
        elif away := _absence_at(place, absences):
            skipped.append(Skipped(place.local, away.code, away.detail))
        elif other := _overlapping(place, starts, standing):
            skipped.append(Skipped(place.local, "overlaps_slot", f"Slot {other.reference} is at this time."))
        else:
            free.append(place)
    return free, skipped


def _overlapping(place: Planned, starts: list[datetime], standing: list[Slot]) -> Slot | None:
    """Standing slots never overlap each other, so that only the last one that starts before the place's end can reach into it."""
    before = bisect_left(starts, place.end_at)
    return standing[before - 1] if before and standing[before - 1].ends_busy > place.start_at else None


def _absence_at(place: Planned, absences: Sequence[Absence]) -> Absence | None:
    return next((each for each in absences if each.start_at < place.end_at and place.start_at < each.end_at), None)


def _make(work: Work, teacher: User, start_at: datetime, end_at: datetime, slot_id: UUID | None = None) -> Slot:
    slot = Slot(
        id=slot_id,
        teacher_id=teacher.id,
        start_at=start_at.astimezone(UTC),
        end_at=end_at.astimezone(UTC),
        status=SlotStatus.OPEN,
        wall_start=start_at.astimezone(ZoneInfo(teacher.timezone)).replace(tzinfo=None),
        wall_zone=teacher.timezone,
    )
    work.create(slot, teacher_id=str(teacher.id))
    return slot


def _too_many(asked: int) -> Reason:
    detail = f"That would be {asked} slots; at most {rules.BULK_SLOTS_MAX} are made at a time."
    return Reason(
        "too_many_slots",
        detail,
        fix="Take fewer days.",
        pointer="/last_day",
        facts={"limit": rules.BULK_SLOTS_MAX, "asked": asked},
    )
