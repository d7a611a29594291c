"""Somebody is on the phone: all of it in one transaction, or nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import errors
from guitaronline.audit.models import AuditAction
from guitaronline.billing.models import Package
from guitaronline.booking.desk import NewGrant, NewGuardian, NewSlot, NewStudent, book_by_phone
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.identity.models import Guardian, User
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.models import Slot
from tests.booking.conftest import refused
from tests.world import World, as_actor


def new_slot(world: World, hours: float = 48) -> NewSlot:
    start = world.now + timedelta(hours=hours)
    return NewSlot(world.tom.id, start, start + timedelta(minutes=60))


def count(db: Session, model: type) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(model)) or 0


def test_person_package_slot_and_booking_in_one_action(db: Session, world: World) -> None:
    ada, slot = as_actor(world.ada), new_slot(world)
    booking = book_by_phone(
        ada, student=NewStudent("Mia", phone="+49 30 1"), package=NewGrant(5), slot=slot, reason="first call"
    )

    student = db.get(User, booking.student_id)
    package = db.get(Package, booking.package_id)
    assert student
    assert package
    assert (booking.status, student.full_name, student.email) == (BookingStatus.CONFIRMED, "Mia", None)
    assert (package.student_id, package.available, package.consumed) == (student.id, 4, 1)
    assert count(db, Lesson) == 1
    action = db.scalars(select(AuditAction).where(AuditAction.name == "booking.by_phone")).one()
    assert (action.record_id, action.reason) == (booking.id, "first call")


def test_the_parent_of_a_new_child_stands_for_them(db: Session, world: World) -> None:
    mia = NewStudent("Mia", timezone="Europe/Berlin", guardian=NewGuardian("Eva", "eva@people.example", "+49 30 2"))
    booking = book_by_phone(as_actor(world.ada), student=mia, package=NewGrant(1, is_trial=True), slot=new_slot(world))

    link = db.scalars(select(Guardian)).one()
    assert (link.student_id, link.pays, link.receives_messages) == (booking.student_id, True, True)
    assert (link.guardian.full_name, link.guardian.timezone) == ("Eva", "Europe/Berlin")


def test_a_parent_who_cannot_be_reached_is_refused_and_the_child_is_not_made(db: Session, world: World) -> None:
    ada, slot = as_actor(world.ada), new_slot(world)
    before = count(db, User)

    with pytest.raises(errors.DomainError, match="reached by e-mail"):
        book_by_phone(ada, student=NewStudent("Mia", guardian=NewGuardian("Eva", None)), package=NewGrant(1), slot=slot)

    assert count(db, User) == before


def test_whoever_and_whatever_is_known_is_taken(db: Session, world: World) -> None:
    package, slot = world.package(), world.slot()
    booking = book_by_phone(as_actor(world.sue), student=world.ann.id, slot=slot.id, confirm=False)

    assert (booking.status, booking.package_id, booking.slot_id) == (BookingStatus.HOLD, package.id, slot.id)


def test_a_refusal_at_the_end_leaves_neither_person_nor_package_nor_slot(db: Session, world: World) -> None:
    ada, slot = as_actor(world.ada), new_slot(world, hours=0.5)
    before = [count(db, model) for model in (User, Package, Slot, Booking)]

    with refused("too_short_notice"):
        book_by_phone(ada, student=NewStudent("Mia"), package=NewGrant(5), slot=slot)
    assert [count(db, model) for model in (User, Package, Slot, Booking)] == before
    booking = book_by_phone(
        ada, student=NewStudent("Mia"), package=NewGrant(5), slot=slot, override=True, reason="she is here"
    )
    assert booking.status is BookingStatus.CONFIRMED


def test_each_part_asks_its_own_permission(world: World) -> None:
    slot = world.slot()

    with refused("not_allowed"):  # support grants nothing
        book_by_phone(as_actor(world.sue), student=world.ann.id, package=NewGrant(5), slot=slot.id)
    for nobody in (world.ann, world.tom, world.finn, world.audrey):
        with pytest.raises((errors.NotAllowed, errors.NotFound)):
            book_by_phone(as_actor(nobody), student=world.ann.id, slot=slot.id)


def test_a_taken_address_or_time_is_told(db: Session, world: World) -> None:
    ada, ann = as_actor(world.ada), world.ann
    world.package()
    taken = world.slot(hours=48)

    with refused("email_taken"):
        book_by_phone(ada, student=NewStudent("Anne", email=ann.email), package=NewGrant(5), slot=taken.id)
    with refused("slot_overlap"):
        book_by_phone(ada, student=ann.id, slot=NewSlot(world.tom.id, taken.start_at, taken.end_at))
    assert count(db, Booking) == 0
