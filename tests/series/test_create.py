"""A series is booked as a whole, or nothing of it; what the preview says is what happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing.service import freeze_package
from guitaronline.booking.absences import create_closure, create_time_off
from guitaronline.booking.models import Booking
from guitaronline.booking.queries import explain_slot
from guitaronline.booking.series import (
    SeriesPreview,
    create_series,
    extend_series,
    extension,
    preview_extension,
    preview_series,
)
from guitaronline.booking.series_canceling import cancel_series
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.slots import block_slot
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.scheduling.models import Slot
from guitaronline.teachers.service import NotATeacher
from tests.booking.conftest import refused
from tests.series.conftest import MONDAY, NEXT, booked, lessons, starts, wanted
from tests.statements import statements
from tests.world import World, as_actor

THREE = datetime(2026, 3, 9, 15, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def nothing_happened(db: Session) -> bool:
    db.rollback()
    return not db.scalar(
        select(func.count()).select_from(Booking).where(Booking.series_id.is_not(None))
    ) and not db.scalar(select(func.count()).select_from(LessonSeries))


def told(preview: SeriesPreview) -> dict[date, list[str]]:
    """The reasons of the dates that cannot be booked."""
    return {each.date.day: [reason.code for reason in each.reasons] for each in preview.dates if each.reasons}


def test_every_date_is_a_confirmed_booking_with_its_lesson(db: Session, world: World, monday: None) -> None:
    package = world.package(lessons=5)

    made = booked(world)

    assert starts(made.series) == ["Mon 09 Mar 15:00", "Mon 16 Mar 15:00", "Mon 23 Mar 15:00", "Mon 30 Mar 15:00"]
    assert [each.series_day for each in lessons(made.series)] == [NEXT + number * WEEK for number in range(4)]
    assert db.scalars(select(Lesson.status)).all() == [LessonStatus.SCHEDULED] * 4
    assert (world.again(package).available, world.again(package).consumed) == (1, 4)
    topics = select(OutboxEvent.topic).where(OutboxEvent.topic.in_(["booking.confirmed", "series.created"]))
    assert sorted(db.scalars(topics)) == ["booking.confirmed"] * 4 + ["series.created"]


def test_a_slot_that_stands_is_taken_and_a_missing_one_made(db: Session, world: World, monday: None) -> None:
    world.package()
    slot = world.slot(start_at=THREE + WEEK)

    made = booked(world)

    assert [each.slot_id == slot.id for each in made.bookings] == [False, True, False, False]
    assert db.scalar(select(func.count()).select_from(Slot)) == 4


def test_one_conflict_and_nothing_has_happened_and_the_date_left_out_makes_it_possible(
    db: Session, world: World, monday: None
) -> None:
    world.package()
    block_slot(as_actor(world.ada), world.slot(start_at=THREE + WEEK).id, reason="repairs")

    with refused("slot_blocked", code="series_conflicts"):
        booked(world)

    assert nothing_happened(db)
    made = booked(world, skip=frozenset([NEXT + WEEK]))
    assert starts(made.series) == ["Mon 09 Mar 15:00", "Mon 23 Mar 15:00", "Mon 30 Mar 15:00"]


def test_every_reason_of_every_date_is_told(db: Session, world: World, monday: None) -> None:
    world.package(lessons=4, expires_at=THREE + 5 * WEEK)
    world.package(world.ben)
    world.booking(world.slot(start_at=THREE), world.ben)
    block_slot(as_actor(world.ada), world.slot(start_at=THREE + WEEK, minutes=30).id, reason="repairs")
    world.booking(world.slot(world.tina, start_at=THREE + 2 * WEEK + timedelta(minutes=30)))
    create_time_off(
        as_actor(world.tom), teacher_id=world.tom.id, start_at=THREE + 3 * WEEK, end_at=THREE + 3 * WEEK + timedelta(1)
    )
    create_closure(as_actor(world.ada), name="Easter", first_day=date(2026, 4, 6), last_day=date(2026, 4, 6))

    preview = preview_series(db, as_actor(world.sue), wanted(world, count=8))

    assert told(preview) == {
        NEXT: ["slot_taken"],
        NEXT + WEEK: ["slot_overlap"],
        NEXT + 2 * WEEK: ["student_busy"],
        NEXT + 3 * WEEK: ["teacher_away"],
        NEXT + 4 * WEEK: ["school_closed"],
        NEXT + 6 * WEEK: ["package_expires_before_lesson"],
        NEXT + 7 * WEEK: ["package_expires_before_lesson"],
    }
    assert "Mon 9 Mar 2026: Somebody else has this time." in [each.detail for each in preview.reasons]


def test_packages_are_used_up_along_the_dates(db: Session, world: World, monday: None) -> None:
    late = world.package(lessons=1, expires_at=THREE + 9 * WEEK)
    soon = world.package(lessons=1, expires_at=THREE + WEEK + timedelta(minutes=1))
    never = world.package(lessons=1)

    preview = preview_series(db, as_actor(world.sue), wanted(world))
    made = booked(world, skip=frozenset([NEXT + 3 * WEEK]))

    assert told(preview).keys() == {NEXT + 3 * WEEK}
    assert "no_lessons_left" in told(preview)[NEXT + 3 * WEEK]
    assert [each.package_id for each in made.bookings] == [soon.id, late.id, never.id]


def test_named_packages_are_used_in_the_order_in_which_they_are_named(db: Session, world: World, monday: None) -> None:
    soon = world.package(lessons=5, expires_at=THREE + 9 * WEEK)
    first = world.package(lessons=2)
    world.package(lessons=9)

    made = booked(world, package_ids=(first.id, soon.id))

    assert [each.package_id for each in made.bookings] == [first.id, first.id, soon.id, soon.id]
    assert made.series.package_ids == [first.id, soon.id]


def test_a_lapsed_hold_is_in_nobodys_way(db: Session, world: World, monday: None) -> None:
    package = world.package(world.ben, lessons=1)
    slot = world.slot(start_at=THREE)
    world.hold(slot, world.ben)
    world.package()

    with clock.standing_at(MONDAY + timedelta(minutes=11)):
        made = booked(world)

    assert made.bookings[0].slot_id == slot.id
    assert world.again(package).available == 1


def test_the_daily_cap_of_the_teacher_holds(db: Session, world: World, monday: None) -> None:
    world.package()
    world.package(world.ben)
    world.booking(world.slot(start_at=THREE + WEEK - timedelta(hours=3)), world.ben)

    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=1):
        assert told(preview_series(db, as_actor(world.sue), wanted(world))) == {NEXT + WEEK: ["teacher_day_full"]}


def test_the_limit_of_lessons_ahead_counts_those_of_the_series(db: Session, world: World, monday: None) -> None:
    world.package()

    with policy.changed(BOOKING_MAX_ACTIVE_PER_STUDENT=3):
        assert told(preview_series(db, as_actor(world.sue), wanted(world))) == {NEXT + 3 * WEEK: ["too_many_bookings"]}


def test_the_clock_change_takes_a_lesson_in_the_gap(db: Session, world: World, monday: None) -> None:
    berlin = world.person("Bertha", world.tom.role, timezone="Europe/Berlin")
    world.package()
    sundays = wanted(world, teacher_id=berlin.id, first_day=date(2026, 3, 22), at=time(2, 30), count=3)

    assert told(preview_series(db, as_actor(world.sue), sundays)) == {date(2026, 3, 29): ["no_such_local_time"]}
    made = create_series(as_actor(world.sue), wanted=replace(sundays, skip=frozenset([date(2026, 3, 29)])), reason="x")
    assert starts(made.series) == ["Sun 22 Mar 01:30", "Sun 05 Apr 00:30"]


def test_what_the_series_finds_of_a_slot_is_what_a_hold_finds(db: Session, world: World, monday: None) -> None:
    world.package()
    slot = world.slot(start_at=THREE)
    create_time_off(as_actor(world.tom), teacher_id=world.tom.id, start_at=THREE, end_at=THREE + timedelta(hours=2))
    create_closure(as_actor(world.ada), name="Fair", first_day=NEXT, last_day=NEXT)

    explained = explain_slot(db, as_actor(world.sue), slot.id, student_id=world.ann.id)

    found = preview_series(db, as_actor(world.sue), wanted(world, count=1)).dates[0].reasons
    assert (
        [each.code for each in found] == [each.code for each in explained.reasons] == ["teacher_away", "school_closed"]
    )


@pytest.mark.parametrize("name", ["ann", "tom", "finn", "audrey"])
def test_only_those_who_book_for_anybody_make_series(db: Session, world: World, name: str) -> None:
    actor = as_actor(getattr(world, name))

    with pytest.raises((NotAllowed, NotFound)):
        create_series(actor, wanted=wanted(world), reason="mine")
    with pytest.raises((NotAllowed, NotFound)):
        preview_series(db, actor, wanted(world))
    assert nothing_happened(db)


def test_bad_input_is_refused_in_words(db: Session, world: World, monday: None) -> None:
    sue = as_actor(world.sue)
    frozen = freeze_package(as_actor(world.ada), world.package().id, reason="ill")

    with refused("reason_required", code="booking_invalid"):
        create_series(sue, wanted=wanted(world), reason="  ")
    with refused("too_many_dates", code="series_invalid"):
        booked(world, count=10**9)
    with refused("unknown_dates", code="series_invalid"):
        booked(world, skip=frozenset([NEXT + timedelta(days=1)]))
    with refused("no_dates_left", code="series_invalid"):
        booked(world, count=1, skip=frozenset([NEXT]))
    with refused("bad_packages", code="series_invalid"):
        booked(world, package_ids=(frozen.id, frozen.id))
    with refused("package_frozen", code="series_conflicts"):
        booked(world, count=1, package_ids=(frozen.id,))
    with refused("student_not_active", "no_lessons_left", code="series_conflicts"):
        booked(world, count=1, student_id=world.tina.id)
    with pytest.raises(NotATeacher):
        booked(world, teacher_id=world.ben.id)
    with pytest.raises(NotFound):
        booked(world, package_ids=(world.package(world.ben).id,))
    with pytest.raises(NotFound):
        booked(world, student_id=uuid4())
    assert nothing_happened(db)


def test_a_date_in_the_past_is_refused(db: Session, world: World, monday: None) -> None:
    world.package()

    assert told(preview_series(db, as_actor(world.sue), wanted(world, first_day=date(2026, 2, 23), count=3))) == {
        date(2026, 2, 23): ["slot_started"]
    }


def test_a_year_of_lessons_asks_the_database_a_bounded_number_of_times(db: Session, world: World, monday: None) -> None:
    world.package(lessons=60)

    with statements() as sent:
        made = booked(world, count=53)

    assert len(made.bookings) == 53
    assert len(sent) <= 53 * MOST_FOR_ONE


MOST_FOR_ONE = 8


def test_more_dates_follow_the_last_one(db: Session, world: World, monday: None) -> None:
    world.package(lessons=9)
    series = booked(world, count=2).series

    made = extend_series(as_actor(world.sue), series.id, count=2, reason="another month")

    assert starts(series)[2:] == ["Mon 23 Mar 15:00", "Mon 30 Mar 15:00"]
    assert [each.series_id for each in made.bookings] == [series.id] * 2
    assert world.again(series).last_day == date(2026, 3, 30)


def test_an_extension_is_previewed_by_its_rule(db: Session, world: World, monday: None) -> None:
    world.package(lessons=3)
    series = booked(world, count=2).series

    preview = preview_extension(db, as_actor(world.sue), series, extension(series, MONDAY, last_day=None, count=2))

    assert [each.is_fine for each in preview.dates] == [True, False]
    with refused("no_lessons_left", code="series_conflicts"):
        extend_series(as_actor(world.sue), series.id, count=2, reason="another month")


def test_a_canceled_series_is_not_extended(db: Session, world: World, monday: None) -> None:
    world.package()
    series = booked(world, count=2).series
    cancel_series(as_actor(world.sue), series.id, reason="moved away", cause="school")

    with refused("series_over"):
        extend_series(as_actor(world.sue), series.id, count=2, reason="another month")
