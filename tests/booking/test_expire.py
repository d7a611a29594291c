"""The sweep of lapsed holds: quiet, in batches, and never needed for anything to be right."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.audit.models import AuditAction
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.service import expire_holds, hold_slot
from tests.booking.conftest import refused
from tests.concurrency import at_once
from tests.world import World, as_actor


def actions(db: Session) -> int:
    db.rollback()
    return (
        db.scalar(select(func.count()).select_from(AuditAction).where(AuditAction.name == "booking.expire_holds")) or 0
    )


def hold_for(world: World, *, minutes: int) -> Booking:
    slot = world.slot(hours=70 + minutes)
    return hold_slot(as_actor(world.sue), slot.id, student_id=world.ann.id, hold_minutes=minutes)


def test_lapsed_holds_expire_and_live_ones_stay(db: Session, world: World) -> None:
    mine, theirs = world.package(), world.package(world.ben)
    lapsed = [world.hold(world.slot(hours=50)), world.hold(world.slot(hours=60), world.ben)]
    live = hold_for(world, minutes=60)

    with clock.moved_by(timedelta(minutes=10)):
        assert expire_holds(SYSTEM) == 2
    assert [world.again(each).status for each in lapsed] == [BookingStatus.EXPIRED] * 2
    assert world.again(live).status is BookingStatus.HOLD
    assert (world.again(mine).reserved, world.again(theirs).reserved) == (1, 0)


def test_nothing_to_do_leaves_no_action(db: Session, world: World) -> None:
    world.package()
    world.hold()

    assert expire_holds(SYSTEM) == 0
    assert actions(db) == 0


def test_it_goes_in_batches_the_longest_lapsed_first(world: World) -> None:
    world.package()
    holds = [hold_for(world, minutes=minutes) for minutes in (30, 10, 20)]

    with clock.moved_by(timedelta(minutes=30)):
        assert expire_holds(SYSTEM, limit=2) == 2
        assert [world.again(each).status for each in holds] == ["hold", "expired", "expired"]
        assert expire_holds(SYSTEM, limit=2) == 1


def test_several_at_once_expire_each_hold_once(app: Flask, db: Session, world: World) -> None:
    world.package(lessons=9)
    world.package(world.ben, lessons=9)
    with clock.standing_at(world.now - timedelta(minutes=10)):
        for hours in (50, 60, 70):
            world.hold(world.slot(hours=hours))
            world.hold(world.slot(world.tina, hours=hours), world.ben)

    counts = at_once(app, *[lambda: expire_holds(SYSTEM)] * 4)

    assert sum(counts) + expire_holds(SYSTEM) == 6


def test_only_the_system_and_admins_sweep(world: World) -> None:
    assert expire_holds(as_actor(world.ada)) == 0
    with refused("not_allowed"):
        expire_holds(as_actor(world.sue))
