"""Time off is saved together with what becomes of the bookings inside, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing.models import Package
from guitaronline.booking.absences import cancel_time_off, create_time_off
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.impact import affected
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.refusals import TeacherAway
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.db import session
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher
from tests.absences.conftest import HOUR, away, queue
from tests.booking.conftest import refused
from tests.world import World, as_actor


def planned(db: Session) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(TimeOff)) or 0


def told(db: Session, topic: str) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(OutboxEvent).where(OutboxEvent.topic == topic)) or 0


@pytest.fixture
def booked(world: World) -> Booking:
    """Ann's lesson with Tom in 48 hours."""
    world.package()
    return world.booking(world.slot(hours=48))


def test_what_is_affected_is_live_ahead_and_overlaps(db: Session, world: World, booked: Booking) -> None:
    before, after = world.booking(world.slot(hours=46)), world.booking(world.slot(hours=51))
    held = world.hold(world.slot(start_at=booked.end_at))
    world.booking(world.slot(world.tina, hours=48), world.ben, package_id=world.package(world.ben).id)
    start = booked.start_at

    def found(first: datetime, last: datetime, now: datetime = world.now) -> list[Any]:
        return [each.id for each in affected(db, world.tom.id, first, last, now)]

    assert found(start, start + 2 * HOUR) == [booked.id, held.id]
    assert found(start + timedelta(minutes=59), start + timedelta(minutes=60)) == [booked.id]
    assert found(start - 2 * HOUR, start) == [before.id]
    assert found(start + HOUR, start + 4 * HOUR, held.hold_expires_at or start) == [after.id]
    assert found(start, start + 2 * HOUR, start) == []
    assert len(affected(db, None, start, start + HOUR, world.now)) == 2


def test_without_decisions_the_bookings_inside_wait(db: Session, world: World, booked: Booking) -> None:
    outside = world.booking(world.slot(hours=60))

    away(world)

    assert queue(world) == {booked.id}
    assert world.again(outside).status is BookingStatus.CONFIRMED


def test_a_decision_for_each_is_asked_for_and_later_is_one(db: Session, world: World, booked: Booking) -> None:
    with refused("decision_needed", code="decisions_needed"):
        away(world, decisions=[])
    assert planned(db) == 0

    away(world, decisions=[Chosen(booked.id, Way.LATER)])

    assert queue(world) == {booked.id}


def test_a_canceled_lesson_returns_whatever_the_notice(db: Session, world: World) -> None:
    package = world.package()
    soon = world.booking(world.slot(hours=3))

    away(world, 1, 5, decisions=[Chosen(soon.id, Way.CANCEL)], reason="an operation")

    booking = world.again(soon)
    assert (booking.status, booking.cancel_cause, booking.refund_returned) == (
        BookingStatus.CANCELED,
        CancelCause.TEACHER,
        True,
    )
    assert booking.cancellation_reason == "The teacher is away."
    assert world.reloaded(Package, package.id).available == 5
    assert queue(world) == set()


def test_a_hold_inside_is_released(world: World) -> None:
    package = world.package()
    held = world.hold(world.slot(hours=48))

    away(world, decisions=[Chosen(held.id, Way.CANCEL)])

    assert world.again(held).status is BookingStatus.CANCELED
    assert world.reloaded(Package, package.id).reserved == 0


def test_a_moved_lesson_has_its_successor_on_the_new_slot(db: Session, world: World, booked: Booking) -> None:
    target = world.slot(world.tina, hours=72)

    away(world, decisions=[Chosen(booked.id, Way.MOVE, target.id)])

    successor = db.scalars(select(Booking).where(Booking.rescheduled_from_booking_id == booked.id)).one()
    assert (successor.slot_id, successor.status) == (target.id, BookingStatus.CONFIRMED)
    assert world.again(booked).cancel_cause is CancelCause.TEACHER
    assert told(db, "booking.rescheduled") == 2
    assert queue(world) == set()


def test_a_kept_lesson_waits_no_more(world: World, booked: Booking) -> None:
    away(world, decisions=[Chosen(booked.id, Way.KEEP)])

    assert queue(world) == set()
    assert world.again(booked).status is BookingStatus.CONFIRMED


def test_many_decisions_are_one_transaction(db: Session, world: World) -> None:
    package = world.package(lessons=9)
    ben = world.package(world.ben)
    first, second, third = (world.booking(world.slot(hours=48 + each)) for each in range(3))
    fourth = world.booking(world.slot(hours=51), world.ben, package_id=ben.id)
    target = world.slot(world.tina, hours=80)
    decisions = [
        Chosen(first.id, Way.CANCEL),
        Chosen(second.id, Way.MOVE, target.id),
        Chosen(third.id, Way.KEEP),
        Chosen(fourth.id, Way.LATER),
    ]

    with refused("slot_taken"):
        away(world, 47, 60, decisions=[*decisions[:3], Chosen(fourth.id, Way.MOVE, target.id)])
    assert (planned(db), queue(world), world.again(first).status) == (0, set(), BookingStatus.CONFIRMED)

    away(world, 47, 60, decisions=decisions)
    assert queue(world) == {fourth.id}
    assert world.reloaded(Package, package.id).available == 7


