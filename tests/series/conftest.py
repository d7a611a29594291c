from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from sqlalchemy import select

from guitaronline import clock
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.series import SeriesBooked, Wanted, create_series
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.series_rules import Term
from guitaronline.db import session
from tests.world import World, as_actor

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
NEXT = date(2026, 3, 9)  # the Monday after; Tom's clock shows UTC unless a test says otherwise


@pytest.fixture
def monday() -> Iterator[None]:
    """It is nine o'clock, UTC, on Monday, 2 March 2026."""
    with clock.standing_at(MONDAY):
        yield


def wanted(world: World, *, first_day: date = NEXT, at: time = time(15), minutes: int = 60, **more: Any) -> Wanted:
    """Ann with Tom, Mondays at three, four times; by any package."""
    more = {"student_id": world.ann.id, "teacher_id": world.tom.id, **more}
    names = ("last_day", "count", "interval_weeks")
    span = {name: more.pop(name) for name in names if name in more}
    term = Term(first_day, at, minutes, **({} if {"last_day", "count"} & set(span) else {"count": 4}), **span)
    return Wanted(term=term, **more)


def booked(world: World, **more: Any) -> SeriesBooked:
    return create_series(as_actor(world.sue), wanted=wanted(world, **more), reason="weekly lessons")


def lessons(series: LessonSeries) -> list[Booking]:
    """The series' confirmed bookings as the database has them."""
    session().rollback()
    query = select(Booking).where(Booking.series_id == series.id, Booking.status == BookingStatus.CONFIRMED)
    return list(session().scalars(query.order_by(Booking.start_at), execution_options={"populate_existing": True}))


def starts(series: LessonSeries) -> list[str]:
    """When its lessons are, UTC."""
    return [f"{each.start_at:%a %d %b %H:%M}" for each in lessons(series)]
