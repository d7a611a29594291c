"""Confirming makes the booking sure and exactly one lesson."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import OutboxEvent
from guitaronline.booking.models import BookingStatus
from guitaronline.booking.service import cancel_booking, confirm_booking
from guitaronline.db import new_id
from guitaronline.lessons.models import Lesson, LessonStatus
from tests.booking.conftest import refused
from tests.world import World, as_actor

pytestmark = pytest.mark.usefixtures("both_ways")


def test_confirming_uses_the_lesson_and_makes_one(db: Session, world: World) -> None:
    package = world.package(lessons=5)
    booking = world.booking()

    lesson = db.scalars(select(Lesson)).one()
    assert (booking.status, lesson.booking_id, lesson.status) == (
        BookingStatus.CONFIRMED,
        booking.id,
        LessonStatus.SCHEDULED,
    )
    assert (lesson.scheduled_start_at, lesson.scheduled_end_at) == (booking.start_at, booking.end_at)
    package = world.again(package)
    assert (package.available, package.reserved, package.consumed, package.lessons_left) == (4, 0, 1, 4)


def test_confirming_again_changes_nothing(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    again = confirm_booking(as_actor(world.ann), booking.id)

    assert (again.id, again.confirmed_at) == (booking.id, booking.confirmed_at)
    assert db.scalar(select(func.count()).select_from(Lesson)) == 1
    assert db.scalar(select(func.count()).select_from(OutboxEvent).where(OutboxEvent.topic == "booking.confirmed")) == 1


def test_the_last_moment_of_a_hold(world: World) -> None:
    world.package()
    with clock.standing_at(world.now):
        held = world.hold()
    assert held.hold_expires_at

    with clock.standing_at(held.hold_expires_at - timedelta(microseconds=1)):
        assert confirm_booking(as_actor(world.ann), held.id).status is BookingStatus.CONFIRMED


def test_a_lapsed_hold_is_refused_and_slot_and_lesson_are_free_at_once(world: World) -> None:
    package = world.package(lessons=1)
    held = world.hold()

    with clock.moved_by(timedelta(minutes=10)):
        with refused("hold_expired"):
            confirm_booking(as_actor(world.ann), held.id)
        assert world.again(held).status is BookingStatus.EXPIRED
        assert (world.again(package).available, world.again(package).reserved) == (1, 0)
        with refused("hold_expired"):
            confirm_booking(as_actor(world.ann), held.id)


def test_a_canceled_hold_cannot_be_confirmed(world: World) -> None:
    world.package()
    held = world.hold()
    cancel_booking(as_actor(world.ann), held.id)

    with refused("booking_canceled"):
        confirm_booking(as_actor(world.ann), held.id)


def test_the_last_lesson_empties_the_package(world: World) -> None:
    package = world.package(lessons=1)
    world.booking()

    assert world.again(package).status == "depleted"


def test_strangers_do_not_see_it_and_staff_may(world: World) -> None:
    world.package()
    held = world.hold()

    with refused("not_found"):
        confirm_booking(as_actor(world.ben), held.id)
    with refused("not_found"):
        confirm_booking(as_actor(world.ann), new_id())
    with refused("not_allowed"):
        confirm_booking(as_actor(world.tom), held.id)
    assert confirm_booking(as_actor(world.sue), held.id).status is BookingStatus.CONFIRMED