def test_a_refused_decision_says_which_one(world: World, booked: Booking) -> None:
    inside = world.slot(hours=49)

    with pytest.raises(TeacherAway) as found:
        away(world, decisions=[Chosen(booked.id, Way.MOVE, inside.id)])

    assert [(each.code, each.pointer) for each in found.value.reasons] == [("teacher_away", "/decisions/0/new_slot_id")]


def test_a_hold_cannot_be_moved(world: World) -> None:
    world.package()
    held = world.hold(world.slot(hours=48))
    target = world.slot(hours=80)

    with refused("booking_not_confirmed"):
        away(world, decisions=[Chosen(held.id, Way.MOVE, target.id)])


def test_decisions_about_other_bookings_are_wrong(db: Session, world: World, booked: Booking) -> None:
    outside = world.booking(world.slot(hours=60))
    later = Chosen(booked.id, Way.LATER)

    with refused("booking_not_affected", code="decision_invalid"):
        away(world, decisions=[later, Chosen(outside.id, Way.CANCEL)])
    with refused("booking_not_affected", code="decision_invalid"):
        away(world, decisions=[later, Chosen(uuid4(), Way.CANCEL)])
    with refused("decided_twice", code="decision_invalid"):
        away(world, decisions=[later, Chosen(booked.id, Way.CANCEL)])
    with refused("slot_missing", code="decision_invalid"):
        away(world, decisions=[Chosen(booked.id, Way.MOVE)])
    with refused("slot_not_found", code="decision_invalid"):
        away(world, decisions=[Chosen(booked.id, Way.MOVE, uuid4())])
    with refused("slot_not_expected", code="decision_invalid"):
        away(world, decisions=[Chosen(booked.id, Way.KEEP, uuid4())])
    assert (planned(db), world.again(outside).status) == (0, BookingStatus.CONFIRMED)


def test_canceling_time_off_makes_kept_and_waiting_ones_ordinary_again(world: World, booked: Booking) -> None:
    other = world.booking(world.slot(hours=49))
    off = away(world, decisions=[Chosen(booked.id, Way.KEEP), Chosen(other.id, Way.LATER)])

    cancel_time_off(as_actor(world.tom), off.id)
    cancel_time_off(as_actor(world.tom), off.id)
    assert (world.again(off).status, queue(world)) == (AbsenceStatus.CANCELED, set())

    away(world)
    assert queue(world) == {booked.id, other.id}


def test_time_off_that_is_over_stays(world: World) -> None:
    off = away(world, 1, 2)

    with clock.moved_by(3 * HOUR), refused("absence_over"):
        cancel_time_off(as_actor(world.tom), off.id)


def test_time_off_of_a_teacher_who_left_can_be_called_off(world: World) -> None:
    off = away(world)
    profile = profile_of(session(), world.tom.id)
    assert profile
    disable_teacher(as_actor(world.ada), profile.id, reason="left")

    assert cancel_time_off(as_actor(world.ada), off.id).status is AbsenceStatus.CANCELED


def test_only_the_teacher_and_the_school_may(world: World, booked: Booking) -> None:
    times = {"start_at": world.now + HOUR, "end_at": world.now + 2 * HOUR}
    off = away(world)

    with pytest.raises(NotFound):
        create_time_off(as_actor(world.tina), teacher_id=world.tom.id, **times)
    with pytest.raises(NotFound):
        cancel_time_off(as_actor(world.tina), off.id)
    with pytest.raises(NotAllowed):
        create_time_off(as_actor(world.ann), teacher_id=world.tom.id, **times)
    with pytest.raises(NotAllowed):
        cancel_time_off(as_actor(world.finn), off.id)
    with refused("not_a_teacher"):
        create_time_off(as_actor(world.sue), teacher_id=world.ann.id, **times)
    assert create_time_off(as_actor(world.sue), teacher_id=world.tom.id, **times).status is AbsenceStatus.PLANNED


@pytest.mark.parametrize(
    ("start", "end", "codes"),
    [
        (datetime(2030, 1, 2, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), ["ends_before_start"]),
        (datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), ["ends_before_start"]),
        (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC), ["in_the_past"]),
        (datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 6, 1, tzinfo=UTC), ["too_long"]),
        (datetime(9999, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), ["time_out_of_range"] * 2),
        (datetime(2030, 1, 1), datetime(2030, 1, 2), ["naive_time"] * 2),  # noqa: DTZ001  # that is the point
        (datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2), ["naive_time"]),  # noqa: DTZ001
    ],
)
def test_times_that_cannot_be(db: Session, world: World, start: datetime, end: datetime, codes: list[str]) -> None:
    with refused(*codes, code="absence_invalid"):
        create_time_off(as_actor(world.tom), teacher_id=world.tom.id, start_at=start, end_at=end)
    assert planned(db) == 0


def test_a_booking_that_the_time_off_did_not_touch_can_be_moved_and_canceled_as_ever(world: World) -> None:
    world.package()
    booking, target = world.booking(world.slot(hours=60)), world.slot(hours=70)
    away(world)

    moved = reschedule_booking(as_actor(world.ann), booking.id, new_slot_id=target.id)

    assert cancel_booking(as_actor(world.ann), moved.id).status is BookingStatus.CANCELED
