"""What fits is exactly what can be held, in the order in which it should be used; pages add up to the whole."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing import queries, rules
from guitaronline.billing.models import Package
from guitaronline.billing.service import adjust_lessons, freeze_package, revoke_package
from tests.billing.books import payment
from tests.world import World, as_actor

DAY = timedelta(days=1)


def test_the_package_that_expires_first_comes_first(world: World, db: Session) -> None:
    now = world.now
    never, late, soon = (
        world.package(),
        world.package(expires_at=now + 9 * DAY),
        world.package(expires_at=now + 5 * DAY),
    )
    also_never = world.package()
    world.package(world.ben)

    found = queries.fitting_package_ids(db, world.ann.id, minutes=60, lesson_start=now + DAY, now=now)

    assert found == [soon.id, late.id, never.id, also_never.id]


def test_the_list_and_the_rule_agree(world: World, db: Session) -> None:
    now = world.now
    for minutes, days in product([None, 45, 60], [None, 1, 3]):
        world.package(lessons=1, lesson_minutes=minutes, expires_at=now + days * DAY if days else None)
    freeze_package(as_actor(world.ada), world.package().id, reason="illness")
    revoke_package(as_actor(world.ada), world.package().id, reason="mistake")
    adjust_lessons(as_actor(world.ada), world.package(lessons=1).id, lessons=-1, reason="mistake")
    world.package(origin="purchase", price_minor=100)
    packages = db.query(Package).all()

    for minutes, start, at in product([45, 60], [DAY, 2 * DAY, 3 * DAY, 4 * DAY], [timedelta(0), DAY, 2 * DAY]):
        found = queries.fitting_package_ids(db, world.ann.id, minutes=minutes, lesson_start=now + start, now=now + at)
        fitting = {
            each.id
            for each in packages
            if not rules.package_problems(each, minutes=minutes, lesson_start=now + start, now=now + at)
        }
        assert set(found) == fitting


def test_pages_of_packages_entries_and_payments_are_the_whole(world: World, db: Session) -> None:
    packages = [world.package(lessons=9) for _ in range(3)]
    payments = [payment(world, packages[0], 100 + n) for n in range(3)]
    for _ in range(2):
        adjust_lessons(as_actor(world.ada), packages[0].id, lessons=-1, reason="mistake")

    first = queries.packages_of_student(db, world.ann.id, limit=2)
    rest = queries.packages_of_student(db, world.ann.id, after=first[-1].id, limit=2)
    assert [each.id for each in first + rest] == [each.id for each in reversed(packages)]
    money = queries.payments_of_student(db, world.ann.id, limit=2)
    money += queries.payments_of_student(db, world.ann.id, after=money[-1].id, limit=2)
    assert [each.id for each in money] == [each.id for each in reversed(payments)]
    entries = queries.entries_of(db, packages[0].id, limit=2)
    entries += queries.entries_of(db, packages[0].id, after=entries[-1].sequence, limit=2)
    assert [each.sequence for each in entries] == [3, 2, 1]


def test_what_was_delivered_is_told_by_the_lessons(world: World, db: Session) -> None:
    service = pytest.importorskip("guitaronline.booking.service", exc_type=ImportError)
    lessons = pytest.importorskip("guitaronline.lessons.service", exc_type=ImportError)
    now, ada = world.now, as_actor(world.ada)
    package = world.package(lessons=9)
    given, missed, failed, late, early, owed = (world.booking(world.slot(hours=30 + n)) for n in range(6))

    service.cancel_booking(as_actor(world.ann), early.id)
    with clock.standing_at(now + timedelta(hours=32, minutes=30)):
        lesson = {each.booking_id: each.id for each in db.query(world_lesson()).all()}
        lessons.complete_lesson(ada, lesson[given.id])
        lessons.mark_no_show(ada, lesson[missed.id], side="student", reason="did not come")
        lessons.mark_no_show(ada, lesson[failed.id], side="technical", reason="no sound")
        service.cancel_booking(as_actor(world.ann), late.id)

    assert queries.delivered_lessons(db, package.id) == 3
    assert [each.id for each in queries.live_bookings(db, package.id, now=now)] == [
        given.id,
        missed.id,
        failed.id,
        owed.id,
    ]


def world_lesson() -> type:
    from guitaronline.lessons.models import Lesson

    return Lesson
