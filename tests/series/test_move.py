"""A series moves to another weekday, time or teacher, each lesson linked to the one it took the place of."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.series import extend_series
from guitaronline.booking.series_canceling import cancel_series
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.series_moving import NewTime, SeriesMoved, move_series, preview_move_series
from guitaronline.booking.service import reschedule_booking
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.scheduling.models import Slot, SlotStatus
from tests.booking.conftest import refused
from tests.series.conftest import MONDAY, booked, lessons, starts
from tests.world import World, as_actor

THURSDAY = NewTime(3, time(10))


def move(world: World, series: LessonSeries, to: NewTime = THURSDAY, **more: Any) -> SeriesMoved:
    return move_series(as_actor(world.sue), series.id, to=to, reason="school begins later", **more)


def test_every_lesson_ahead_moves_within_its_week(db: Session, world: World, monday: None) -> None:
    package = world.package(lessons=4)
    series = booked(world).series
    before = [each.id for each in lessons(series)]

    moved = move(world, series)

    assert starts(series) == ["Thu 12 Mar 10:00", "Thu 19 Mar 10:00", "Thu 26 Mar 10:00", "Thu 02 Apr 10:00"]
    assert [each.rescheduled_from_booking_id for each in moved.bookings] == before
    assert {world.reloaded(Booking, each).status for each in before} == {BookingStatus.CANCELED}
    assert (world.again(package).available, world.again(package).consumed) == (0, 4)
    after = world.again(series)
    assert (after.weekday, after.start_local, after.first_day, after.last_day) == (
        3, time(10), date(2026, 3, 9), date(2026, 4, 2),
    )  # fmt: skip


def test_by_half_an_hour_the_own_slot_in_the_way_goes(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4)
    series = booked(world).series
    vacated = lessons(series)[0].slot_id

    move(world, series, NewTime(0, time(15, 30)))

    assert starts(series)[0] == "Mon 09 Mar 15:30"
    assert world.reloaded(Slot, vacated).status is SlotStatus.WITHDRAWN


def test_from_one_lesson_on_the_earlier_ones_stay(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4)
    series = booked(world).series

    move(world, series, NewTime(3, time(10), from_booking=lessons(series)[2].id))

    assert starts(series) == ["Mon 09 Mar 15:00", "Mon 16 Mar 15:00", "Thu 26 Mar 10:00", "Thu 02 Apr 10:00"]


def test_to_another_teacher_on_that_teachers_clock(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4)
    kim = world.person("Kim", world.tom.role, timezone="America/New_York")
    series = booked(world).series

    move(world, series, NewTime(0, time(9), teacher_id=kim.id))

    assert starts(series) == ["Mon 09 Mar 13:00", "Mon 16 Mar 13:00", "Mon 23 Mar 13:00", "Mon 30 Mar 13:00"]
    assert (world.again(series).teacher_id, world.again(series).zone) == (kim.id, "America/New_York")


def test_one_conflict_and_nothing_moves_and_the_day_left_out_stays_where_it_is(
    db: Session, world: World, monday: None
) -> None:
    world.package()
    world.package(world.ben)
    series = booked(world).series
    world.booking(world.slot(start_at=datetime(2026, 3, 19, 10, tzinfo=UTC)), world.ben)

    with refused("slot_taken", code="series_conflicts"):
        move(world, series)

    assert len([each for each in starts(series) if each.startswith("Mon")]) == 4
    move(world, series, NewTime(3, time(10), skip=frozenset([date(2026, 3, 16)])))
    assert starts(series) == ["Thu 12 Mar 10:00", "Mon 16 Mar 15:00", "Thu 26 Mar 10:00", "Thu 02 Apr 10:00"]


def test_short_notice_by_the_student_costs_another_lesson(db: Session, world: World, monday: None) -> None:
    package = world.package(lessons=5)
    series = booked(world).series

    with clock.standing_at(MONDAY + timedelta(days=6, hours=20)):
        moved = move(world, series, NewTime(3, time(10), cause="student"))

    assert world.again(package).available == 0
    assert len(moved.bookings) == 4


def test_short_notice_with_no_lesson_left_is_a_conflict(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4)
    series = booked(world).series

    with clock.standing_at(MONDAY + timedelta(days=6, hours=20)), refused("no_lessons_left", code="series_conflicts"):
        move(world, series, NewTime(3, time(10), cause="student"))


def test_what_has_begun_and_what_is_there_already_stays(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4)
    series = booked(world).series
    second = lessons(series)[1]
    there = world.slot(start_at=datetime(2026, 3, 19, 10, tzinfo=UTC))
    reschedule_booking(as_actor(world.sue), second.id, new_slot_id=there.id, reason="once", cause="school")

    with clock.standing_at(MONDAY + timedelta(days=7, hours=6)):
        moved = move(world, series)

    assert [[reason.code for reason in each.reasons] for each in moved.kept] == [
        ["lesson_already_started"],
        ["same_slot"],
    ]
    assert starts(series) == ["Mon 09 Mar 15:00", "Thu 19 Mar 10:00", "Thu 26 Mar 10:00", "Thu 02 Apr 10:00"]


def test_the_preview_says_what_happens(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4)
    series = booked(world).series

    foreseen = preview_move_series(db, as_actor(world.sue), series.id, to=THURSDAY)
    moved = move(world, series)

    assert foreseen.is_possible
    assert [each.date.start_at for each in foreseen.dates] == [each.start_at for each in moved.bookings]


def test_more_dates_follow_at_the_new_time(db: Session, world: World, monday: None) -> None:
    world.package(lessons=9)
    series = booked(world, count=2).series
    move(world, series)

    extend_series(as_actor(world.sue), series.id, count=1, reason="more")

    assert starts(series)[-1] == "Thu 26 Mar 10:00"


def test_who_may_not_and_what_may_not(db: Session, world: World, monday: None) -> None:
    world.package()
    series = booked(world).series

    for actor in (as_actor(world.finn), as_actor(world.tom), as_actor(world.ann)):
        with pytest.raises((NotAllowed, NotFound)):
            move_series(actor, series.id, to=THURSDAY, reason="mine")
    with refused("bad_weekday", code="series_invalid"):
        move(world, series, NewTime(7, time(10)))
    with refused("unknown_dates", code="series_invalid"):
        move(world, series, NewTime(3, time(10), skip=frozenset([date(2026, 3, 10)])))
    with pytest.raises(NotFound):
        move(world, series, NewTime(3, time(10), teacher_id=series.id))
    cancel_series(as_actor(world.sue), series.id, reason="over", cause="school")
    with refused("series_over"):
        move(world, series)
