"""Lessons whose hour has moved because the rules of a time zone have: people come by the clock on their wall."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.booking import facts
from guitaronline.booking.models import Booking
from guitaronline.scheduling import rules
from guitaronline.scheduling.models import Slot


@dataclass(frozen=True)
class Moved:
    """A booking ahead whose start is not what the teacher's clock will show when it says `wall_start`."""

    reference: str
    slot_reference: str
    wall_start: datetime
    wall_zone: str
    start_at: datetime
    by_the_clock: datetime | None  # None: that clock never shows it, or the zone is not known any more


def moved_bookings(session: Session, now: datetime) -> Iterator[Moved]:
    """Held and confirmed bookings ahead that the present zone database puts elsewhere, soonest first.

    Compares what was promised (the wall clock) with what that clock shows at the stored time. ix_bookings_start"""
    query = (
        select(Booking.reference, Slot.reference, Slot.wall_start, Slot.wall_zone, Booking.start_at)
        .join(Slot, Slot.id == Booking.slot_id)
        .where(facts.live(now), Booking.start_at > now, Slot.wall_start.is_not(None))
        .order_by(Booking.start_at, Booking.id)
        .execution_options(yield_per=1_000)
    )
    rows: Iterable[Any] = session.execute(query)
    for row in rows:
        wall_start, wall_zone, start_at = row[2:]
        by_the_clock = clock_time(wall_start, wall_zone, start_at)
        if by_the_clock != start_at:
            yield Moved(row[0], row[1], wall_start, wall_zone, start_at, by_the_clock)


def clock_time(wall_start: datetime, wall_zone: str, start_at: datetime) -> datetime | None:
    """A rule: when that clock shows `wall_start`; `start_at` itself where it does so then (also the second time in autumn)."""
    try:
        zone = ZoneInfo(wall_zone)
    except ZoneInfoNotFoundError:
        return None
    if start_at.astimezone(zone).replace(tzinfo=None, fold=0) == wall_start:
        return start_at
    found = rules.local_to_utc(wall_start, zone)
    return found.astimezone(UTC) if found else None
