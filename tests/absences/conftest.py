"""A day on which Tom is away, and who waits because of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.booking import waiting
from guitaronline.booking.absences import create_time_off
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.scheduling.hours_models import TimeOff
from tests.api.conftest import api, components, documented
from tests.races.conftest import meet, without_locks, without_shortcuts
from tests.world import World, as_actor

__all__ = [
    "api",
    "components",
    "documented",
    "meet",
    "without_locks",
    "without_shortcuts",
]  # fixtures of other folders

HOUR = timedelta(hours=1)


def queue(world: World, now: datetime | None = None) -> set[UUID]:
    """The bookings that need a decision."""
    session().rollback()
    return set(session().scalars(select(Booking.id).where(waiting.needs_decision(now or world.now))))


def away(world: World, first: float = 47, last: float = 50, **more: Any) -> TimeOff:
    """Tom is away from `first` to `last` hours from now."""
    times = {"start_at": world.now + first * HOUR, "end_at": world.now + last * HOUR}
    return create_time_off(as_actor(world.tom), teacher_id=world.tom.id, **times, **more)
