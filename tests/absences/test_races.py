"""Time off against what happens inside it at the same moment: whoever wins, no booking is forgotten, and nothing ends twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.booking import deciding, steps
from guitaronline.booking.absence_models import KeptBooking
from guitaronline.booking.absences import cancel_time_off, create_time_off
from guitaronline.booking.deciding import decide_booking
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.facts import ACTIVE
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.service import cancel_booking, hold_slot, reschedule_booking
from tests.absences.conftest import HOUR, queue
from tests.concurrency import at_once, refused
from tests.hours.test_horizon import hours, standing
from tests.world import World, as_actor

Meet = Callable[..., None]


def whole_day(world: World, first: Booking | Any, *, decisions: list[Chosen] | None = None) -> Callable[[], Any]:
    tom, teacher_id = as_actor(world.tom), world.tom.id
    times = {"start_at": first.start_at - HOUR, "end_at": first.start_at + 24 * HOUR}
    return lambda: create_time_off(tom, teacher_id=teacher_id, decisions=decisions, **times)


def live(db: Session) -> set[Any]:
    db.rollback()
    return set(db.scalars(select(Booking.id).where(Booking.status.in_(ACTIVE))))


@pytest.mark.parametrize("attempt", range(4))
@pytest.mark.parametrize("is_generated", [True, False], ids=["generated", "made by hand"])
def test_a_hold_inside_is_refused_or_waits(
    app: Flask, db: Session, world: World, is_generated: bool, attempt: int
) -> None:
    world.package()
    hours(world) if is_generated else world.slot(hours=72)
    slot = standing(db)[1 if is_generated else 0]
    ann, slot_id = as_actor(world.ann), slot.id

    results = at_once(app, lambda: hold_slot(ann, slot_id), whole_day(world, slot))

    assert refused(results) in ([], ["teacher_away"], ["slot_withdrawn"])
    assert queue(world) == live(db)
    assert checks.run_all(db) == []


def one_booking(world: World) -> Booking:
    world.package()
    return world.booking(world.slot(hours=48))


@pytest.mark.parametrize("way", [Way.CANCEL, Way.MOVE, Way.KEEP])
def test_a_decision_against_the_students_own_cancellation(app: Flask, db: Session, world: World, way: Way) -> None:
    booked = one_booking(world)
    target = world.slot(world.tina, hours=90).id if way is Way.MOVE else None
    ann, booking_id = as_actor(world.ann), booked.id
    decisions = [Chosen(booking_id, way, target)]

    results = at_once(app, lambda: cancel_booking(ann, booking_id), whole_day(world, booked, decisions=decisions))

    assert refused(results) in ([], ["decision_invalid"])
    assert queue(world) == set()
    assert world.again(booked).status is (
        BookingStatus.CONFIRMED if live(db) == {booking_id} else BookingStatus.CANCELED
    )
    assert checks.run_all(db) == []


def test_a_decision_against_a_move_by_the_student(app: Flask, db: Session, world: World) -> None:
    booked = one_booking(world)
    elsewhere, target = world.slot(world.tina, hours=90), world.slot(world.tina, hours=95)
    ann, booking_id, elsewhere_id = as_actor(world.ann), booked.id, elsewhere.id
    decisions = [Chosen(booking_id, Way.MOVE, target.id)]

    results = at_once(
        app,
        lambda: reschedule_booking(ann, booking_id, new_slot_id=elsewhere_id),
        whole_day(world, booked, decisions=decisions),
    )

    assert refused(results) in (["already_rescheduled"], ["decision_invalid"])
    assert (len(live(db)), queue(world)) == (1, set())
    assert checks.run_all(db) == []


def two_days_with_crossed_moves(world: World) -> list[Callable[[], Any]]:
    """Tom moves his students to Tina's day and she hers to his: each needs what the other locks."""
    world.package(lessons=9)
    world.package(world.ben, lessons=9)
    start = world.now + 48 * HOUR
    toms, tinas = [], []
    for n in range(3):
        toms.append(world.booking(world.slot(start_at=start + n * HOUR), [world.ann, world.ben][n % 2]))
        tinas.append(
            world.booking(world.slot(world.tina, start_at=start + (30 + n) * HOUR), [world.ben, world.ann][n % 2])
        )
    to_tina = [world.slot(world.tina, start_at=start + (60 + n) * HOUR).id for n in range(3)]
    to_tom = [world.slot(start_at=start + (80 + n) * HOUR).id for n in range(3)]

    def away(teacher: Any, bookings: list[Booking], targets: list[Any]) -> Callable[[], Any]:
        actor, teacher_id = as_actor(teacher), teacher.id
        times = {"start_at": bookings[0].start_at, "end_at": bookings[-1].end_at}
        moves = [Chosen(each.id, Way.MOVE, target) for each, target in zip(bookings, targets, strict=True)]
        return lambda: create_time_off(actor, teacher_id=teacher_id, decisions=moves[::-1], **times)

    return [away(world.tom, toms, to_tina), away(world.tina, tinas, to_tom)]


