"""A time that comes free is kept for those who wait for it, in the transaction that frees it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, cast, exists, extract, or_, select, tuple_, update
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.booking.waitlist_models import WaitlistEntry, WaitlistOffer, WaitStatus
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.unit_of_work import Work

MINUTE = timedelta(minutes=1)
Place = tuple[datetime, UUID]  # of a slot in time


def waits_for_slot() -> ColumnElement[bool]:
    """SQL, over Slot and WaitlistEntry: the entry is in the line for the slot and was not offered it before."""
    minutes = cast(extract("epoch", Slot.end_at - Slot.start_at) / 60, Integer)
    before = exists().where(WaitlistOffer.entry_id == WaitlistEntry.id, WaitlistOffer.slot_id == Slot.id)
    return and_(
        WaitlistEntry.status == WaitStatus.WAITING,
        WaitlistEntry.teacher_id == Slot.teacher_id,
        WaitlistEntry.until_at > Slot.start_at,
        WaitlistEntry.from_at <= Slot.start_at,
        or_(WaitlistEntry.lesson_minutes.is_(None), WaitlistEntry.lesson_minutes == minutes),
        ~before.correlate(WaitlistEntry, Slot),
    )


def keep_for_line(work: Work, slot_id: UUID) -> bool:
    """A step: if somebody waits for the slot, it is kept for the line until the job has come by; whether it is.

    Called where a booking ends, after its lock: the only slot that is written there. ix_waitlist_entries_line"""
    statement = (
        update(Slot)
        .where(Slot.id == slot_id, Slot.status == SlotStatus.OPEN, Slot.start_at > work.now)
        .where(exists().where(waits_for_slot()).correlate(Slot))
        .values(kept_until=work.now + policy.current().WAITLIST_KEEP_MINUTES * MINUTE, version=Slot.version + 1,
                updated_at=work.now)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return bool(work.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def first_in_line(session: Session, slot_id: UUID, *, limit: int) -> list[WaitlistEntry]:
    """Those who wait for the slot, the longest waiting first."""
    query = select(WaitlistEntry).join(Slot, Slot.id == slot_id).where(waits_for_slot())
    return list(
        session.scalars(query.order_by(WaitlistEntry.id).limit(limit), execution_options={"populate_existing": True})
    )


def awaited_slots(
    session: Session, *, offered: ColumnElement[bool], after: Place | None = None, limit: int
) -> list[Place]:
    """Start and id of the slots that somebody waits for and that could be theirs now, soonest first; `after`: the last one
    seen. `offered` leaves out that they are kept."""
    teachers = select(WaitlistEntry.teacher_id).where(WaitlistEntry.status == WaitStatus.WAITING)
    query = select(Slot.start_at, Slot.id).where(
        Slot.teacher_id.in_(teachers), offered, exists().where(waits_for_slot()).correlate(Slot)
    )
    if after is not None:
        query = query.where(tuple_(Slot.start_at, Slot.id) > after)
    return [(row.start_at, row.id) for row in session.execute(query.order_by(Slot.start_at, Slot.id).limit(limit))]
