"""A hold keeps one slot and one lesson, or says everything that is against it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, errors, policy
from guitaronline.actor import SYSTEM
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing.service import freeze_package
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.service import cancel_booking, confirm_booking, hold_slot
from guitaronline.booking.slots import block_slot, withdraw_slot
from guitaronline.db import new_id
from guitaronline.identity.service import deactivate_person
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher
from tests.booking.conftest import refused
from tests.statements import statements
from tests.world import World, as_actor

pytestmark = pytest.mark.usefixtures("both_ways")


def test_a_hold_keeps_the_slot_and_reserves_a_lesson(db: Session, world: World) -> None:
    package = world.package(lessons=5)
    with clock.standing_at(world.now):
        booking = world.hold(world.slot())
        now = world.now

    assert (booking.status, booking.student_id, booking.teacher_id) == (BookingStatus.HOLD, world.ann.id, world.tom.id)
    assert booking.hold_expires_at == now + timedelta(minutes=10)
    assert booking.reference.startswith("BK-")
    assert booking.policy == {"refund_window_hours": 24, "min_notice_minutes": 60, "override": False}
    package = world.again(package)
    assert (package.available, package.reserved, package.lessons_left) == (4, 1, 5)
    assert db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == booking.id)).all() == ["booking.held"]


def test_a_slot_that_somebody_holds_is_taken(world: World) -> None:
    world.package()
    world.package(world.ben)
    slot = world.slot()
    world.hold(slot)

    with refused("slot_taken"):
        world.hold(slot, world.ben)


def test_ones_own_slot_is_taken_too(world: World) -> None:
    world.package()
    slot = world.slot()
    world.hold(slot)

    with refused("slot_taken"):
        world.hold(slot)


def test_a_lapsed_hold_of_somebody_else_is_released_by_who_comes_next(db: Session, world: World) -> None:
    mine, theirs = world.package(lessons=1), world.package(world.ben, lessons=1)
    slot = world.slot()
    lapsed = world.hold(slot, world.ben)

    with clock.moved_by(timedelta(minutes=10)):
        booking = world.hold(slot)

    assert booking.status is BookingStatus.HOLD
    assert world.again(lapsed).status is BookingStatus.EXPIRED
    assert (world.again(theirs).available, world.again(mine).reserved) == (1, 1)
    expired = db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "booking.expired")).one()
    assert (expired.record_id, expired.payload["cause"]) == (lapsed.id, "system")


def test_ones_own_lapsed_hold_at_the_same_time_is_released(world: World) -> None:
    world.package()
    slot = world.slot(world.tom)
    lapsed = world.hold(slot)

    with clock.moved_by(timedelta(minutes=10)):
        world.hold(world.slot(world.tina, start_at=slot.start_at + timedelta(minutes=30)))

    assert world.again(lapsed).status is BookingStatus.EXPIRED


def test_a_lapsed_hold_does_not_keep_the_last_lesson(world: World) -> None:
    package = world.package(lessons=1)
    lapsed = world.hold(world.slot(hours=48))

    with clock.moved_by(timedelta(minutes=10)):
        world.hold(world.slot(hours=72))

    assert world.again(lapsed).status is BookingStatus.EXPIRED
    assert (world.again(package).available, world.again(package).reserved) == (0, 1)


def test_a_lapsed_hold_on_a_time_long_past_still_gives_its_lesson_back(world: World) -> None:
    package = world.package(lessons=1)
    world.hold(world.slot(hours=2))

    with clock.moved_by(timedelta(days=30)):
        world.hold(world.slot(hours=48))

    assert (world.again(package).available, world.again(package).reserved) == (0, 1)


def test_the_fourth_live_hold_is_refused_and_lapsed_ones_do_not_count(world: World) -> None:
    world.package(lessons=9)
    for hours in (50, 52, 54):
        world.hold(world.slot(hours=hours))

    with refused("too_many_holds"):
        world.hold(world.slot(hours=56))
    with clock.moved_by(timedelta(minutes=10)):
        assert world.hold(world.slot(hours=58)).status is BookingStatus.HOLD


def test_the_last_second_of_the_notice(world: World) -> None:
    world.package()
    slot = world.slot(hours=10)

    with clock.standing_at(slot.start_at - timedelta(minutes=60)), refused("too_short_notice"):
        world.hold(slot)
    with clock.standing_at(slot.start_at - timedelta(minutes=60, seconds=1)):
        assert world.hold(slot).status is BookingStatus.HOLD


def test_the_last_second_of_the_horizon(world: World) -> None:
    world.package()
    slot = world.slot(hours=24 * 60)

    with clock.standing_at(slot.start_at - timedelta(days=56, seconds=1)), refused("beyond_horizon"):
        world.hold(slot)
    with clock.standing_at(slot.start_at - timedelta(days=56)):
        assert world.hold(slot).status is BookingStatus.HOLD


def test_a_slot_that_has_begun_is_no_longer_bookable_not_even_by_override(world: World) -> None:
    world.package()
    slot = world.slot(hours=2)

    with clock.standing_at(slot.start_at), refused("slot_started"):
        hold_slot(as_actor(world.sue), slot.id, student_id=world.ann.id, override=True, reason="she is here")


def test_every_reason_is_told_at_once(db: Session, world: World) -> None:
    package = world.package(lessons=2, lesson_minutes=60)
    slot = world.slot(minutes=45)
    world.booking(world.slot(world.tina, start_at=slot.start_at))
    block_slot(as_actor(world.tom), slot.id, reason="at the dentist's")
    profile = profile_of(db, world.tom.id)
    assert profile
    disable_teacher(as_actor(world.sue), profile.id, reason="ill")
    freeze_package(as_actor(world.ada), package.id, reason="ill too")
    deactivate_person(SYSTEM, world.ann.id, reason="moved away")

    with refused(
        "slot_blocked",
        "teacher_not_active",
        "student_not_active",
        "student_busy",
        "package_frozen",
        "wrong_lesson_length",
    ):
        world.hold(slot)


def test_a_withdrawn_slot_is_refused(world: World) -> None:
    world.package()
    slot = world.slot()
    withdraw_slot(as_actor(world.tom), slot.id, reason="no longer")

    with refused("slot_withdrawn"):
        world.hold(slot)


def test_without_any_package_there_are_no_lessons(world: World) -> None:
    slot = world.slot()
    with refused("no_lessons_left"):
        world.hold(slot, world.ben)


def test_the_package_that_expires_first_pays_and_none_at_all_comes_last(world: World) -> None:
    slot = world.slot()
    world.package()
    world.package(expires_at=slot.start_at + timedelta(days=60))
    first = world.package(expires_at=slot.start_at)
    world.package(expires_at=slot.start_at - timedelta(seconds=1))

    assert world.hold(slot).package_id == first.id


def test_a_named_package_pays_or_says_why_not(world: World) -> None:
    slot = world.slot()
    world.package()
    chosen = world.package()
    expiring = world.package(expires_at=slot.start_at - timedelta(seconds=1))

    with refused("package_expires_before_lesson"):
        world.hold(slot, package_id=expiring.id)
    assert world.hold(slot, package_id=chosen.id).package_id == chosen.id


def test_an_overdue_package_is_unusable_before_any_job_has_run(world: World) -> None:
    world.package(expires_at=world.now + timedelta(hours=1))
    slot = world.slot()

    with clock.moved_by(timedelta(hours=1)), refused("package_expired"):
        world.hold(slot)


def test_somebody_elses_package_does_not_exist(world: World) -> None:
    world.package()
    theirs = world.package(world.ben)
    slot = world.slot()

    with refused("not_found"):
        world.hold(slot, package_id=theirs.id)
    with refused("not_found"):
        world.hold(slot, package_id=new_id())
    with refused("not_found"):
        hold_slot(as_actor(world.ann), new_id())


def test_an_hour_and_a_second_do_not_fit_a_package_for_an_hour(world: World) -> None:
    world.package(lesson_minutes=60)
    start = world.now + timedelta(days=2)
    slot = world.slot(start_at=start)
    longer = world.slot(world.tina, start_at=start, minutes=60 + 1 / 60)  # type: ignore[arg-type]

    with refused("wrong_lesson_length"):
        world.hold(longer)
    assert world.hold(slot).status is BookingStatus.HOLD


def test_a_student_books_for_nobody_else(world: World) -> None:
    world.package(world.ben)
    slot = world.slot()

    with refused("not_found"):
        hold_slot(as_actor(world.ann), slot.id, student_id=world.ben.id)


@pytest.mark.parametrize("who", ["tom", "finn", "audrey"])
def test_teachers_finance_and_auditors_do_not_book(world: World, who: str) -> None:
    world.package()
    slot = world.slot()

    with refused("not_allowed"):
        hold_slot(as_actor(getattr(world, who)), slot.id, student_id=world.ann.id)


def test_staff_name_the_student(world: World) -> None:
    world.package()
    slot = world.slot()

    with refused("student_missing", code="booking_invalid"):
        hold_slot(as_actor(world.sue), slot.id)
    assert hold_slot(as_actor(world.sue), slot.id, student_id=world.ann.id).student_id == world.ann.id


def test_staff_override_notice_horizon_and_length_with_a_reason_and_nothing_else(world: World) -> None:
    world.package(lesson_minutes=60, lessons=3)
    soon, far = world.slot(hours=0.5, minutes=30), world.slot(hours=24 * 70, minutes=30)
    sue, ann = as_actor(world.sue), world.ann.id

    with refused("too_short_notice", "wrong_lesson_length"):
        hold_slot(sue, soon.id, student_id=ann)
    with refused("reason_required", code="booking_invalid"):
        hold_slot(sue, soon.id, student_id=ann, override=True)
    held = hold_slot(sue, soon.id, student_id=ann, override=True, reason="she is at the door")
    assert held.policy["override"] is True
    assert hold_slot(sue, far.id, student_id=ann, override=True, reason="a gift").status is BookingStatus.HOLD
    with refused("slot_taken"):
        hold_slot(sue, soon.id, student_id=ann, override=True, reason="again")


def test_a_student_overrides_nothing(world: World) -> None:
    world.package()
    slot = world.slot(hours=0.5)
    with refused("not_allowed"):
        world.hold(slot, override=True, reason="please")


def test_staff_keep_a_slot_for_a_day_and_no_longer(world: World) -> None:
    world.package()
    slot, sue = world.slot(), as_actor(world.sue)

    with refused("hold_minutes_out_of_range", code="booking_invalid"):
        hold_slot(sue, slot.id, student_id=world.ann.id, hold_minutes=1441)
    with refused("hold_minutes_not_allowed", code="booking_invalid"):
        world.hold(slot, hold_minutes=11)
    with clock.standing_at(world.now):
        held = hold_slot(sue, slot.id, student_id=world.ann.id, hold_minutes=1440)
        assert held.hold_expires_at == world.now + timedelta(hours=24)


def test_a_hold_ends_when_its_lesson_would_start(world: World) -> None:
    world.package()
    slot = world.slot(hours=5)

    held = hold_slot(as_actor(world.sue), slot.id, student_id=world.ann.id, hold_minutes=1440)

    assert held.hold_expires_at == slot.start_at


def test_limit_of_bookings_ahead(world: World) -> None:
    world.package(lessons=9)
    world.booking(world.slot(hours=50))
    slot = world.slot(hours=60)

    with policy.changed(BOOKING_MAX_ACTIVE_PER_STUDENT=1), refused("too_many_bookings"):
        world.hold(slot)
    with policy.changed(BOOKING_MAX_ACTIVE_PER_STUDENT=2):
        assert world.hold(slot).status is BookingStatus.HOLD


def test_limit_of_a_teachers_day_goes_by_the_teachers_calendar(world: World) -> None:
    world.package(lessons=9)
    tokyo = world.person("Kenji", world.tom.role, timezone="Asia/Tokyo")
    noon_utc = (world.now + timedelta(days=5)).replace(hour=12, minute=0, second=0)
    evening, late = world.slot(tokyo, start_at=noon_utc), world.slot(tokyo, start_at=noon_utc + timedelta(hours=2))
    next_day = world.slot(tokyo, start_at=noon_utc + timedelta(hours=3))  # midnight in Tokyo
    world.booking(evening)

    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=1):
        with refused("teacher_day_full"):
            world.hold(late)
        assert world.hold(next_day).status is BookingStatus.HOLD


def test_a_refusal_leaves_nothing(db: Session, world: World) -> None:
    package = world.package()
    slot = world.slot(hours=0.5)
    with pytest.raises(errors.Conflict):
        world.hold(slot)

    assert db.scalars(select(Booking)).all() == []
    assert world.again(package).reserved == 0


def test_a_slot_freed_by_a_cancellation_is_bookable_at_once(world: World) -> None:
    world.package()
    world.package(world.ben)
    slot = world.slot()
    booking = world.booking(slot)
    cancel_booking(as_actor(world.ann), booking.id)

    held = world.hold(slot, world.ben)
    assert confirm_booking(as_actor(world.ben), held.id).status is BookingStatus.CONFIRMED


def test_a_hold_takes_few_statements(world: World) -> None:
    world.package()
    slot = world.slot()
    with statements() as seen:
        world.hold(slot)

    assert len(seen) <= 10  # 12 with the token's and the idempotency row's


def test_confirm_takes_few_statements(world: World) -> None:
    world.package()
    held = world.hold()
    with statements() as seen:
        confirm_booking(as_actor(world.ann), held.id)

    assert len(seen) <= 9
