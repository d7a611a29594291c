"""Slots as they are; what is offered is booking's to say."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.planning import Absence
from guitaronline.scheduling.rules import BUFFER_MINUTES_MAX, SLOT_MINUTES_MAX


def standing_slots(session: Session, teacher_id: UUID, *, start: datetime, end: datetime) -> list[Slot]:
    """The teacher's slots, withdrawn ones aside, that touch `[start, end)`, their pauses included, soonest first.

    ix_availability_slots_teacher_start"""
    longest = timedelta(minutes=SLOT_MINUTES_MAX + BUFFER_MINUTES_MAX)  # lets the index find where to begin
    query = (
        select(Slot)
        .where(Slot.teacher_id == teacher_id, Slot.status != SlotStatus.WITHDRAWN)
        .where(Slot.start_at > start - longest, Slot.start_at < end)
        .where(func.coalesce(Slot.busy_until, Slot.end_at) > start)
    )
    return list(session.scalars(query.order_by(Slot.start_at)))


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


def slots_of_teacher(
    session: Session, teacher_id: UUID, *, start_from: datetime, after: Slot | None = None, limit: int = 100
) -> list[Slot]:
    """All slots of the teacher that start at `start_from` or later, in any state, soonest first; `after` the last one seen."""
    query = select(Slot).where(Slot.teacher_id == teacher_id, Slot.start_at >= start_from)
    if after is not None:
        query = query.where(
            (Slot.start_at > after.start_at) | ((Slot.start_at == after.start_at) & (Slot.id > after.id))
        )
    return list(session.scalars(query.order_by(Slot.start_at, Slot.id).limit(limit)))
