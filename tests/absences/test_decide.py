"""A decision that was left for later is taken: canceled, moved, kept; and only where one is needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Actor, Role
from guitaronline.billing.models import Package
from guitaronline.booking.absence_models import KeptBooking
from guitaronline.booking.absences import cancel_closure, create_closure, school_day
from guitaronline.booking.alternatives import FreeSlot, free_slots_for, rank
from guitaronline.booking.deciding import decide_booking, unkeep_booking
from guitaronline.booking.decision_preview import preview_decision
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.impact import undecided, whys
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.db import session
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import Closure
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher, edit_profile
from tests.absences.conftest import HOUR, away, queue
from tests.booking.conftest import refused
from tests.world import World, as_actor


@pytest.fixture
def booked(world: World) -> Booking:
    """Ann's lesson with Tom in 48 hours."""
    world.package()
    return world.booking(world.slot(hours=48))


@pytest.fixture
def sue(world: World) -> Actor:
    return as_actor(world.sue)


def closed(world: World, booking: Booking) -> Closure:
    day = school_day(booking.start_at)
    return create_closure(as_actor(world.ada), name="Easter", first_day=day, last_day=day)


def disabled(world: World, teacher: User) -> None:
    profile = profile_of(session(), teacher.id)
    assert profile
    disable_teacher(as_actor(world.ada), profile.id, reason="left")


def tagged(world: World, teacher: User, *tags: str) -> None:
    profile = profile_of(session(), teacher.id)
    assert profile
    edit_profile(as_actor(world.ada), profile.id, changes={"tags": list(tags)})


def open_whys(world: World, booking: Booking) -> list[str]:
    session().rollback()
    found = whys(session(), [world.again(booking)], world.now)[booking.id]
    return [each.words for each in undecided(found)]


def test_cancel_returns_the_lesson_for_the_teachers_cause(world: World, sue: Actor, booked: Booking) -> None:
    away(world)

    canceled = decide_booking(sue, booked.id, decision=Way.CANCEL, reason="nobody else is free")
    again = decide_booking(sue, booked.id, decision=Way.CANCEL, reason="nobody else is free")

    assert (canceled.cancel_cause, canceled.cancellation_reason) == (CancelCause.TEACHER, "nobody else is free")
    assert canceled.refund_returned
    assert again.id == canceled.id
    assert queue(world) == set()


def test_a_closure_is_the_schools_cause(world: World, sue: Actor, booked: Booking) -> None:
    closed(world, booked)
    assert queue(world) == {booked.id}

    canceled = decide_booking(sue, booked.id, decision=Way.CANCEL, reason="a holiday")

    assert canceled.cancel_cause is CancelCause.SCHOOL


def test_a_move_answers_with_the_new_booking(world: World, sue: Actor, booked: Booking) -> None:
    away(world)
    target = world.slot(world.tina, hours=72)

    moved = decide_booking(sue, booked.id, decision=Way.MOVE, new_slot_id=target.id, reason="agreed by phone")
    again = decide_booking(sue, booked.id, decision=Way.MOVE, new_slot_id=target.id, reason="agreed by phone")

    assert (moved.slot_id, moved.rescheduled_from_booking_id) == (target.id, booked.id)
    assert again.id == moved.id
    assert queue(world) == set()


def test_kept_for_this_absence_only(world: World, sue: Actor, booked: Booking) -> None:
    away(world)
    decide_booking(sue, booked.id, decision=Way.KEEP, reason="Tom gives it from the train")
    decide_booking(sue, booked.id, decision=Way.KEEP, reason="Tom gives it from the train")
    assert queue(world) == set()

    closure = closed(world, booked)
    assert open_whys(world, booked) == ["The school is closed: Easter."]
    assert queue(world) == {booked.id}

    cancel_closure(as_actor(world.ada), closure.id)
    assert queue(world) == set()


def test_one_decision_to_keep_answers_everything_that_stands_against_it(
    db: Session, world: World, sue: Actor, booked: Booking
) -> None:
    away(world)
    closed(world, booked)

    decide_booking(sue, booked.id, decision=Way.KEEP, reason="agreed")

    assert queue(world) == set()
    assert db.scalar(select(func.count()).select_from(KeptBooking)) == 2


def test_a_kept_booking_can_wait_again(world: World, sue: Actor, booked: Booking) -> None:
    away(world, decisions=[Chosen(booked.id, Way.KEEP)])

    unkeep_booking(sue, booked.id, reason="a mistake")
    unkeep_booking(sue, booked.id, reason="a mistake")

    assert queue(world) == {booked.id}


def test_of_a_teacher_who_left_nothing_can_be_kept(world: World, sue: Actor, booked: Booking) -> None:
    disabled(world, world.tom)

    with refused("cannot_keep"):
        decide_booking(sue, booked.id, decision=Way.KEEP, reason="but why not")
    assert queue(world) == {booked.id}


def test_where_nothing_stands_against_it_there_is_nothing_to_decide(world: World, sue: Actor, booked: Booking) -> None:
    with refused("nothing_to_decide"):
        decide_booking(sue, booked.id, decision=Way.CANCEL, reason="just so")
    with refused("nothing_to_decide"):
        decide_booking(sue, booked.id, decision=Way.KEEP, reason="just so")


