"""How much of the time that a teacher offers is booked, week by week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from guitaronline.booking import facts
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.scheduling.models import Slot, SlotStatus

A_WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class Week:
    """From Monday, in the teacher's calendar; minutes."""

    first_day: date
    offered: int
    booked: int

    @property
    def share(self) -> float | None:
        """None where nothing was offered."""
        return self.booked / self.offered if self.offered else None


def utilization(session: Session, teacher_id: UUID, *, zone: ZoneInfo, now: datetime, weeks: int) -> list[Week]:
    """The present week with `weeks` before and after it: minutes booked, and minutes offered, booked ones included. Time
    that time off or a closure hides is not offered. ix_availability_slots_teacher_start"""
    today = now.astimezone(zone).date()
    this = today - timedelta(days=today.weekday())
    mondays = [this + number * A_WEEK for number in range(-weeks, weeks + 1)]
    start, end = (datetime.combine(day, time(), zone) for day in (mondays[0], mondays[-1] + A_WEEK))
    minutes = func.extract("epoch", Slot.end_at - Slot.start_at) / 60
    booked = exists().where(Booking.slot_id == Slot.id, Booking.status == BookingStatus.CONFIRMED)
    monday = cast(func.date_trunc("week", func.timezone(zone.key, Slot.start_at)), Date)
    query = (
        select(monday, func.sum(minutes), func.coalesce(func.sum(minutes).filter(booked), 0))
        .where(Slot.teacher_id == teacher_id, Slot.status == SlotStatus.OPEN)
        .where(Slot.start_at >= start, Slot.start_at < end, or_(booked, not_hidden()))
        .group_by(monday)
    )
    found = {day: (int(offered), int(taken)) for day, offered, taken in session.execute(query)}
    return [Week(day, *found.get(day, (0, 0))) for day in mondays]


def not_hidden() -> ColumnElement[bool]:
    """SQL, over Slot: neither the teacher's time off nor a closure lies over it."""
    return and_(~facts.away.correlate(Slot), facts.closure.is_(None))
