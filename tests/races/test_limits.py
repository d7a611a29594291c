"""Limits that are counted hold also when two are counted at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.booking import facts
from guitaronline.booking.models import Booking
from guitaronline.booking.service import hold_slot
from tests.concurrency import at_once, refused
from tests.world import World, as_actor


def two_of_one_day(world: World) -> list[Callable[[], Any]]:
    """Ann and Ben each want one of Tom's two slots of a day."""
    noon = (world.now + timedelta(days=3)).replace(hour=12)
    slots = [world.slot(start_at=noon).id, world.slot(start_at=noon + timedelta(hours=2)).id]
    world.package()
    world.package(world.ben)
    ann, ben = as_actor(world.ann), as_actor(world.ben)
    return [lambda: hold_slot(ann, slots[0]), lambda: hold_slot(ben, slots[1])]


def held(db: Session) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(Booking)) or 0


def test_a_teachers_day_is_not_overbooked(app: Flask, db: Session, world: World, meet: Callable[..., None]) -> None:
    calls = two_of_one_day(world)
    meet((facts, "read_active"), patience=0.3)

    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=1):
        results = at_once(app, *calls)

    assert refused(results) == ["teacher_day_full"]
    assert held(db) == 1


@pytest.mark.breaks_invariants
def test_without_the_lock_it_is(
    app: Flask, db: Session, world: World, meet: Callable[..., None], without_locks: Callable[[], Any]
) -> None:
    calls = two_of_one_day(world)
    meet((facts, "read_active"), patience=10)

    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=1), without_locks():
        at_once(app, *calls)

    assert held(db) == 2
