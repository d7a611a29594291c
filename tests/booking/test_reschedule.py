"""A move is a cancellation and a new booking in one; a bad target changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import OutboxEvent
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.queries import preview_reschedule
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.booking.slots import block_slot
from guitaronline.db import new_id
from guitaronline.lessons.models import Lesson, LessonStatus
from tests.booking.conftest import refused
from tests.world import World, as_actor


def test_in_time_the_balance_stays_and_both_are_linked(db: Session, world: World) -> None:
    package = world.package(lessons=3)
    old, target = world.booking(world.slot(hours=48)), world.slot(world.tina, hours=72)

    new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id, reason="a concert")

    old = world.again(old)
    assert (new.status, new.slot_id, new.teacher_id) == (BookingStatus.CONFIRMED, target.id, world.tina.id)
    assert (new.rescheduled_from_booking_id, new.confirmed_at is not None) == (old.id, True)
    assert (old.status, old.refund_returned, old.cancellation_reason) == (BookingStatus.CANCELED, True, "a concert")
    assert old.decision["outcome"] == "returned"
    assert (world.again(package).available, world.again(package).consumed) == (2, 1)
    lessons = {lesson.booking_id: lesson.status for lesson in db.scalars(select(Lesson))}
    assert lessons == {old.id: LessonStatus.CANCELED, new.id: LessonStatus.SCHEDULED}


def test_the_news_is_a_move_on_both_and_no_cancellation(db: Session, world: World) -> None:
    world.package()
    old = world.booking()
    new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=world.slot(hours=72).id)

    told = db.scalars(
        select(OutboxEvent).where(OutboxEvent.topic.in_(["booking.rescheduled", "booking.canceled"]))
    ).all()
    assert {event.topic for event in told} == {"booking.rescheduled"}
    links = {event.record_id: (event.payload.get("successor"), event.payload.get("rescheduled_from")) for event in told}
    assert links == {old.id: (str(new.id), None), new.id: (None, str(old.id))}


def test_too_late_the_old_lesson_is_lost_and_the_new_one_costs_another(world: World) -> None:
    package = world.package(lessons=3)
    old = world.booking(world.slot(hours=48))
    target = world.slot(hours=90)
    with clock.standing_at(old.start_at - timedelta(hours=23)):
        reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)

    assert world.again(old).refund_returned is False
    assert (world.again(package).available, world.again(package).consumed) == (1, 2)


def test_too_late_without_another_lesson_is_refused_and_nothing_changes(world: World) -> None:
    package = world.package(lessons=1)
    old = world.booking(world.slot(hours=48))
    target = world.slot(hours=90)
    with clock.standing_at(old.start_at - timedelta(hours=23)):
        with refused("no_lessons_left"):
            reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)
        assert world.again(old).status is BookingStatus.CONFIRMED
        moved = reschedule_booking(
            as_actor(world.sue), old.id, new_slot_id=target.id, cause="goodwill", reason="she is ill"
        )

    assert moved.status is BookingStatus.CONFIRMED
    assert (world.again(package).available, world.again(package).consumed) == (0, 1)


def test_the_last_lesson_of_a_package_can_be_moved(world: World) -> None:
    package = world.package(lessons=1)
    old = world.booking()
    new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=world.slot(hours=72).id)

    assert new.package_id == package.id
    assert world.again(package).status == "depleted"


def test_a_returned_lesson_pays_for_the_new_one_though_another_package_expires_first(world: World) -> None:
    package = world.package(lessons=3)
    old = world.booking()
    target = world.slot(hours=72)
    other = world.package(lessons=3, expires_at=target.start_at + timedelta(days=1))

    new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)

    assert new.package_id == package.id
    assert world.again(other).available == 3


def test_beyond_its_package_another_one_pays(world: World) -> None:
    slot, target = world.slot(hours=48), world.slot(hours=96)
    package = world.package(lessons=3, expires_at=slot.start_at + timedelta(hours=1))
    old = world.booking(slot)
    with refused("package_expires_before_lesson"):
        reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)
    other = world.package(lessons=1)

    new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)

    assert new.package_id == other.id
    assert (world.again(package).available, world.again(other).available) == (3, 0)


def test_it_may_move_to_a_time_that_overlaps_its_own(world: World) -> None:
    world.package()
    old = world.booking(world.slot(hours=48))
    target = world.slot(world.tina, start_at=old.start_at + timedelta(minutes=30))

    assert reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id).status is BookingStatus.CONFIRMED


def test_it_may_not_move_onto_another_booking_of_the_student(world: World) -> None:
    world.package()
    old, other = world.booking(world.slot(hours=48)), world.booking(world.slot(hours=72))
    target = world.slot(world.tina, start_at=other.start_at)

    with refused("student_busy"):
        reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)
    assert world.again(old).status is BookingStatus.CONFIRMED


def test_the_vacated_slot_is_free_at_once_and_the_way_back_is_open(world: World) -> None:
    world.package()
    slot = world.slot(hours=48)
    old = world.booking(slot)
    there = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=world.slot(hours=72).id)
    back = reschedule_booking(as_actor(world.ann), there.id, new_slot_id=slot.id)

    assert (back.slot_id, back.status) == (slot.id, BookingStatus.CONFIRMED)


def test_a_repeat_answers_with_the_successor_and_another_target_is_told(db: Session, world: World) -> None:
    package = world.package(lessons=3)
    old, target, other = world.booking(), world.slot(hours=72), world.slot(hours=74)
    new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)

    assert reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id).id == new.id
    with refused("already_rescheduled"):
        reschedule_booking(as_actor(world.ann), old.id, new_slot_id=other.id)
    cancel_booking(as_actor(world.ann), new.id)
    with refused("already_rescheduled"):
        reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)
    assert world.again(package).available == 3
    assert len(db.scalars(select(Booking)).all()) == 2


def test_what_was_canceled_or_only_held_or_stays_cannot_move(world: World) -> None:
    world.package()
    canceled, held, stays = world.booking(), world.hold(world.slot(hours=60)), world.booking(world.slot(hours=62))
    cancel_booking(as_actor(world.ann), canceled.id)
    target = world.slot(hours=72)

    with refused("booking_canceled"):
        reschedule_booking(as_actor(world.ann), canceled.id, new_slot_id=target.id)
    with refused("booking_not_confirmed"):
        reschedule_booking(as_actor(world.ann), held.id, new_slot_id=target.id)
    with refused("same_slot"):
        reschedule_booking(as_actor(world.ann), stays.id, new_slot_id=stays.slot_id)
    with refused("not_found"):
        reschedule_booking(as_actor(world.ann), stays.id, new_slot_id=new_id())
    with clock.moved_by(timedelta(minutes=10)), refused("hold_expired"):
        reschedule_booking(as_actor(world.ann), held.id, new_slot_id=target.id)
    assert world.again(held).status is BookingStatus.EXPIRED


def test_a_lapsed_hold_on_the_target_is_released(world: World) -> None:
    world.package()
    world.package(world.ben)
    old, target = world.booking(), world.slot(hours=72)
    lapsed = world.hold(target, world.ben)

    with refused("slot_taken"):
        reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)
    with clock.moved_by(timedelta(minutes=10)):
        reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)
    assert world.again(lapsed).status is BookingStatus.EXPIRED


def test_a_started_lesson_and_a_bad_target_are_told_together(world: World) -> None:
    world.package()
    old, target = world.booking(world.slot(hours=48)), world.slot(hours=72)
    block_slot(as_actor(world.tom), target.id, reason="holiday")

    with (
        clock.standing_at(old.start_at),
        refused("lesson_already_started", "slot_blocked", code="cancellation_window_closed"),
    ):
        reschedule_booking(as_actor(world.sue), old.id, new_slot_id=target.id, reason="moved", cause="school")


def test_staff_override_the_notice_of_the_target(world: World) -> None:
    world.package()
    old, soon = world.booking(), world.slot(hours=0.5)

    with refused("too_short_notice"):
        reschedule_booking(as_actor(world.sue), old.id, new_slot_id=soon.id, reason="today")
    moved = reschedule_booking(as_actor(world.sue), old.id, new_slot_id=soon.id, reason="today", override=True)
    assert moved.policy["override"] is True


def test_others_bookings_do_not_exist(world: World) -> None:
    world.package()
    old, target = world.booking(), world.slot(hours=72)

    with refused("not_found"):
        reschedule_booking(as_actor(world.ben), old.id, new_slot_id=target.id)
    with refused("not_found"):
        reschedule_booking(as_actor(world.tina), old.id, new_slot_id=target.id)
    moved = reschedule_booking(as_actor(world.tom), old.id, new_slot_id=target.id)
    assert world.again(old).cancel_cause == "teacher"
    assert moved.status is BookingStatus.CONFIRMED


@pytest.mark.parametrize(("hours", "outcome", "left"), [(30, "returned", 2), (3, "forfeited", 1)])
def test_the_preview_says_what_will_be(db: Session, world: World, hours: float, outcome: str, left: int) -> None:
    package = world.package(lessons=3)
    old, target = world.booking(world.slot(hours=40)), world.slot(hours=90)
    with clock.standing_at(old.start_at - timedelta(hours=hours)):
        preview = preview_reschedule(db, as_actor(world.ann), old.id, new_slot_id=target.id)
        new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)

    assert preview.possible
    assert preview.decision is not None
    assert (preview.decision.outcome, preview.package_id) == (outcome, new.package_id)
    assert world.again(package).available == left


def test_the_preview_of_what_cannot_be_says_why(db: Session, world: World) -> None:
    world.package()
    old, target, held = world.booking(), world.slot(hours=0.5), world.hold(world.slot(hours=60))

    def codes(booking: Booking, slot_id: object) -> list[str]:
        return [
            each.code for each in preview_reschedule(db, as_actor(world.ann), booking.id, new_slot_id=slot_id).reasons
        ]  # type: ignore[arg-type]

    assert codes(old, target.id) == ["too_short_notice"]
    assert codes(old, old.slot_id) == ["same_slot"]
    assert codes(held, target.id) == ["booking_not_confirmed"]
