"""The lessons of a series that stand, read and locked, and which of them can still be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.booking import facts
from guitaronline.booking.cancellation import Decision
from guitaronline.booking.models import Booking, CancelCause
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.series_refusals import FOREIGN_BOOKING, SeriesInvalid
from guitaronline.booking.service import cause_said
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.lessons.models import Lesson
from guitaronline.unit_of_work import Work

LISTED = 500  # more than can be ahead: the newest of what stands


@dataclass(frozen=True)
class Fate:
    """A lesson of the series: what becomes of it, or why it stays as it is."""

    booking: Booking
    decision: Decision | None
    reasons: list[Reason]

    @property
    def stays(self) -> bool:
        return bool(self.reasons)


def read_lessons(session: Session, series: LessonSeries, *, from_booking: UUID | None, now: datetime) -> list[Booking]:
    """The live bookings of the series, in the order of its days; from the day of that booking on. ix_bookings_series

    Raises SeriesInvalid when the booking is not one of the series."""
    query = select(Booking).where(Booking.series_id == series.id, facts.live(now))
    since = day_of(session, series, from_booking)
    if since is not None:
        query = query.where(Booking.series_day >= since)
    newest = query.order_by(Booking.series_day.desc(), Booking.id.desc()).limit(LISTED)
    return list(session.scalars(newest, execution_options=facts.FRESH))[::-1]


def day_of(session: Session, series: LessonSeries, booking_id: UUID | None) -> date | None:
    """The day of the series that the booking stands for."""
    if booking_id is None:
        return None
    found = session.scalar(select(Booking.series_day).where(Booking.id == booking_id, Booking.series_id == series.id))
    if found is None:
        raise SeriesInvalid(reasons=[FOREIGN_BOOKING])
    return found


def locked(work: Work, bookings: Sequence[Booking]) -> list[Booking]:
    """Those that are still live, locked, in the order they came."""
    still = {each.id for each in work.lock_all(Booking, [each.id for each in bookings]) if each.status in facts.ACTIVE}
    return [each for each in bookings if each.id in still]


def lessons_of(session: Session, bookings: Sequence[Booking], *, lock: bool = False) -> dict[UUID, Lesson]:
    """The bookings' lessons, by booking. uq_lessons_booking_id"""
    query = select(Lesson).where(Lesson.booking_id.in_([each.id for each in bookings])).order_by(Lesson.id)
    query = query.with_for_update(key_share=True) if lock else query
    return {each.booking_id: each for each in session.scalars(query, execution_options=facts.FRESH)}


def cause_of(actor: Actor, *, cause: str | None, waive: bool, reason: str | None) -> CancelCause:
    """Who is behind it, if this actor may call off anybody's lessons and say so.

    Raises NotAllowed, NotFound, CancellationInvalid."""
    access.require(actor, Permission.CANCEL)
    return cause_said(actor, cause=cause, waive=waive, reason=reason)
