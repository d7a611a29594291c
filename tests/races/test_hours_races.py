"""Hours against holds, hours against hours, hours against a closure. Each is shown without its guard as well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.booking import facts, horizon
from guitaronline.booking.absences import create_closure
from guitaronline.booking.horizon import NOTHING_IS_KNOWN, set_hours
from guitaronline.booking.models import Booking
from guitaronline.booking.service import hold_slot
from guitaronline.booking.slots import block_slot
from guitaronline.db import database
from guitaronline.scheduling.hours_models import WeeklyHours
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.planning import hours_digest
from tests.concurrency import at_once, refused
from tests.hours.conftest import MONDAY, bookkeeping, give_hours, monday, standing
from tests.hours.planning import window
from tests.world import World, as_actor

__all__ = ["monday"]  # a fixture
pytestmark = pytest.mark.usefixtures("monday")
WEDNESDAYS = [window(2, "10:00", "12:00")]
FRIDAYS = [window(4, "10:00", "12:00")]
Meet = Callable[..., None]


def held_and_gone(db: Session) -> int:
    """Slots that were taken away although somebody has them."""
    db.rollback()
    query = select(func.count()).select_from(Booking).join(Slot, Slot.id == Booking.slot_id)
    return db.scalar(query.where(Booking.status.in_(facts.ACTIVE), Slot.status == SlotStatus.WITHDRAWN)) or 0


def change_and_hold(world: World, db: Session) -> list[Callable[[], Any]]:
    give_hours(world)
    world.package()
    ada, ann, tom_id, slot_id = as_actor(world.ada), as_actor(world.ann), world.tom.id, standing(db)[0].id
    return [lambda: set_hours(ada, tom_id, windows=WEDNESDAYS), lambda: hold_slot(ann, slot_id)]


@pytest.mark.parametrize("way", ["shortcut", "command"])
def test_a_hold_and_a_change_of_hours_never_both_have_the_slot(
    app: Flask, db: Session, world: World, meet: Meet, request: pytest.FixtureRequest, way: str
) -> None:
    if way == "command":
        request.getfixturevalue("without_shortcuts")
    calls = change_and_hold(world, db)
    meet((facts, "read_standing"), (facts, "read_active"), patience=0.3)

    results = at_once(app, *calls)

    assert refused(results) in ([], ["slot_withdrawn"])
    kept = [each.stays_because for each in results[0].plan.kept]
    assert (refused(results), kept) in (([], ["occupied"]), (["slot_withdrawn"], []))
    assert held_and_gone(db) == 0
    assert checks.run_all(db) == []


@pytest.mark.usefixtures("without_shortcuts")
@pytest.mark.breaks_invariants
def test_without_the_slots_lock_both_have_it(
    app: Flask, db: Session, world: World, meet: Meet, without_locks: Callable[[], Any]
) -> None:
    calls = change_and_hold(world, db)
    meet((facts, "read_standing"), (facts, "read_active"), patience=10)

    with without_locks():
        at_once(app, *calls)

    assert held_and_gone(db) == 1


def test_a_slot_that_is_blocked_in_the_same_moment_is_kept_or_refused(
    app: Flask, db: Session, world: World, meet: Meet
) -> None:
    give_hours(world)
    ada, tom_id, slot_id = as_actor(world.ada), world.tom.id, standing(db)[0].id
    meet((facts, "read_standing"), (facts, "read_active"), patience=0.3)

    results = at_once(
        app,
        lambda: set_hours(ada, tom_id, windows=WEDNESDAYS),
        lambda: block_slot(ada, slot_id, reason="repairs"),
    )

    kept = [each.stays_because for each in results[0].plan.kept]
    assert (refused(results), kept) in (([], ["blocked"]), (["illegal_move"], []))


def two_weeks_at_once(world: World) -> list[Callable[[], Any]]:
    ada, tom_id = as_actor(world.ada), world.tom.id
    return [
        lambda: set_hours(ada, tom_id, windows=WEDNESDAYS),
        lambda: set_hours(ada, tom_id, windows=FRIDAYS),
    ]


def weekdays(db: Session) -> tuple[set[int], set[int]]:
    """Of the hours, and of the slots that stand."""
    return set(db.scalars(select(WeeklyHours.weekday))), {each.start_at.weekday() for each in standing(db)}


def test_of_two_weeks_saved_at_once_one_is_the_week(app: Flask, db: Session, world: World, meet: Meet) -> None:
    calls = two_weeks_at_once(world)
    meet((horizon, "regenerate"), patience=0.3)

    assert refused(at_once(app, *calls)) == []

    assert weekdays(db) in (({2}, {2}), ({4}, {4}))


def test_of_two_who_saw_the_same_hours_one_is_told(app: Flask, db: Session, world: World) -> None:
    ada, tom_id = as_actor(world.ada), world.tom.id
    seen = hours_digest([])

    results = at_once(
        app,
        lambda: set_hours(ada, tom_id, windows=WEDNESDAYS, seen=seen),
        lambda: set_hours(ada, tom_id, windows=FRIDAYS, seen=seen),
    )

    assert refused(results) == ["hours_changed"]
    assert weekdays(db) in (({2}, {2}), ({4}, {4}))
    assert refused(at_once(app, lambda: set_hours(ada, tom_id, windows=FRIDAYS))) == []  # who does not say overwrites


def test_without_the_teachers_lock_the_week_is_both(
    app: Flask, db: Session, world: World, meet: Meet, without_locks: Callable[[], Any]
) -> None:
    calls = two_weeks_at_once(world)
    meet((horizon, "regenerate"), patience=10)

    with without_locks():
        at_once(app, *calls)

    assert weekdays(db)[0] == {2, 4}


def close_meanwhile(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> threading.Thread:
    """Once the hours have been planned, and before that is noted, the school is closed on their first day."""
    ada, real = as_actor(world.ada), horizon.remember

    def close() -> None:
        with app.app_context():
            create_closure(ada, name="Carnival", first_day=MONDAY.date(), last_day=MONDAY.date())
            database.session.remove()

    closing = threading.Thread(target=close)

    def remember(*args: Any) -> None:
        closing.start()
        closing.join(0.5)
        real(*args)

    monkeypatch.setattr(horizon, "remember", remember)
    return closing


def test_a_closure_in_the_same_moment_is_not_forgotten(
    app: Flask, db: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    horizon.regenerate_slots(as_actor(world.ada), world.tom.id)
    closing = close_meanwhile(app, world, monkeypatch)

    give_hours(world)
    closing.join(10)

    assert bookkeeping(db, world.tom).until == NOTHING_IS_KNOWN


def test_without_the_lock_of_the_bookkeeping_it_is(
    app: Flask, db: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    horizon.regenerate_slots(as_actor(world.ada), world.tom.id)
    closing = close_meanwhile(app, world, monkeypatch)
    monkeypatch.setattr(horizon, "lock_horizons", lambda work, teachers: {})

    give_hours(world)
    closing.join(10)

    assert bookkeeping(db, world.tom).until > MONDAY.date()