def test_two_of_many_decisions_each_go_through(app: Flask, db: Session, world: World) -> None:
    results = at_once(app, *two_days_with_crossed_moves(world))

    assert refused(results) == []
    assert (len(live(db)), queue(world)) == (6, set())
    assert checks.run_all(db) == []


def kept_by_two(world: World) -> list[Callable[[], Any]]:
    booked = one_booking(world)
    whole_day(world, booked)()
    tom, sue, booking_id = as_actor(world.tom), as_actor(world.sue), booked.id
    return [
        lambda: decide_booking(tom, booking_id, decision=Way.KEEP),
        lambda: decide_booking(sue, booking_id, decision=Way.KEEP, reason="agreed"),
    ]


def kept(db: Session) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(KeptBooking)) or 0


def test_two_who_keep_the_same_booking_are_of_one_mind(app: Flask, db: Session, world: World, meet: Meet) -> None:
    calls = kept_by_two(world)
    meet((deciding, "_keep"), patience=1)

    results = at_once(app, *calls)

    assert (refused(results), kept(db), queue(world)) == ([], 1, set())


def canceled_by_two(world: World) -> list[Callable[[], Any]]:
    booked = one_booking(world)
    whole_day(world, booked)()
    sue, ann, booking_id = as_actor(world.sue), as_actor(world.ann), booked.id
    return [
        lambda: decide_booking(sue, booking_id, decision=Way.CANCEL, reason="agreed"),
        lambda: cancel_booking(ann, booking_id),
    ]


def test_a_lesson_returns_once(app: Flask, db: Session, world: World, meet: Meet) -> None:
    calls = canceled_by_two(world)
    meet((steps, "call_off"), patience=1)

    results = at_once(app, *calls)

    assert refused(results) == []
    assert checks.run_all(db) == []


def test_without_locks_only_the_ledgers_key_is_left(
    app: Flask,
    db: Session,
    world: World,
    meet: Meet,
    without_locks: Callable[[], Any],
) -> None:
    calls = canceled_by_two(world)
    meet((steps, "call_off"), patience=5)

    with without_locks():
        results = at_once(app, *calls)

    assert refused(results) == ["already_counted"]  # the last guard: the ledger's key


def test_called_off_while_a_decision_is_taken(app: Flask, db: Session, world: World) -> None:
    booked = one_booking(world)
    off = whole_day(world, booked)()
    tom, sue, off_id, booking_id = as_actor(world.tom), as_actor(world.sue), off.id, booked.id

    results = at_once(
        app,
        lambda: cancel_time_off(tom, off_id),
        lambda: decide_booking(sue, booking_id, decision=Way.KEEP, reason="agreed"),
    )

    assert refused(results) in ([], ["nothing_to_decide"])
    assert (queue(world), live(db)) == (set(), {booking_id})
