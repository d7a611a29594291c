"""A substitution against whoever comes at the same moment: one wins, the other is told why. Each race is run again without
its locks, and what then goes wrong shows that they are what prevents it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import checks, policy
from guitaronline.audit.models import OutboxEvent
from guitaronline.booking import cancellation, facts, substitution
from guitaronline.booking.absences import create_time_off
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.service import cancel_booking, hold_slot
from guitaronline.booking.slots import block_slot
from guitaronline.booking.substitution import decline_substitute, substitute_booking
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.hours_models import TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus
from tests.concurrency import at_once, politely, refused
from tests.races.conftest import meet, own_clocks, without_locks, without_shortcuts
from tests.substitution.conftest import WHY, give
from tests.world import World, as_actor

__all__ = ["meet", "own_clocks", "without_locks", "without_shortcuts"]

Calls = list[Callable[[], Any]]


@dataclass(frozen=True)
class Race:
    prepare: Callable[[World], Calls]
    points: tuple[tuple[Any, str], ...]  # where both have looked and neither has acted
    outcomes: tuple[list[str], ...]  # what those who lost may have been told
    damage: Callable[[Session], bool]
    caught: bool = False  # by a constraint, when the locks are gone


def broken(db: Session) -> bool:
    return checks.run_all(db) != []


def two_bookings_of_one_hour_for_one_teacher(world: World) -> Calls:
    """Tom's and Tim's lessons overlap; both are to be Tina's."""
    world.package()
    world.package(world.ben)
    tim = world.person("Tim", world.tom.role)
    start = world.now + timedelta(hours=48)
    first = world.booking(world.slot(start_at=start)).id
    second = world.booking(world.slot(tim, start_at=start + timedelta(minutes=30)), world.ben).id
    sue, tina = as_actor(world.sue), world.tina.id
    return [
        lambda: substitute_booking(sue, first, teacher_id=tina, reason=WHY),
        lambda: substitute_booking(sue, second, teacher_id=tina, reason=WHY),
    ]


def one_booking_for_two_teachers(world: World) -> Calls:
    world.package()
    booking, tim = world.booking().id, world.person("Tim", world.tom.role).id
    sue, tina = as_actor(world.sue), world.tina.id
    return [
        lambda: substitute_booking(sue, booking, teacher_id=tina, reason=WHY),
        lambda: substitute_booking(sue, booking, teacher_id=tim, reason=WHY),
    ]


def substitution_or_cancellation(world: World) -> Calls:
    world.package()
    booking, sue, ann, tina = world.booking().id, as_actor(world.sue), as_actor(world.ann), world.tina.id
    return [
        lambda: substitute_booking(sue, booking, teacher_id=tina, reason=WHY),
        lambda: cancel_booking(ann, booking),
    ]


def substitution_or_hold(world: World) -> Calls:
    """Ben wants the slot that Ann's booking is to move into."""
    world.package()
    world.package(world.ben)
    booking = world.booking()
    theirs = world.slot(world.tina, start_at=booking.start_at).id
    booking_id, sue, ben, tina = booking.id, as_actor(world.sue), as_actor(world.ben), world.tina.id
    return [
        lambda: substitute_booking(sue, booking_id, teacher_id=tina, reason=WHY),
        lambda: hold_slot(ben, theirs),
    ]


def substitution_or_block(world: World) -> Calls:
    world.package()
    booking = world.booking()
    theirs = world.slot(world.tina, start_at=booking.start_at).id
    booking_id, sue, tina = booking.id, as_actor(world.sue), world.tina.id
    actor = as_actor(world.tina)
    return [
        lambda: substitute_booking(sue, booking_id, teacher_id=tina, reason=WHY),
        lambda: block_slot(actor, theirs, reason="the dentist"),
    ]


def two_bookings_for_a_day_with_room_for_one(world: World) -> Calls:
    world.package()
    start = (world.now + timedelta(days=2)).replace(hour=10, minute=0, second=0)
    bookings = [world.booking(world.slot(start_at=start + timedelta(hours=hours))).id for hours in (0, 3)]
    sue, tina = as_actor(world.sue), world.tina.id
    return [
        lambda: substitute_booking(sue, bookings[0], teacher_id=tina, reason=WHY),
        lambda: substitute_booking(sue, bookings[1], teacher_id=tina, reason=WHY),
    ]


def two_declines(world: World) -> Calls:
    world.package()
    booking = give(world, world.booking(), world.tina).id
    ann = as_actor(world.ann)
    return [lambda: decline_substitute(ann, booking)] * 2


def blocked_and_occupied(db: Session) -> bool:
    query = select(Slot.id).join(Booking, Booking.slot_id == Slot.id)
    return db.scalar(query.where(Slot.status == SlotStatus.BLOCKED, Booking.status.in_(facts.ACTIVE))) is not None


