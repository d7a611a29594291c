"""A booking that was canceled by mistake stands again, and its lesson is used once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.booking import restoring
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.restoring import restore_booking
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.db import new_id
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.service import deactivate_person
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.lessons.service import set_join_url
from tests.booking.conftest import refused
from tests.concurrency import at_once, done
from tests.world import World, as_actor

WHY = "canceled the wrong week"


def canceled(world: World, *, hours: float = 48, cause: str = "school", **more: str) -> Booking:
    booking = world.booking(world.slot(hours=hours))
    return cancel_booking(as_actor(world.ada), booking.id, reason="oops", cause=cause, **more)


def lesson_of(db: Session, booking: Booking) -> Lesson:
    db.rollback()
    return db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()


def test_a_returned_lesson_is_taken_again(world: World, db: Session) -> None:
    package = world.package(lessons=3)
    old = canceled(world)

    new = restore_booking(as_actor(world.sue), old.id, reason=WHY)

    assert (new.status, new.restored_from_booking_id, new.slot_id) == (BookingStatus.CONFIRMED, old.id, old.slot_id)
    assert (new.policy, new.package_id) == (old.policy, package.id)
    assert (world.again(package).available, world.again(package).consumed) == (2, 1)
    assert lesson_of(db, new).status is LessonStatus.SCHEDULED


def test_a_forfeited_lesson_is_not_charged_twice(world: World, db: Session) -> None:
    package = world.package(lessons=1)
    old = canceled(world, hours=5, cause="student")
    assert old.refund_returned is False

    restore_booking(as_actor(world.sue), old.id, reason=WHY)

    assert (world.again(package).available, world.again(package).consumed) == (0, 1)
    assert (world.again(old).refund_returned, lesson_of(db, old).is_returned) == (True, True)


def test_the_old_decision_says_that_it_was_taken_back(world: World) -> None:
    world.package()
    old = canceled(world)

    new = restore_booking(as_actor(world.sue), old.id, reason=WHY)

    decision = world.again(old).decision
    assert decision["restored_as"] == str(new.id)
    assert decision["sentence"].endswith("This was taken back: the booking stands again.")


def test_what_was_prepared_for_the_lesson_stands_on_the_new_one(world: World, db: Session) -> None:
    world.package()
    booking = world.booking()
    url = "https://meet.example/ann"
    set_join_url(as_actor(world.ada), lesson_of(db, booking).id, join_url=url)
    cancel_booking(as_actor(world.ada), booking.id, reason="oops", cause="school")

    new = restore_booking(as_actor(world.sue), booking.id, reason=WHY)

    assert lesson_of(db, new).join_url == url


def test_a_hold_is_held_again_until_its_old_time(world: World) -> None:
    package = world.package(lessons=1)
    held = world.hold()
    cancel_booking(as_actor(world.ada), held.id, reason="oops", cause="school")

    new = restore_booking(as_actor(world.sue), held.id, reason=WHY)

    assert (new.status, new.hold_expires_at) == (BookingStatus.HOLD, held.hold_expires_at)
    assert world.again(package).reserved == 1


def test_a_hold_whose_time_is_over_is_not(world: World) -> None:
    world.package()
    held = world.hold()
    cancel_booking(as_actor(world.ada), held.id, reason="oops", cause="school")

    with clock.standing_at(held.hold_expires_at), refused("hold_expired"):
        restore_booking(as_actor(world.sue), held.id, reason=WHY)


def test_repeating_it_answers_with_the_same_booking(world: World) -> None:
    world.package()
    old = canceled(world)

    first, second = (restore_booking(as_actor(world.sue), old.id, reason=WHY) for _ in range(2))

    assert first.id == second.id


def test_it_stands_again_once_only(world: World) -> None:
    world.package()
    old = canceled(world)
    new = restore_booking(as_actor(world.sue), old.id, reason=WHY)
    cancel_booking(as_actor(world.ada), new.id, reason="after all", cause="school")

    with refused("already_restored"):
        restore_booking(as_actor(world.sue), old.id, reason=WHY)


def test_notice_does_not_matter_but_the_start_does(world: World) -> None:
    world.package()
    old = canceled(world, hours=3)

    with clock.standing_at(old.start_at), refused("slot_started"):
        restore_booking(as_actor(world.sue), old.id, reason=WHY)
    with clock.standing_at(old.start_at - timedelta(minutes=5)):
        assert restore_booking(as_actor(world.sue), old.id, reason=WHY).status is BookingStatus.CONFIRMED


def test_a_booking_that_stands_cannot_be_restored(world: World) -> None:
    world.package()

    with refused("booking_not_canceled"):
        restore_booking(as_actor(world.sue), world.booking().id, reason=WHY)


def test_a_moved_booking_is_not_restored(world: World) -> None:
    world.package()
    old = world.booking()
    reschedule_booking(as_actor(world.ann), old.id, new_slot_id=world.slot(hours=70).id)

    with refused("booking_was_moved"):
        restore_booking(as_actor(world.sue), old.id, reason=WHY)


def test_everything_that_says_no_is_named(world: World) -> None:
    world.package(lessons=1)
    old = canceled(world)
    world.hold(world.slot(world.tina, start_at=old.start_at))
    deactivate_person(as_actor(world.ada), world.ann.id, reason="moved away")

    with refused("student_not_active", "student_busy", "no_lessons_left"):
        restore_booking(as_actor(world.sue), old.id, reason=WHY)


def test_another_package_does_not_pay(world: World) -> None:
    from guitaronline.billing.service import revoke_package

    package = world.package(lessons=1)
    old = canceled(world)
    world.package(lessons=9)
    revoke_package(as_actor(world.ada), package.id, reason="refunded")

    with refused("package_not_active"):
        restore_booking(as_actor(world.sue), old.id, reason=WHY)


@pytest.mark.parametrize("role", [Role.STUDENT, Role.TEACHER, Role.FINANCE, Role.AUDITOR])
def test_only_the_school_restores(world: World, role: Role) -> None:
    world.package()
    old = canceled(world)

    with pytest.raises((NotAllowed, NotFound)):
        restore_booking(as_actor(world.person("Somebody", role)), old.id, reason=WHY)


def test_there_is_a_reason_and_a_booking(world: World) -> None:
    world.package()
    old = canceled(world)

    with refused("reason_required", code="booking_invalid"):
        restore_booking(as_actor(world.sue), old.id, reason=" ")
    with pytest.raises(NotFound):
        restore_booking(as_actor(world.sue), new_id(), reason=WHY)


def test_the_preview_agrees_with_the_command(world: World, db: Session) -> None:
    package = world.package(lessons=3)
    bookings = [
        canceled(world, hours=50),
        canceled(world, hours=60, cause="student"),
        canceled(world, hours=5, cause="student"),
    ]
    db.rollback()

    answers = restoring.preview_restores(db, [each.id for each in bookings], world.now)
    db.rollback()
    made = [restore_booking(as_actor(world.sue), each.id, reason=WHY) for each in bookings]

    assert [answer.reasons for _, answer in answers] == [[], [], []]
    assert {each.package_id for each in made} == {package.id}


def test_two_at_once_make_one_booking(world: World, app: Flask) -> None:
    world.package(lessons=3)
    old, sue = canceled(world), as_actor(world.sue)

    results = done(at_once(app, *[lambda: restore_booking(sue, old.id, reason=WHY)] * 3))

    assert len({each.id for each in results}) == 1
    assert len(results) == 3
