"""Weeks for the tests of the commands, and what stands afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.booking.horizon import Regenerated, set_hours
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import Horizon
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import Window
from tests.hours.planning import window
from tests.world import World, as_actor

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def give_hours(world: World, *windows: Window, teacher: User | None = None) -> Regenerated:
    """The teacher (Tom) has these hours, Monday afternoons unless said otherwise."""
    week = list(windows) or [window(0, "15:00", "18:00")]
    return set_hours(as_actor(world.ada), (teacher or world.tom).id, windows=week)


def standing(db: Session) -> list[Slot]:
    db.rollback()
    return list(db.scalars(select(Slot).where(Slot.status != SlotStatus.WITHDRAWN).order_by(Slot.start_at)))


def bookkeeping(db: Session, teacher: User) -> Horizon:
    db.rollback()
    return db.scalars(
        select(Horizon).where(Horizon.teacher_id == teacher.id), execution_options={"populate_existing": True}
    ).one()


@pytest.fixture
def monday() -> Iterator[Any]:
    with clock.standing_at(MONDAY):
        yield
