"""Teachers' time over a range, as a calendar shows it: open, held, booked or blocked; what is withdrawn is gone, and so is
open time that nobody can book because the teacher is away or the school closed. Those stretches stand beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from guitaronline.booking import facts
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.utilization import not_hidden
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus

Teacher, Student = aliased(User), aliased(User)


class TimeState(StrEnum):
    """What a stretch of a teacher's time is, bookings taken into account."""

    OPEN = "open"
    HELD = "held"
    BOOKED = "booked"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Stretch:
    """One slot, and who has it."""

    slot_id: UUID
    start_at: datetime
    end_at: datetime
    state: TimeState
    teacher_id: UUID
    teacher_name: str
    booking_id: UUID | None
    reference: str  # of the booking, else of the slot
    student_name: str | None


class AwayKind(StrEnum):
    TIME_OFF = "time_off"
    CLOSURE = "closure"


@dataclass(frozen=True)
class Away:
    """A stretch without lessons: of one teacher, or of the whole school."""

    record_id: UUID
    reference: str
    kind: AwayKind
    start_at: datetime
    end_at: datetime
    name: str  # of the teacher, or of the closure


def time_away(
    session: Session, *, start: datetime, end: datetime, teacher_id: UUID | None = None, limit: int
) -> list[Away]:
    """Time off, of one teacher or of all, and closures that touch `[start, end)`, soonest first, at most `limit` of each.

    ix_time_off_teacher_end, ix_time_off_end, ix_closures_end"""
    off = select(TimeOff.id, TimeOff.reference, TimeOff.start_at, TimeOff.end_at, User.full_name)
    off = off.join(User, User.id == TimeOff.teacher_id).where(TimeOff.status == AbsenceStatus.PLANNED)
    off = off.where(TimeOff.end_at > start, TimeOff.start_at < end)
    if teacher_id is not None:
        off = off.where(TimeOff.teacher_id == teacher_id)
    shut = select(Closure.id, Closure.reference, Closure.start_at, Closure.end_at, Closure.name)
    shut = shut.where(Closure.status == AbsenceStatus.PLANNED, Closure.end_at > start, Closure.start_at < end)
    found = [
        Away(record_id, reference, kind, start_at, end_at, name)
        for kind, query in (
            (AwayKind.CLOSURE, shut.order_by(Closure.start_at)),
            (AwayKind.TIME_OFF, off.order_by(TimeOff.start_at)),
        )
        for record_id, reference, start_at, end_at, name in session.execute(query.limit(limit))
    ]
    return sorted(found, key=lambda each: (each.start_at, each.reference))


def time_of_teachers(
    session: Session,
    *,
    now: datetime,
    start: datetime,
    end: datetime,
    teacher_id: UUID | None = None,
    with_open: bool = True,
    limit: int,
) -> list[Stretch]:
    """The slots that touch `[start, end)`, of one teacher or of all, soonest first, at most `limit`."""
    of_whom: list[ColumnElement[bool]] = [] if teacher_id is None else [Slot.teacher_id == teacher_id]
    blocked = _touching(Slot, start, end).where(Slot.status == SlotStatus.BLOCKED, *of_whom)
    taken = exists().where(Booking.slot_id == Slot.id, facts.live(now))  # bookings_one_active_per_slot
    standing = _touching(Slot, start, end).where(Slot.status == SlotStatus.OPEN, or_(taken, not_hidden()), *of_whom)
    if not with_open:
        of_whom = [] if teacher_id is None else [Booking.teacher_id == teacher_id]
        standing = _touching(Booking, start, end).where(facts.live(now), *of_whom)
    ids = union_all(blocked.limit(limit), standing.limit(limit))
    query = (
        select(
            Slot.id,
            Slot.start_at,
            Slot.end_at,
            Slot.status,
            Slot.teacher_id,
            Slot.reference,
            Teacher.full_name,
            Booking.id,
            Booking.reference,
            Booking.status,
            Student.full_name,
        )
        .join(Teacher, Teacher.id == Slot.teacher_id)
        .outerjoin(Booking, and_(Booking.slot_id == Slot.id, facts.live(now)))  # bookings_one_active_per_slot
        .outerjoin(Student, Student.id == Booking.student_id)
        .where(Slot.id.in_(ids))
        .order_by(Slot.start_at, Slot.id)
        .limit(limit)
    )
    return [_stretch(*row) for row in session.execute(query)]


def _touching(model: type[Slot] | type[Booking], start: datetime, end: datetime) -> Select[UUID]:
    """Ids of the soonest slots. ix_availability_slots_open_start, …_shut, …_teacher_start of one teacher;
    ix_bookings_start, …_teacher_start."""
    slot_id = Slot.id if model is Slot else Booking.slot_id
    query = select(slot_id).where(model.start_at > start - facts.LONGEST, model.start_at < end, model.end_at > start)
    return query.order_by(model.start_at, model.id)


def _stretch(  # noqa: PLR0917  # a row, column by column
    slot_id: UUID,
    start_at: datetime,
    end_at: datetime,
    status: SlotStatus,
    teacher_id: UUID,
    slot_reference: str,
    teacher_name: str,
    booking_id: UUID | None,
    booking_reference: str | None,
    booking_status: BookingStatus | None,
    student_name: Any,
) -> Stretch:
    state = {
        BookingStatus.HOLD: TimeState.HELD,
        BookingStatus.CONFIRMED: TimeState.BOOKED,
        None: TimeState(status),
    }[booking_status]
    reference = booking_reference or slot_reference
    return Stretch(slot_id, start_at, end_at, state, teacher_id, teacher_name, booking_id, reference, student_name)
