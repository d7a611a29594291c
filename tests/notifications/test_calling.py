"""A change to a lesson that starts soon: somebody of the office calls who may not read it in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.booking.substitution import substitute_booking
from guitaronline.identity.models import Task, TaskStatus
from guitaronline.identity.service import add_guardian, create_task, edit_person
from tests.notifications.telling import forget, tell_all
from tests.world import World, as_actor


@pytest.fixture
def booking(db: Session, world: World) -> Booking:
    """In 11 hours; Sue is in the office."""
    assert world.sue
    world.package()
    made = world.booking(world.slot(hours=11))
    forget(db)
    return made


def calls(db: Session) -> list[str]:
    tell_all(db)
    db.rollback()
    return sorted(db.scalars(select(Task.title).where(Task.title.like("Call %"))))


def test_who_did_not_do_it_is_called(db: Session, world: World, booking: Booking) -> None:
    cancel_booking(as_actor(world.ann), booking.id)

    assert calls(db) == [f"Call Tom (teacher): {booking.reference} is canceled"]


def test_what_the_office_does_is_told_to_both(db: Session, world: World, booking: Booking) -> None:
    cancel_booking(as_actor(world.ada), booking.id, reason="the line is down", cause="technical")

    assert calls(db) == [
        f"Call Ann (student): {booking.reference} is canceled",
        f"Call Tom (teacher): {booking.reference} is canceled",
    ]


def test_a_call_is_a_task_of_the_office_for_today(db: Session, world: World, booking: Booking) -> None:
    cancel_booking(as_actor(world.ann), booking.id)
    tell_all(db)

    task = db.scalars(select(Task)).one()
    assert (task.record_type, task.record_id, task.owner_id) == ("bookings", booking.id, world.sue.id)
    assert (task.status, task.due_on) == (TaskStatus.OPEN, world.now.date())


def test_of_a_child_the_adult_is_called_who_has_a_telephone(db: Session, world: World) -> None:
    assert world.sue
    mia = world.person("Mia", Role.STUDENT, email=None)
    add_guardian(as_actor(world.ada), mia.id, guardian_id=world.ben.id)
    edit_person(as_actor(world.ada), world.ben.id, changes={"phone": "+49 30 1234567"})
    world.package(mia)
    booking = world.booking(world.slot(hours=11), mia)
    forget(db)
    cancel_booking(as_actor(world.tom), booking.id)

    assert calls(db) == [f"Call Ben (guardian of Mia): {booking.reference} is canceled"]


def test_a_lesson_that_is_not_so_soon_needs_no_call(db: Session, world: World) -> None:
    assert world.sue
    world.package()
    booking = world.booking(world.slot(hours=12.1))
    forget(db)
    cancel_booking(as_actor(world.ann), booking.id)

    assert calls(db) == []


def test_a_lesson_that_was_soon_and_is_later_needs_one(db: Session, world: World, booking: Booking) -> None:
    target = world.slot(hours=100)
    forget(db)
    new = reschedule_booking(as_actor(world.ann), booking.id, new_slot_id=target.id)

    assert calls(db) == [f"Call Tom (teacher): {new.reference} was moved"]


def test_a_substitution_calls_all_three(db: Session, world: World, booking: Booking) -> None:
    assert world.tina
    forget(db)
    substitute_booking(as_actor(world.ada), booking.id, teacher_id=world.tina.id, reason="ill")

    assert calls(db) == [
        f"Call Ann (student): {booking.reference} has another teacher",
        f"Call Tina (teacher): {booking.reference} has another teacher",
        f"Call Tom (teacher): {booking.reference} is given by somebody else",
    ]


def test_told_twice_it_is_one_call(db: Session, world: World, booking: Booking) -> None:
    from guitaronline.notifications import calling
    from tests.notifications.test_planning import happened

    cancel_booking(as_actor(world.ann), booking.id)
    event = happened(db, "booking.canceled")

    assert (calling.call_about(event, world.now), calling.call_about(event, world.now)) == (1, 0)


def test_a_lesson_that_has_begun_meanwhile_is_not_called_about(db: Session, world: World, booking: Booking) -> None:
    cancel_booking(as_actor(world.ann), booking.id)
    with clock.moved_by(timedelta(hours=11, minutes=1)):
        assert calls(db) == []


def test_whoever_has_least_to_do_calls(db: Session, world: World, booking: Booking) -> None:
    sam = world.person("Sam", Role.SUPPORT)
    create_task(as_actor(world.ada), record_type="bookings", record_id=booking.id, title="Look", owner_id=world.sue.id)
    forget(db)
    cancel_booking(as_actor(world.ann), booking.id)
    tell_all(db)

    assert db.scalars(select(Task.owner_id).where(Task.title.like("Call %"))).all() == [sam.id]