def test_what_is_over_is_not_decided(world: World, sue: Actor, booked: Booking) -> None:
    held = world.hold(world.slot(hours=49))
    away(world)
    cancel_booking(as_actor(world.ann), booked.id)

    with refused("booking_canceled"):
        decide_booking(sue, booked.id, decision=Way.KEEP, reason="too late")
    with clock.moved_by(timedelta(minutes=30)), refused("hold_expired"):
        decide_booking(sue, held.id, decision=Way.KEEP, reason="too late")
    with clock.moved_by(49 * HOUR), refused("booking_canceled"):
        decide_booking(sue, booked.id, decision=Way.MOVE, new_slot_id=held.slot_id, reason="too late")


def test_a_lesson_that_has_begun_is_not_canceled(world: World, sue: Actor, booked: Booking) -> None:
    away(world)

    with clock.moved_by(48.5 * HOUR), refused("lesson_already_started", code="cancellation_window_closed"):
        decide_booking(sue, booked.id, decision=Way.CANCEL, reason="too late")


def test_a_decision_says_what_it_must(world: World, sue: Actor, booked: Booking) -> None:
    away(world)

    with refused("reason_required", code="decision_invalid"):
        decide_booking(sue, booked.id, decision=Way.CANCEL)
    with refused("not_a_decision", code="decision_invalid"):
        decide_booking(sue, booked.id, decision=Way.LATER, reason="hm")
    with refused("slot_missing", code="decision_invalid"):
        decide_booking(sue, booked.id, decision=Way.MOVE, reason="hm")
    with refused("slot_not_found", code="decision_invalid"):
        decide_booking(sue, booked.id, decision=Way.MOVE, new_slot_id=uuid4(), reason="hm")


def test_who_decides(world: World, booked: Booking) -> None:
    away(world)

    with pytest.raises(NotAllowed):
        decide_booking(as_actor(world.ann), booked.id, decision=Way.CANCEL)
    with pytest.raises(NotFound):
        decide_booking(as_actor(world.tina), booked.id, decision=Way.KEEP)
    with pytest.raises(NotAllowed):
        unkeep_booking(as_actor(world.finn), booked.id)
    decide_booking(as_actor(world.tom), booked.id, decision=Way.KEEP)
    assert queue(world) == set()


def test_the_preview_says_what_the_decision_does(db: Session, world: World, sue: Actor, booked: Booking) -> None:
    away(world)
    free, taken = world.slot(world.tina, hours=72), world.slot(world.tina, hours=80)
    world.booking(taken, world.ben, package_id=world.package(world.ben).id)
    now, booking = world.now, world.again(booked)
    found = whys(db, [booking], now)[booking.id]

    def preview(way: Way, slot_id: UUID | None = None) -> tuple[list[str], bool]:
        said = preview_decision(db, booking, Chosen(booking.id, way, slot_id), found, now)
        return [each.code for each in said.reasons], "back in package" in said.sentence

    assert preview(Way.CANCEL) == ([], True)
    assert preview(Way.KEEP) == ([], False)
    assert preview(Way.MOVE, free.id) == ([], True)
    assert preview(Way.MOVE, taken.id) == (["slot_taken"], False)
    assert preview(Way.MOVE, booking.slot_id) == (["same_slot"], False)


def test_free_slots_are_ranked_and_only_those_to_which_it_can_move(db: Session, world: World, booked: Booking) -> None:
    tagged(world, world.tom, "blues", "jazz")
    tagged(world, world.tina, "jazz")
    stranger = world.person("Theo", Role.TEACHER)
    start = booked.start_at
    near, far = world.slot(start_at=start + 3 * HOUR), world.slot(start_at=start - 20 * HOUR)
    other = world.slot(world.tina, start_at=start)
    world.slot(stranger, start_at=start)
    world.slot(start_at=start + 6 * HOUR, minutes=30)
    busy = world.booking(world.slot(world.tina, start_at=start + 9 * HOUR))
    world.slot(start_at=busy.start_at)
    taken = world.slot(start_at=start + 12 * HOUR)
    world.booking(taken, world.ben, package_id=world.package(world.ben).id)
    away(world, 47, 50)

    found = free_slots_for(db, world.again(booked), world.now, limit=5)

    assert [each.slot_id for each in found] == [near.id, far.id, other.id]
    assert [each.words for each in found] == [
        "same teacher, 3 hours later",
        "same teacher, 20 hours earlier",
        "1 tag in common, at the same time",
    ]
    assert free_slots_for(db, world.again(booked), world.now, limit=1)[0].slot_id == near.id
    reschedule_booking(as_actor(world.sue), booked.id, new_slot_id=other.id, cause="teacher", reason="as listed")


def test_a_hold_has_nowhere_to_go(db: Session, world: World) -> None:
    world.package()
    held = world.hold(world.slot(hours=48))
    world.slot(hours=50)

    assert free_slots_for(db, held, world.now) == []


def test_the_earlier_of_two_as_near_comes_first() -> None:
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def slot(hours: int, *, same: bool = False, tags: int = 1) -> FreeSlot:
        begin = start + hours * HOUR
        return FreeSlot(uuid4(), uuid4(), "", begin, begin + HOUR, hours * HOUR, same, tags)

    early, late, alike, same = slot(-1), slot(1), slot(1, tags=3), slot(5, same=True)

    assert rank([late, early, same, alike]) == [same, alike, early, late]


def test_the_lesson_of_a_canceled_one_is_back_in_its_package(world: World, sue: Actor) -> None:
    package = world.package(lessons=1)
    booked = world.booking(world.slot(hours=2))
    away(world, 1, 4)

    decide_booking(sue, booked.id, decision=Way.CANCEL, reason="ill")

    assert world.reloaded(Package, package.id).available == 1
    assert world.again(booked).status is BookingStatus.CANCELED
