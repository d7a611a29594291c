"""A series is called off: this and later, or all; each lesson by the rule of the single cancellation."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.booking.models import BookingStatus
from guitaronline.booking.series_canceling import cancel_series, preview_cancel_series
from guitaronline.booking.series_models import SeriesStatus
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.lessons.service import complete_lesson
from tests.booking.conftest import refused
from tests.series.conftest import MONDAY, booked, lessons, starts
from tests.world import World, as_actor

LATER = MONDAY + timedelta(days=14, hours=5, minutes=59)  # the second lesson begins in a minute


def test_all_that_is_ahead_goes_and_each_lesson_has_its_own_decision(db: Session, world: World, monday: None) -> None:
    package = world.package(lessons=4)
    series = booked(world).series

    with clock.standing_at(LATER):
        gone = cancel_series(as_actor(world.sue), series.id, reason="moved away", cause="student")

    assert [each.booking.series_day for each in gone.kept] == [date(2026, 3, 9)]
    assert [each.reasons[0].code for each in gone.kept] == ["lesson_already_started"]
    outcomes = [(world.again(each).decision or {})["outcome"] for each in gone.canceled]
    assert outcomes == ["forfeited", "returned", "returned"]
    assert world.again(package).available == 2
    assert world.again(series).status is SeriesStatus.CANCELED


def test_this_and_later_ends_the_series_before_it(db: Session, world: World, monday: None) -> None:
    package = world.package(lessons=4)
    series = booked(world).series
    third = lessons(series)[2]

    cancel_series(as_actor(world.sue), series.id, from_booking=third.id, reason="holidays", cause="school")

    assert starts(series) == ["Mon 09 Mar 15:00", "Mon 16 Mar 15:00"]
    assert (world.again(series).status, world.again(series).last_day) == (SeriesStatus.ENDED, date(2026, 3, 22))
    assert world.again(package).available == 2


def test_the_preview_says_what_happens(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4, expires_at=MONDAY + timedelta(days=40))
    series = booked(world).series
    sue = as_actor(world.sue)

    with clock.standing_at(LATER):
        foreseen = preview_cancel_series(db, sue, series.id, cause="teacher")
        gone = cancel_series(sue, series.id, reason="ill", cause="teacher")

    assert [each.decision.sentence() for each in foreseen if each.decision] == [
        (world.again(each).decision or {})["sentence"] for each in gone.canceled
    ]
    assert [each.booking.id for each in foreseen if each.stays] == [each.booking.id for each in gone.kept]


def test_a_lesson_with_an_outcome_stays(db: Session, world: World, monday: None) -> None:
    world.package()
    series = booked(world).series
    first = lessons(series)[0]
    with clock.standing_at(first.end_at):
        complete_lesson(as_actor(world.tom), first.lesson.id if first.lesson else first.id)

        gone = cancel_series(as_actor(world.sue), series.id, reason="moved away", cause="school")

    assert [reason.code for reason in gone.kept[0].reasons] == ["lesson_already_started", "outcome_already_recorded"]
    assert world.again(first).status is BookingStatus.CONFIRMED


def test_a_repeat_changes_nothing(db: Session, world: World, monday: None) -> None:
    world.package()
    series = booked(world).series
    cancel_series(as_actor(world.sue), series.id, reason="moved away", cause="school")
    version = world.again(series).version

    again = cancel_series(as_actor(world.sue), series.id, reason="moved away", cause="school")

    assert (again.canceled, again.kept, world.again(series).version) == ([], [], version)


def test_a_lesson_that_was_moved_alone_is_still_one_of_the_series(db: Session, world: World, monday: None) -> None:
    world.package()
    series = booked(world).series
    second = lessons(series)[1]
    elsewhere = world.slot(world.tina, start_at=second.start_at + timedelta(days=20))
    moved = reschedule_booking(as_actor(world.sue), second.id, new_slot_id=elsewhere.id, reason="a concert")

    gone = cancel_series(
        as_actor(world.sue), series.id, from_booking=lessons(series)[1].id, reason="over", cause="school"
    )

    assert (world.again(moved).series_day, world.again(moved).series_id) == (second.series_day, series.id)
    assert moved.id not in {each.id for each in gone.canceled}
    cancel_series(as_actor(world.sue), series.id, reason="over", cause="school")
    assert world.again(moved).status is BookingStatus.CANCELED


def test_a_lesson_that_was_canceled_alone_stays_as_it_is(db: Session, world: World, monday: None) -> None:
    world.package()
    series = booked(world).series
    second = lessons(series)[1]
    cancel_booking(as_actor(world.ann), second.id)

    gone = cancel_series(as_actor(world.sue), series.id, reason="over", cause="school")

    assert len(gone.canceled) == 3
    assert world.again(second).cancellation_reason is None
    assert world.again(second).series_id == series.id


def test_who_may_not_and_what_may_not(db: Session, world: World, monday: None) -> None:
    world.package()
    series = booked(world).series
    other = world.booking(world.slot(hours=30))

    for actor in (as_actor(world.finn), as_actor(world.tom), as_actor(world.ann)):
        with pytest.raises((NotAllowed, NotFound)):
            cancel_series(actor, series.id, reason="mine")
    with refused("reason_required", code="cancellation_invalid"):
        cancel_series(as_actor(world.sue), series.id, reason=" ")
    with refused("cause_not_allowed", code="cancellation_invalid"):
        cancel_series(as_actor(world.sue), series.id, reason="x", cause="weather")
    with refused("not_in_series", code="series_invalid"):
        cancel_series(as_actor(world.sue), series.id, from_booking=other.id, reason="x")
    assert len(lessons(series)) == 4
