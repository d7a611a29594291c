"""Weekly hours become slots, and a change replaces only what nobody needs."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import checks, clock
from guitaronline.booking.absences import cancel_time_off, create_closure, create_time_off
from guitaronline.booking.horizon import Regenerated, regenerate_slots, set_hours
from guitaronline.booking.queries import explain_slot
from guitaronline.booking.slots import block_slot, withdraw_slot
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.scheduling.rules import Window
from tests.booking.conftest import refused
from tests.world import World, as_actor

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def window(weekday: int = 0, start: int = 15, end: int = 18, *, minutes: int = 60, pause: int = 0) -> Window:
    return Window(frozenset([weekday]), time(start), time(end % 24), minutes, pause)


def hours(world: World, *windows: Window, teacher: User | None = None) -> Regenerated:
    return set_hours(as_actor(world.ada), (teacher or world.tom).id, windows=list(windows) or [window()])


def standing(db: Session) -> list[Slot]:
    db.rollback()
    return list(db.scalars(select(Slot).where(Slot.status != SlotStatus.WITHDRAWN).order_by(Slot.start_at)))


@pytest.fixture
def monday() -> Any:
    with clock.standing_at(MONDAY):
        yield


def test_hours_are_there_for_eight_weeks(db: Session, world: World, monday: None) -> None:
    made = hours(world).plan.make

    slots = standing(db)
    assert [each.start_at for each in slots] == [each.start_at for each in made]
    assert [each.start_at.hour for each in slots[:3]] == [15, 16, 17]
    assert slots[-1].start_at.date() == (MONDAY + timedelta(weeks=8)).date()
    assert {each.origin for each in slots} == {SlotOrigin.GENERATED}
    assert hours(world).is_changed is False
    assert checks.run_all(db) == []


def test_a_change_replaces_only_free_generated_slots(db: Session, world: World, monday: None) -> None:
    hours(world)
    first, second, third = standing(db)[:3]
    world.package()
    world.booking(first)
    block_slot(as_actor(world.ada), second.id, reason="repairs")
    by_hand = world.slot(start_at=MONDAY + timedelta(days=1))

    plan = hours(world, window(2)).plan

    left = {each.id for each in standing(db)}
    assert {first.id, second.id, by_hand.id} <= left
    assert third.id not in left
    assert {each.stays_because for each in plan.kept} == {"occupied", "blocked", "made_by_hand"}
    assert checks.run_all(db) == []


def test_what_was_withdrawn_by_hand_does_not_come_back(db: Session, world: World, monday: None) -> None:
    hours(world)
    gone = standing(db)[0]
    withdraw_slot(as_actor(world.ada), gone.id, reason="not this week")

    again = regenerate_slots(as_actor(world.ada), world.tom.id)

    assert gone.start_at not in [each.start_at for each in standing(db)]
    assert [each.code for each in again.plan.skipped] == ["withdrawn_by_hand"]


def test_time_off_takes_the_slots_and_its_end_brings_them_back(db: Session, world: World, monday: None) -> None:
    hours(world)
    before = [each.start_at for each in standing(db)]
    by_hand = world.slot(start_at=MONDAY + timedelta(days=1))

    off = create_time_off(
        as_actor(world.tom), teacher_id=world.tom.id, start_at=MONDAY, end_at=MONDAY + timedelta(days=3)
    )

    assert [each.start_at for each in standing(db)] == [by_hand.start_at, *before[3:]]
    assert [each.code for each in explain_slot(db, as_actor(world.sue), by_hand.id).reasons] == ["teacher_away"]
    world.package()
    with refused("teacher_away"):
        world.hold(by_hand)
    cancel_time_off(as_actor(world.tom), off.id)
    assert [each.start_at for each in standing(db) if each.id != by_hand.id] == before
    assert explain_slot(db, as_actor(world.sue), by_hand.id).bookable


def test_a_closure_hides_what_is_inside_at_once(db: Session, world: World, monday: None) -> None:
    hours(world)
    slot = standing(db)[0]
    world.package()

    create_closure(as_actor(world.ada), name="Carnival", first_day=MONDAY.date(), last_day=MONDAY.date())

    with refused("school_closed"):
        world.hold(slot)
    again = regenerate_slots(as_actor(world.ada), world.tom.id).plan
    assert next(each.slot_id for each in again.remove) == slot.id
    assert {each.code for each in again.skipped} == {"closure"}


def test_a_pause_keeps_others_away(db: Session, world: World, monday: None) -> None:
    hours(world, window(pause=15))
    first = standing(db)[0]

    with refused("slot_overlap"):
        world.slot(start_at=first.end_at, minutes=15)
    assert db.scalar(select(func.count()).where(Slot.busy_until.is_not(None))) == len(standing(db))
