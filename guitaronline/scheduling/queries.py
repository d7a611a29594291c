"""Slots as they are; what is offered is booking's to say."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.scheduling.models import Slot, SlotStatus
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
