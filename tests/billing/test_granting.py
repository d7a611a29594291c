"""Packages are granted, sold and ordered; each with its right and its refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing import queries
from guitaronline.billing.models import PackageOrigin, PackageStatus
from guitaronline.billing.refusals import (
    InvalidPackage,
    NotAStudent,
    PlanNotOnSale,
    ReasonRequired,
    StudentInactive,
    TrialUsed,
)
from guitaronline.billing.service import (
    create_plan,
    edit_plan,
    grant_package,
    revoke_package,
    sell_plan,
)
from guitaronline.db import new_id
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.service import deactivate_person
from tests.world import World, as_actor

DAY = timedelta(days=1)


def test_a_granted_package_is_active_at_once_with_one_entry(world: World, db: Session) -> None:
    package = grant_package(as_actor(world.finn), student_id=world.ann.id, lessons_total=10, reason="prize")

    fresh = world.again(package)
    assert (fresh.status, fresh.origin, fresh.lessons_total, fresh.available) == (
        PackageStatus.ACTIVE,
        PackageOrigin.GRANTED,
        10,
        10,
    )
    assert fresh.activated_at is not None
    assert fresh.reference.startswith("PKG-")
    (entry,) = queries.entries_of(db, package.id)
    assert (entry.op_key, entry.sequence, entry.d_available, entry.available) == (f"grant:{package.id}", 1, 10, 10)
    assert db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == package.id)).all() == [
        "package.activated"
    ]


def test_what_is_granted_for_a_price_is_on_account(world: World) -> None:
    assert world.package(price_minor=49_000).origin is PackageOrigin.ON_ACCOUNT


def test_what_is_bought_waits_for_its_money_without_a_lesson(world: World, db: Session) -> None:
    package = world.package(lessons=10, origin="purchase", price_minor=49_000)

    assert package.status is PackageStatus.PENDING
    assert (package.lessons_ordered, package.lessons_total, package.lessons_left) == (10, 0, 0)
    assert queries.entries_of(db, package.id) == []


def test_every_wrong_field_is_named(world: World) -> None:
    with pytest.raises(InvalidPackage) as refusal:
        world.package(lessons=0, expires_at=world.now, price_minor=-1, currency="usd", lesson_minutes=5)

    assert [each.pointer for each in refusal.value.reasons] == [
        "/lessons_total",
        "/lesson_minutes",
        "/expires_at",
        "/price",
        "/currency",
    ]


def test_what_is_bought_has_a_price(world: World) -> None:
    with pytest.raises(InvalidPackage):
        world.package(origin="purchase")


def test_packages_belong_to_active_students(world: World) -> None:
    with pytest.raises(NotAStudent):
        world.package(world.tom)
    with pytest.raises(NotFound):
        grant_package(as_actor(world.finn), student_id=new_id(), lessons_total=1)
    deactivate_person(as_actor(world.ada), world.ann.id, reason="moved away")
    with pytest.raises(StudentInactive):
        world.package(world.ann)


def test_a_person_has_one_trial_unless_staff_override_it(world: World) -> None:
    world.package(lessons=1, is_trial=True)

    with pytest.raises(TrialUsed):
        world.package(lessons=1, is_trial=True)
    with pytest.raises(ReasonRequired):
        grant_package(as_actor(world.ada), student_id=world.ann.id, lessons_total=1, is_trial=True, override=True)
    with pytest.raises(NotAllowed):
        grant_package(
            as_actor(world.finn), student_id=world.ann.id, lessons_total=1, is_trial=True, override=True, reason="ill"
        )
    assert world.package(lessons=1, is_trial=True, override=True).is_trial
    assert world.package(world.ben, lessons=1, is_trial=True).is_trial


def test_a_revoked_trial_was_none(world: World) -> None:
    revoke_package(as_actor(world.ada), world.package(lessons=1, is_trial=True).id, reason="wrong person")

    assert world.package(lessons=1, is_trial=True).is_trial


def test_a_plan_is_sold_as_it_says_today(world: World) -> None:
    plan = create_plan(
        as_actor(world.finn), name="Ten", lessons_total=10, lesson_minutes=45, valid_days=90, amount_minor=49_000
    )
    with clock.standing_at(world.now):
        package = sell_plan(as_actor(world.finn), student_id=world.ann.id, plan_id=plan.id, origin="on_account")
        assert package.expires_at == world.now + 90 * DAY

    assert (package.lessons_total, package.lesson_minutes, package.price_minor, package.plan_id) == (
        10,
        45,
        49_000,
        plan.id,
    )
    assert package.plan_price_id is not None
    bought = sell_plan(as_actor(world.finn), student_id=world.ann.id, plan_id=plan.id)
    assert (bought.status, bought.expires_at, bought.lessons_ordered) == (PackageStatus.PENDING, None, 10)
    edit_plan(as_actor(world.finn), plan.id, changes={"is_active": False})
    with pytest.raises(PlanNotOnSale):
        sell_plan(as_actor(world.finn), student_id=world.ann.id, plan_id=plan.id)
