"""Series at the same time as others: one wins, the other is told why. Each race is run again without its locks, which shows
what they prevent: then only a constraint is left, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.booking import facts, series, series_canceling
from guitaronline.booking.models import Booking
from guitaronline.booking.series import create_series
from guitaronline.booking.series_canceling import cancel_series
from guitaronline.booking.service import hold_slot, reschedule_booking
from tests.concurrency import at_once, refused
from tests.races.conftest import meet, own_clocks, without_constraints, without_locks, without_shortcuts  # noqa: F401
from tests.races.test_booking_races import politely
from tests.series.conftest import booked, wanted
from tests.world import World, as_actor

Calls = list[Callable[[], Any]]
LOOKS = ((series, "read_ground"), (facts, "read_active"))


@dataclass(frozen=True)
class Race:
    prepare: Callable[[World], Calls]
    points: tuple[tuple[Any, str], ...]  # where both have looked and neither has acted
    outcomes: tuple[list[str], ...]  # what those who lost may have been told
    slipped: tuple[list[str], ...]  # and what when the locks are gone
    damage: Callable[[Session], bool] = lambda db: checks.run_all(db) != []


def coming(world: World, **more: Any) -> series.Wanted:
    """Four weeks of lessons that begin in ten days."""
    return wanted(world, first_day=(world.now + timedelta(days=10)).date(), **more)


def two_of_one_student(world: World) -> Calls:
    packages = [world.package().id, world.package().id]
    sue = as_actor(world.sue)
    one = coming(world, package_ids=(packages[0],))
    other = coming(world, package_ids=(packages[1],), teacher_id=world.tina.id, at=time(15, 30))
    return [lambda: create_series(sue, wanted=one, reason="x"), lambda: create_series(sue, wanted=other, reason="x")]


def two_of_one_teacher(world: World) -> Calls:
    world.package()
    world.package(world.ben)
    sue = as_actor(world.sue)
    one, other = coming(world), coming(world, student_id=world.ben.id, at=time(15, 30))
    return [lambda: create_series(sue, wanted=one, reason="x"), lambda: create_series(sue, wanted=other, reason="x")]


def a_hold_on_one_of_its_slots(world: World) -> Calls:
    world.package()
    world.package(world.ben)
    sue, ben, wish = as_actor(world.sue), as_actor(world.ben), coming(world)
    start = world.now.replace(hour=15, minute=0, second=0) + timedelta(days=17)
    slot_id = world.slot(start_at=start).id
    return [lambda: create_series(sue, wanted=wish, reason="x"), lambda: hold_slot(ben, slot_id)]


def the_last_lesson(world: World) -> Calls:
    world.package(lessons=4)
    sue, ann, slot_id, wish = as_actor(world.sue), as_actor(world.ann), world.slot().id, coming(world)
    return [lambda: create_series(sue, wanted=wish, reason="x"), lambda: hold_slot(ann, slot_id)]


RACES = {
    "two of one student": Race(two_of_one_student, LOOKS, (["series_conflicts"],), (["student_busy"],)),
    "two of one teacher": Race(two_of_one_teacher, LOOKS, (["series_conflicts"],), (["slot_overlap"],)),
    "a hold on one of its slots": Race(
        a_hold_on_one_of_its_slots, LOOKS, (["series_conflicts"], ["slot_taken"]), (["slot_taken"],)
    ),
    "the last lesson": Race(the_last_lesson, LOOKS, (["series_conflicts"], ["no_lessons_left"]), (["conflict"],)),
}
each_race = pytest.mark.parametrize("race", RACES.values(), ids=RACES)


@each_race
@pytest.mark.usefixtures("without_shortcuts")
def test_exactly_one_wins(app: Flask, db: Session, world: World, meet: Callable[..., None], race: Race) -> None:  # noqa: F811
    calls = race.prepare(world)
    meet(*race.points, patience=0.5)

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
    meet: Callable[..., None],  # noqa: F811
    without_locks: Callable[[], Any],  # noqa: F811
    race: Race,
) -> None:
    calls = race.prepare(world)
    meet(*race.points, patience=10)

    with without_locks():
        results = at_once(app, *[politely(call) for call in calls])

    db.rollback()
    told = refused(results)
    assert (told in race.slipped) or race.damage(db)
    assert told not in ([], race.outcomes[0]) or race.damage(db)


@pytest.mark.breaks_invariants
@pytest.mark.usefixtures("without_shortcuts", "without_constraints")
def test_without_locks_and_constraints_the_slot_has_two_bookings(
    app: Flask,
    db: Session,
    world: World,
    meet: Callable[..., None],  # noqa: F811
    without_locks: Callable[[], Any],  # noqa: F811
) -> None:
    calls = a_hold_on_one_of_its_slots(world)
    meet(*LOOKS, patience=10)

    with without_locks():
        at_once(app, *[politely(call) for call in calls])

    db.rollback()
    per_slot = select(func.count()).where(Booking.status.in_(facts.ACTIVE)).group_by(Booking.slot_id)
    assert max(db.scalars(per_slot)) == 2


LISTED = ((series_canceling, "read_lessons"), (facts, "read_scene"))


def test_a_lesson_that_moves_while_its_series_is_canceled_is_not_left_behind(
    app: Flask,
    db: Session,
    world: World,
    meet: Callable[..., None],  # noqa: F811
) -> None:
    calls, left = moves_and_cancels(world)
    meet(*LISTED, patience=0.5)

    results = at_once(app, *calls)

    db.rollback()
    assert refused(results) in ([], ["booking_canceled"])
    assert db.scalar(left) == 0


def test_without_the_students_lock_it_is_left_behind(
    app: Flask,
    db: Session,
    world: World,
    meet: Callable[..., None],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, left = moves_and_cancels(world)
    monkeypatch.setattr(facts, "lock_people", lambda *people: None)
    meet(*LISTED, patience=10)

    at_once(app, *calls)

    db.rollback()
    assert db.scalar(left) == 1


def moves_and_cancels(world: World) -> tuple[Calls, Select[int]]:
    """Both, and how many lessons of the series are left."""
    world.package()
    made = booked(world, first_day=coming(world).term.first_day)
    series_id, booking_id = made.series.id, made.bookings[1].id
    slot_id, ann, sue = world.slot(hours=100).id, as_actor(world.ann), as_actor(world.sue)
    live = select(func.count()).where(Booking.series_id == series_id, Booking.status.in_(facts.ACTIVE))
    return [
        lambda: cancel_series(sue, series_id, reason="over", cause="school"),
        lambda: reschedule_booking(ann, booking_id, new_slot_id=slot_id),
    ], live
