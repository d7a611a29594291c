"""Many packages expire at once as one does, what expires is booked where the plan says so, and warnings come in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing import ledger
from guitaronline.billing.models import CreditEntry, Package, Plan
from guitaronline.billing.service import (
    adjust_lessons,
    create_plan,
    edit_plan,
    expire_packages,
    extend_package,
    freeze_package,
    grant_package,
    reinstate_package,
    unfreeze_package,
    warn_of_expiry,
)
from guitaronline.db import new_id
from jobs import billing as jobs
from tests.billing.books import book, buckets, ledger_holds, post
from tests.concurrency import at_once
from tests.world import World, as_actor

DAY = timedelta(days=1)
LEFT_BEHIND = {  # what both ways must write alike; ids, moments and how often it was written aside
    "packages": "status, available, reserved, consumed, expired, revoked",
    "credit_entries": "sequence, kind, op_key <> '' AS has_key, d_available, d_expired, available, reserved, consumed, expired, revoked, breakage_minor, reason",
}


def plan(world: World, *, books: bool = True, **more: Any) -> Plan:
    facts = {"name": f"Three, {books}", "lessons_total": 3, "amount_minor": 10_000, "valid_days": 60, **more}
    return create_plan(as_actor(world.finn), books_breakage=books, **facts)


def sold(world: World, plan: Plan, **more: Any) -> Package:
    facts = {"lessons_total": 3, "price_minor": 10_000, "expires_at": world.now + 60 * DAY, **more}
    return grant_package(as_actor(world.ada), student_id=world.ann.id, plan_id=plan.id, reason="sold", **facts)


def booked(db: Session, package: Package) -> list[tuple[int, int]]:
    """Lessons that expired or came back, and what was booked for them."""
    query = select(CreditEntry.d_expired, CreditEntry.breakage_minor).order_by(CreditEntry.sequence)
    found = db.execute(query.where(CreditEntry.package_id == package.id, CreditEntry.breakage_minor != 0))
    return [(lessons, amount) for lessons, amount in found]


def told(db: Session, topic: str) -> list[tuple[Any, Any]]:
    db.rollback()
    query = select(OutboxEvent.record_id, OutboxEvent.payload).where(OutboxEvent.topic == topic)
    return [(record_id, payload) for record_id, payload in db.execute(query.order_by(OutboxEvent.id))]


def left_behind(db: Session, table: str, package: Package) -> list[Any]:
    key = "id" if table == "packages" else "package_id"
    query = f"SELECT {LEFT_BEHIND[table]} FROM {table} WHERE {key} = :id ORDER BY id"
    return [tuple(row) for row in db.execute(text(query), {"id": package.id})]


# Expiry


@pytest.mark.parametrize("books", [True, False])
@pytest.mark.parametrize("used", [0, 1, 3])
@pytest.mark.breaks_invariants  # the lessons used here belong to no booking
def test_many_at_once_leave_behind_what_one_does(world: World, db: Session, books: bool, used: int) -> None:
    what, until = plan(world, books=books), world.now + 60 * DAY
    alone, together = (sold(world, what, expires_at=until) for _ in range(2))
    for _ in range(used):
        book(alone, new_id())
        book(together, new_id())

    with clock.standing_at(until):
        post(alone, ledger.expire)
        assert expire_packages(as_actor(world.ada)) == 1

    db.rollback()
    assert [left_behind(db, table, together) for table in LEFT_BEHIND] == [
        left_behind(db, table, alone) for table in LEFT_BEHIND
    ]
    assert sorted(told(db, "package.expired")) == sorted([(alone.id, {}), (together.id, {})])
    assert ledger_holds(db)


def test_the_second_time_has_the_next_key(world: World, db: Session) -> None:
    package = sold(world, plan(world), expires_at=world.now + DAY)
    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))
        reinstate_package(as_actor(world.ada), package.id, reason="was ill", expires_at=world.now + 3 * DAY)
    with clock.standing_at(world.now + 4 * DAY):
        assert expire_packages(as_actor(world.ada)) == 1

    keys = db.scalars(text("SELECT op_key FROM credit_entries WHERE kind = 'expire' ORDER BY sequence")).all()
    assert keys == [f"expire:{package.id}:1", f"expire:{package.id}:2"]
    assert buckets(world.again(package)) == {"expired": 3}


def test_a_batch_holds_its_rows_alone_and_two_batches_at_once_share_the_work(app: Flask, world: World) -> None:
    what, ada = plan(world), as_actor(world.ada)
    for _ in range(6):
        sold(world, what, expires_at=world.now + DAY)

    with clock.standing_at(world.now + 2 * DAY):
        counts = at_once(app, lambda: expire_packages(ada, limit=6), lambda: expire_packages(ada, limit=6))
        assert sum(counts) + expire_packages(ada) == 6


# Breakage


def test_what_expires_is_booked_to_the_minor_unit(world: World, db: Session) -> None:
    package = sold(world, plan(world), expires_at=world.now + DAY)
    adjust_lessons(as_actor(world.ada), package.id, lessons=-1, reason="one was a mistake")

    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))

    assert booked(db, package) == [(2, 6_666)]


def test_what_comes_back_is_taken_back_exactly(world: World, db: Session) -> None:
    package = sold(world, plan(world), expires_at=world.now + DAY)
    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))
        reinstate_package(as_actor(world.ada), package.id, reason="was ill")

    assert booked(db, package) == [(3, 10_000), (-3, -10_000)]


@pytest.mark.breaks_invariants  # the lessons used here belong to no booking
def test_a_lesson_that_falls_into_an_expired_package_is_booked_too(world: World, db: Session) -> None:
    package, booking = sold(world, plan(world), expires_at=world.now + DAY), new_id()
    post(package, ledger.reserve, booking)
    with clock.standing_at(world.now + 2 * DAY):
        expire_packages(as_actor(world.ada))
        post(package, ledger.release, booking)

    assert booked(db, package) == [(2, 6_666), (1, 3_334)]


def test_a_plan_that_does_not_say_so_books_nothing(world: World, db: Session) -> None:
    package = sold(world, plan(world, books=False), expires_at=world.now + DAY)

    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))

    assert booked(db, package) == []


def test_a_package_keeps_what_its_plan_said_when_it_was_made(world: World, db: Session) -> None:
    what = plan(world)
    package = sold(world, what, expires_at=world.now + DAY)
    edit_plan(as_actor(world.finn), what.id, changes={"books_breakage": False})
    later = sold(world, what, expires_at=world.now + DAY)

    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))

    assert (booked(db, package), booked(db, later)) == ([(3, 10_000)], [])


def test_a_gift_is_worth_nothing(world: World, db: Session) -> None:
    package = sold(world, plan(world), price_minor=0, expires_at=world.now + DAY)

    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))

    assert booked(db, package) == []


# Warnings


def warned(world: World, at: datetime) -> int:
    with clock.standing_at(at):
        return warn_of_expiry(SYSTEM)


def test_warnings_come_a_month_and_a_week_before_and_once_each(world: World, db: Session) -> None:
    ends = world.now + 60 * DAY
    package = world.package(expires_at=ends)
    second = timedelta(seconds=1)

    counts = [
        warned(world, moment)
        for moment in (ends - 30 * DAY - second, ends - 30 * DAY, ends - 8 * DAY, ends - 7 * DAY, ends - DAY, ends)
    ]

    assert counts == [0, 1, 0, 1, 0, 0]
    assert told(db, "package.expiring") == [(package.id, {"days": 30}), (package.id, {"days": 7})]


def test_what_lives_longer_is_warned_anew(world: World, db: Session) -> None:
    ends = world.now + 60 * DAY
    package = world.package(expires_at=ends)
    warned(world, ends - 7 * DAY)
    extend_package(as_actor(world.ada), package.id, expires_at=ends + 90 * DAY, reason="was ill")

    assert [warned(world, ends - 6 * DAY), warned(world, ends + 61 * DAY)] == [0, 1]


def test_a_package_that_never_lived_so_long_is_not_warned_at_its_start(world: World, db: Session) -> None:
    ends = world.now + 14 * DAY
    world.package(expires_at=ends)

    assert [warned(world, world.now), warned(world, ends - 7 * DAY)] == [0, 1]


def test_nobody_is_warned_of_a_frozen_an_empty_or_an_endless_package(world: World) -> None:
    ends, ada = world.now + 60 * DAY, as_actor(world.ada)
    frozen, empty = world.package(expires_at=ends), world.package(lessons=1, expires_at=ends)
    world.package()
    freeze_package(ada, frozen.id, reason="ill")
    adjust_lessons(ada, empty.id, lessons=-1, reason="a mistake")

    assert warned(world, ends - 5 * DAY) == 0
    with clock.standing_at(ends - 5 * DAY):
        unfreeze_package(ada, frozen.id)
        assert world.again(frozen).expires_at > ends + 50 * DAY


def test_two_jobs_at_once_warn_once(app: Flask, world: World, db: Session) -> None:
    ends = world.now + 60 * DAY
    world.package(expires_at=ends)

    with clock.standing_at(ends - 7 * DAY):
        counts = at_once(app, lambda: warn_of_expiry(SYSTEM), lambda: warn_of_expiry(SYSTEM))

    assert sorted(counts) == [0, 1]
    assert len(told(db, "package.expiring")) == 1


def test_the_job_warns_of_all_that_are_due(world: World) -> None:
    ends = world.now + 60 * DAY
    for _ in range(3):
        world.package(expires_at=ends)

    with clock.standing_at(ends - 7 * DAY):
        assert [jobs.warn_of_expiry(), jobs.warn_of_expiry()] == [3, 0]
