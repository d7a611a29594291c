"""Two at once: exactly one wins, the other is told why. Each race is run again without its locks, and without its
constraints as well: what then goes wrong shows that the guard is what prevents it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.actor import SYSTEM
from guitaronline.audit.models import OutboxEvent
from guitaronline.booking import cancellation, facts, service, steps
from guitaronline.booking.facts import ACTIVE
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking, confirm_booking, expire_holds, hold_slot, reschedule_booking
from guitaronline.booking.slots import block_slot
from guitaronline.db import session
from guitaronline.lessons import rules as lesson_rules
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson
from guitaronline.scheduling.models import Slot, SlotStatus
from tests.concurrency import at_once, politely, refused
from tests.world import World, as_actor

Calls = list[Callable[[], Any]]
At = Callable[[Any, Callable[[], Any]], Callable[[], Any]]


def broken(db: Session) -> bool:
    """Some invariant does not hold."""
    return checks.run_all(db) != []


def told(db: Session, *topics: str) -> int:
    return db.scalar(select(func.count()).select_from(OutboxEvent).where(OutboxEvent.topic.in_(topics))) or 0


@dataclass(frozen=True)
class Race:
    prepare: Callable[[World, At], Calls]
    points: tuple[tuple[Any, str], ...]  # where both have looked and neither has acted
    outcomes: tuple[list[str], ...]  # what those who lost may have been told
    damage: Callable[[Session], bool] = broken
    caught: bool | None = False  # by a constraint, when the locks are gone; None: by luck, as the flush orders tables


def one_slot(world: World, at: At) -> Calls:
    world.package()
    world.package(world.ben)
    ann, ben, slot_id = as_actor(world.ann), as_actor(world.ben), world.slot().id
    return [lambda: hold_slot(ann, slot_id), lambda: hold_slot(ben, slot_id)]


def one_last_lesson(world: World, at: At) -> Calls:
    world.package(lessons=1)
    ann, slots = as_actor(world.ann), [world.slot(hours=hours).id for hours in (50, 60)]
    return [lambda: hold_slot(ann, slots[0]), lambda: hold_slot(ann, slots[1])]


def one_time_of_one_student(world: World, at: At) -> Calls:
    packages = [world.package().id, world.package().id]
    start = world.now + timedelta(hours=48)
    slots = [world.slot(start_at=start).id, world.slot(world.tina, start_at=start + timedelta(minutes=30)).id]
    ann = as_actor(world.ann)
    return [
        lambda: hold_slot(ann, slots[0], package_id=packages[0]),
        lambda: hold_slot(ann, slots[1], package_id=packages[1]),
    ]


def one_hold_left(world: World, at: At) -> Calls:
    packages = [world.package().id, world.package().id]
    for hours in (80, 90):
        world.hold(world.slot(hours=hours))
    ann, slots = as_actor(world.ann), [world.slot(hours=hours).id for hours in (50, 60)]
    return [
        lambda: hold_slot(ann, slots[0], package_id=packages[0]),
        lambda: hold_slot(ann, slots[1], package_id=packages[1]),
    ]


def one_confirmation(world: World, at: At) -> Calls:
    world.package()
    ann, held_id = as_actor(world.ann), world.hold().id
    return [lambda: confirm_booking(ann, held_id)] * 2


def confirm_or_cancel(world: World, at: At) -> Calls:
    world.package()
    ann, held_id = as_actor(world.ann), world.hold().id
    return [lambda: confirm_booking(ann, held_id), lambda: cancel_booking(ann, held_id)]


def confirm_or_expire(world: World, at: At) -> Calls:
    world.package()
    ann, held = as_actor(world.ann), world.hold()
    held_id, ends = held.id, held.hold_expires_at
    assert ends
    return [
        at(ends - timedelta(microseconds=1), lambda: confirm_booking(ann, held_id)),
        at(ends, lambda: expire_holds(SYSTEM)),
    ]


def one_lesson_completed(world: World, at: At) -> Calls:
    tom = as_actor(world.tom)
    lesson = booked_lesson(world)
    return [at(lesson.start_at, lambda: complete_lesson(tom, lesson.id))] * 2


def one_move(world: World, at: At) -> Calls:
    world.package()
    ann, booking_id = as_actor(world.ann), world.booking().id
    slots = [world.slot(hours=hours).id for hours in (60, 70)]
    return [
        lambda: reschedule_booking(ann, booking_id, new_slot_id=slots[0]),
        lambda: reschedule_booking(ann, booking_id, new_slot_id=slots[1]),
    ]


def cancel_or_complete(world: World, at: At) -> Calls:
    ann, tom = as_actor(world.ann), as_actor(world.tom)
    lesson = booked_lesson(world)
    return [
        at(lesson.start_at - timedelta(microseconds=1), lambda: cancel_booking(ann, lesson.booking_id)),
        at(lesson.start_at, lambda: complete_lesson(tom, lesson.id)),
    ]


def block_or_hold(world: World, at: At) -> Calls:
    world.package()
    slot_id, tom, ann = world.slot().id, as_actor(world.tom), as_actor(world.ann)
    return [lambda: block_slot(tom, slot_id, reason="ill"), lambda: hold_slot(ann, slot_id)]


@dataclass(frozen=True)
class Booked:
    """Plain values: threads must not load anything through the session of the test."""

    id: UUID
    booking_id: UUID
    start_at: datetime


def booked_lesson(world: World) -> Booked:
    world.package()
    booking = world.booking()
    lesson_id = session().scalars(select(Lesson.id).where(Lesson.booking_id == booking.id)).one()
    return Booked(lesson_id, booking.id, booking.start_at)


def blocked_and_occupied(db: Session) -> bool:
    query = select(Slot.id).join(Booking, Booking.slot_id == Slot.id)
    return db.scalar(query.where(Slot.status == SlotStatus.BLOCKED, Booking.status.in_(ACTIVE))) is not None


HOLDING = ((facts, "read_active"),)
RACES = {
    "one slot": Race(one_slot, HOLDING, (["slot_taken"],), caught=True),
    "one last lesson": Race(one_last_lesson, HOLDING, (["no_lessons_left"],), caught=None),
    "one time of one student": Race(one_time_of_one_student, HOLDING, (["student_busy"],), caught=True),
    "one hold left": Race(one_hold_left, HOLDING, (["too_many_holds"],), lambda db: told(db, "booking.held") > 3),
    "one confirmation": Race(one_confirmation, ((steps, "confirm"),), ([],), caught=True),
    "confirm or cancel": Race(
        confirm_or_cancel,
        ((steps, "confirm"), (cancellation, "cancel_decision")),
        (["booking_canceled"], []),
        caught=True,
    ),
    "confirm or expire": Race(
        confirm_or_expire, ((steps, "confirm"), (steps, "expire")), (["hold_expired"], []), caught=None
    ),
    "one lesson completed": Race(
        one_lesson_completed, ((lesson_rules, "outcome_problems"),), ([],), lambda db: told(db, "lesson.completed") > 1
    ),
    "one move": Race(one_move, ((service, "judge_move"),), (["already_rescheduled"],), caught=True),
    "cancel or complete": Race(
        cancel_or_complete,
        ((cancellation, "cancel_decision"), (lesson_rules, "outcome_problems")),
        (["lesson_canceled"], ["cancellation_window_closed"]),
        lambda db: told(db, "lesson.completed", "lesson.canceled") > 1,
    ),
    "block or hold": Race(block_or_hold, HOLDING, (["slot_occupied"], ["slot_blocked"]), blocked_and_occupied),
}
each_race = pytest.mark.parametrize("race", RACES.values(), ids=RACES)


@each_race
@pytest.mark.parametrize("way", ["shortcut", "command"])
def test_exactly_one_wins(
    app: Flask,
    db: Session,
    world: World,
    own_clocks: At,
    meet: Callable[..., None],
    request: pytest.FixtureRequest,
    race: Race,
    way: str,
) -> None:
    if way == "command":
        request.getfixturevalue("without_shortcuts")
    calls = race.prepare(world, own_clocks)
    meet(*race.points, patience=0.3)

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
    own_clocks: At,
    meet: Callable[..., None],
    without_locks: Callable[[], Any],
    race: Race,
) -> None:
    calls = race.prepare(world, own_clocks)
    meet(*race.points, patience=10)

    with without_locks():
        results = at_once(app, *[politely(call) for call in calls])

    db.rollback()
    caught = bool(refused(results))
    assert race.damage(db) is not caught
    assert race.caught in (None, caught)


@each_race
@pytest.mark.breaks_invariants
@pytest.mark.usefixtures("without_shortcuts", "without_constraints")
def test_without_locks_and_constraints_the_damage_is_done(
    app: Flask,
    db: Session,
    world: World,
    own_clocks: At,
    meet: Callable[..., None],
    without_locks: Callable[[], Any],
    race: Race,
) -> None:
    calls = race.prepare(world, own_clocks)
    meet(*race.points, patience=10)

    with without_locks():
        at_once(app, *[politely(call) for call in calls])

    db.rollback()
    assert race.damage(db)


@pytest.mark.parametrize("way", ["shortcut", "command"])
def test_many_at_once_for_one_slot(
    app: Flask, db: Session, world: World, request: pytest.FixtureRequest, way: str
) -> None:
    if way == "command":
        request.getfixturevalue("without_shortcuts")
    students = [world.person(f"S{number}", world.ann.role) for number in range(8)]
    for student in students:
        world.package(student)
    actors, slot_id = [as_actor(student) for student in students], world.slot().id

    results = at_once(app, *[lambda actor=actor: hold_slot(actor, slot_id) for actor in actors])

    assert refused(results) == ["slot_taken"] * 7


def test_crosswise_moves_both_get_an_answer(app: Flask, db: Session, world: World) -> None:
    """Ann wants Ben's slot and Ben wants Ann's: no deadlock is left standing, and both are told."""
    world.package()
    world.package(world.ben)
    slots = [world.slot(hours=hours).id for hours in (50, 60)]
    bookings = [hold_slot(as_actor(who), slot).id for who, slot in zip((world.ann, world.ben), slots, strict=True)]
    ann, ben = as_actor(world.ann), as_actor(world.ben)
    confirm_booking(ann, bookings[0])
    confirm_booking(ben, bookings[1])

    results = at_once(
        app,
        lambda: reschedule_booking(ann, bookings[0], new_slot_id=slots[1]),
        lambda: reschedule_booking(ben, bookings[1], new_slot_id=slots[0]),
    )

    assert refused(results) in (["slot_taken"], ["slot_taken", "slot_taken"])
