"""A day's lessons on a time axis: a row for each teacher, places in percent of the shown hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from guitaronline.booking.models import Booking

HOUR = timedelta(hours=1)
LEAST_HOURS = 8  # a day with one lesson still looks like a day


@dataclass(frozen=True)
class Mark:
    """An hour on the axis, or now."""

    at: str
    label: str


@dataclass(frozen=True)
class Bar:
    booking: Booking
    at: str
    width: str
    words: str


@dataclass(frozen=True)
class Row:
    teacher: Any
    bars: list[Bar]


@dataclass(frozen=True)
class Axis:
    hours: list[Mark]
    now: Mark | None
    rows: list[Row]


def axis_of(bookings: Sequence[Booking], *, now: datetime, zone: ZoneInfo) -> Axis | None:
    """None when there is nothing to show. Teachers in the order of their first lesson."""
    if not bookings:
        return None
    start, end = _shown(bookings, now, zone)
    place = _Scale(start, end)
    teachers = {each.teacher_id: each.teacher for each in bookings}
    rows = [
        Row(teacher, [_bar(each, place, zone) for each in bookings if each.teacher_id == teacher_id])
        for teacher_id, teacher in teachers.items()
    ]
    mark = Mark(place.of(now), f"{now.astimezone(zone):%H:%M}") if start <= now <= end else None
    return Axis(_hours(start, end, place, zone), mark, rows)


@dataclass(frozen=True)
class _Scale:
    start: datetime
    end: datetime

    def of(self, moment: datetime) -> str:
        return self.share(moment - self.start)

    def share(self, length: timedelta) -> str:
        return f"{100 * (length / (self.end - self.start)):.2f}%"


def _shown(bookings: Sequence[Booking], now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Whole hours of the clock on the wall around all lessons, and around now when that is near them."""
    moments = [each.start_at for each in bookings] + [each.end_at for each in bookings]
    first, last = min(moments), max(moments)
    first, last = (min(first, now), max(last, now)) if first - 3 * HOUR <= now <= last + 3 * HOUR else (first, last)
    start = first.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    hours = max(-((start - last) // HOUR), LEAST_HOURS)
    return start, start + hours * HOUR


def _hours(start: datetime, end: datetime, place: _Scale, zone: ZoneInfo) -> list[Mark]:
    number = (end - start) // HOUR
    moments = [start + each * HOUR for each in range(number)]
    return [Mark(place.of(each), f"{each.astimezone(zone):%H}") for each in moments]


def _bar(booking: Booking, place: _Scale, zone: ZoneInfo) -> Bar:
    words = f"{booking.start_at.astimezone(zone):%H:%M} {booking.student.full_name}"
    return Bar(booking, place.of(booking.start_at), place.share(booking.end_at - booking.start_at), words)
