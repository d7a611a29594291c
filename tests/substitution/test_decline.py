"""The student need not take the substitute: until the start the lesson returns, whatever the notice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.substitution import decline_substitute
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.lessons.models import LessonStatus
from tests.booking.conftest import refused
from tests.substitution.conftest import give, lesson_of
from tests.world import World, as_actor


def test_a_second_before_the_start_the_lesson_still_returns(db: Session, world: World) -> None:
    package = world.package(lessons=2)
    booking = world.booking(world.slot(hours=48))
    give(world, booking, world.tina)

    with clock.standing_at(booking.start_at - timedelta(seconds=1)):
        declined = decline_substitute(as_actor(world.ann), booking.id)

    assert (declined.status, declined.refund_returned) == (BookingStatus.CANCELED, True)
    assert declined.cancel_cause == "teacher"
    assert declined.decision is not None
    assert declined.decision["outcome"] == "returned"
    assert declined.decision["sentence"].startswith("The substitute was declined: the lesson is back in package")
    assert world.again(package).available == 2
    assert lesson_of(db, booking).status is LessonStatus.CANCELED


def test_once_the_lesson_has_started_it_is_too_late(world: World, booked: Booking) -> None:
    give(world, booked, world.tina)

    with clock.standing_at(booked.start_at), refused("lesson_already_started", code="cancellation_window_closed"):
        decline_substitute(as_actor(world.ann), booked.id)


def test_without_a_substitute_there_is_nothing_to_decline(world: World, booked: Booking) -> None:
    with refused("not_substituted"):
        decline_substitute(as_actor(world.ann), booked.id)


def test_when_the_first_teacher_is_back_there_is_nothing_to_decline(world: World, booked: Booking) -> None:
    give(world, booked, world.tina)
    give(world, booked, world.tom)

    with refused("not_substituted"):
        decline_substitute(as_actor(world.ann), booked.id)


def test_a_package_that_has_expired_lives_on_for_the_lesson(world: World) -> None:
    slot = world.slot(hours=48)
    package = world.package(lessons=1, expires_at=slot.start_at)
    booking = world.booking(slot)
    give(world, booking, world.tina)

    decline_substitute(as_actor(world.ann), booking.id)

    later = world.again(package)
    assert (later.available, later.expires_at > slot.start_at) == (1, True)


def test_a_second_time_changes_nothing(world: World, booked: Booking) -> None:
    give(world, booked, world.tina)
    first = decline_substitute(as_actor(world.ann), booked.id)

    assert decline_substitute(as_actor(world.ann), booked.id).version == first.version


def test_staff_decline_for_the_student_with_a_reason(world: World, booked: Booking) -> None:
    give(world, booked, world.tina)

    with refused("reason_required", code="cancellation_invalid"):
        decline_substitute(as_actor(world.sue), booked.id)
    declined = decline_substitute(as_actor(world.sue), booked.id, reason="Ann rang up")

    assert (declined.status, declined.cancellation_reason) == (BookingStatus.CANCELED, "Ann rang up")


def test_nobody_else_declines(world: World, booked: Booking) -> None:
    give(world, booked, world.tina)

    with pytest.raises(NotFound):
        decline_substitute(as_actor(world.ben), booked.id)
    with pytest.raises(NotAllowed):
        decline_substitute(as_actor(world.tina), booked.id)