def two_on_one_day(db: Session) -> bool:
    confirmed = Booking.substituted_from_id.is_not(None), Booking.status == BookingStatus.CONFIRMED
    return len(db.scalars(select(Booking.id).where(*confirmed)).all()) > 1


def lesson_of_another_teacher(db: Session) -> bool:
    """The lesson is one teacher's, the booking another's; or it was told twice from the same teacher."""
    query = select(Booking.id).join(Lesson, Lesson.booking_id == Booking.id)
    split = db.scalar(query.where(Lesson.teacher_id != Booking.teacher_id)) is not None
    return split or db.scalars(select(Booking.revision)).one() != 3


def canceled_to_the_wrong_teacher(db: Session) -> bool:
    """The teacher who is told of the cancellation is not the one who was to give the lesson."""
    query = select(OutboxEvent.payload).where(OutboxEvent.topic == "booking.canceled")
    told = db.scalars(query).one()["teacher_id"]
    return told != str(db.scalars(select(Booking.teacher_id)).one())


LOOKING = ((substitution, "substitute_problems"),)
RACES = {
    "two bookings of one hour for one teacher": Race(
        two_bookings_of_one_hour_for_one_teacher, LOOKING, (["slot_overlap"],), broken, caught=True
    ),
    "one booking for two teachers": Race(one_booking_for_two_teachers, LOOKING, ([],), lesson_of_another_teacher),
    "substitution or cancellation": Race(
        substitution_or_cancellation,
        ((substitution, "_hand_over"), (cancellation, "cancel_decision")),
        (["booking_canceled"], []),
        canceled_to_the_wrong_teacher,
    ),
    "substitution or hold": Race(
        substitution_or_hold,
        ((substitution, "_hand_over"), (facts, "read_active")),
        (["slot_taken"],),
        broken,
        caught=True,
    ),
    "substitution or block": Race(
        substitution_or_block,
        ((substitution, "_hand_over"), (facts, "read_active")),
        (["slot_blocked"], ["slot_occupied"]),
        blocked_and_occupied,
    ),
    "two bookings for a day with room for one": Race(
        two_bookings_for_a_day_with_room_for_one, LOOKING, (["teacher_day_full"],), two_on_one_day
    ),
    "two declines": Race(two_declines, ((substitution, "decline_decision"),), ([],), broken, caught=True),
}
each_race = pytest.mark.parametrize("race", RACES.values(), ids=RACES)
ONE_A_DAY = {"BOOKING_MAX_PER_TEACHER_DAY": 1}


def limits(race: Race) -> dict[str, int]:
    return ONE_A_DAY if race.damage is two_on_one_day else {}


@each_race
@pytest.mark.usefixtures("without_shortcuts")
def test_exactly_one_wins(app: Flask, db: Session, world: World, meet: Callable[..., None], race: Race) -> None:
    calls = race.prepare(world)
    meet(*race.points, patience=0.3)

    with policy.changed(**limits(race)):
        results = at_once(app, *calls)

    assert refused(results) in race.outcomes
    db.rollback()
    assert not race.damage(db)


@each_race
@pytest.mark.breaks_invariants
@pytest.mark.usefixtures("without_shortcuts")
def test_without_locks_only_a_constraint_is_left(
    app: Flask,
    db: Session,
    world: World,
    meet: Callable[..., None],
    without_locks: Callable[[], Any],
    race: Race,
) -> None:
    calls = race.prepare(world)
    meet(*race.points, patience=10)

    with policy.changed(**limits(race)), without_locks():
        results = at_once(app, *[politely(call) for call in calls])

    db.rollback()
    caught = bool(refused(results))
    assert race.damage(db) is not caught
    assert caught is race.caught


def test_time_off_of_the_substitute_and_the_substitution_know_of_each_other(
    app: Flask, db: Session, world: World
) -> None:
    """Either the substitution is refused, or the booking stands inside the time off and waits for a decision."""
    world.package()
    booking = world.booking()
    sue, ada, tina = as_actor(world.sue), as_actor(world.ada), world.tina.id
    booking_id, start, end = booking.id, booking.start_at, booking.end_at

    results = at_once(
        app,
        lambda: substitute_booking(sue, booking_id, teacher_id=tina, reason=WHY),
        lambda: create_time_off(ada, teacher_id=tina, start_at=start, end_at=end),
    )

    db.rollback()
    inside = db.scalars(select(Booking.teacher_id)).one() == tina
    assert (refused(results), inside) in ((["teacher_away"], False), ([], True))
    assert db.scalars(select(TimeOff.id)).one()
