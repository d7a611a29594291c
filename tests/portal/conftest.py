from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from guitaronline import clock
from guitaronline.audit.models import AuditAction
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.lessons.models import Lesson
from tests.admin.browser import Browser, signed_in
from tests.world import World


@pytest.fixture
def tom(app: Flask, world: World) -> Browser:
    """A teacher's browser."""
    return signed_in(app, world.tom)


@pytest.fixture
def booked(world: World) -> Booking:
    """Ann's lesson with Tom in two days."""
    assert world.package()
    return world.booking(world.slot(hours=48))


@pytest.fixture
def begun(world: World) -> Lesson:
    """Ann's lesson with Tom that began half an hour ago, without an outcome."""
    return lesson_that_began(world, minutes_ago=30)


def lesson_that_began(world: World, *, minutes_ago: int) -> Lesson:
    start = world.now - timedelta(minutes=minutes_ago)
    with clock.moved_by(timedelta(days=-4)):
        assert world.package()
        booking = world.booking(world.slot(start_at=start))
    return session().scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()


def actions(name: str | None = None) -> int:
    """How many actions the audit has, of that name when one is given."""
    query = select(func.count()).select_from(AuditAction)
    session().rollback()
    return session().scalar(query if name is None else query.where(AuditAction.name == name)) or 0
