"""Packages are extended, frozen, reinstated, revoked and adjusted; each with its right and its refusals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import AuditAction
from guitaronline.billing import ledger, queries
from guitaronline.billing.models import CreditEntry, Package, PackageStatus
from guitaronline.billing.refusals import (
    AdjustmentTooLarge,
    InvalidPackage,
    NothingToReinstate,
    PackageExpired,
    PackageInUse,
    PackageNotActive,
    ReasonRequired,
)
from guitaronline.billing.service import (
    adjust_lessons,
    expire_packages,
    extend_package,
    freeze_package,
    reinstate_package,
    revoke_package,
    unfreeze_package,
)
from guitaronline.db import new_id
from tests.billing.books import book, buckets, post
from tests.world import World, as_actor

DAY = timedelta(days=1)


def test_a_package_is_extended_never_shortened(world: World) -> None:
    package = world.package(expires_at=world.now + 9 * DAY)
    until = world.now + 20 * DAY

    assert extend_package(as_actor(world.sue), package.id, expires_at=until, reason="holiday").expires_at == until
    with pytest.raises(InvalidPackage):
        extend_package(as_actor(world.sue), package.id, expires_at=until - DAY, reason="holiday")
    assert extend_package(as_actor(world.sue), package.id, expires_at=None, reason="goodwill").expires_at is None
    with pytest.raises(InvalidPackage):
        extend_package(as_actor(world.sue), package.id, expires_at=until, reason="holiday")


def test_freezing_stops_the_clock_and_unfreezing_gives_the_time_back(world: World) -> None:
    now = world.now
    package = world.package(expires_at=now + 10 * DAY)

    with clock.standing_at(now + 2 * DAY):
        freeze_package(as_actor(world.sue), package.id, reason="broken arm")
    with clock.standing_at(now + 30 * DAY):
        assert expire_packages(as_actor(world.ada)) == 0
        unfreeze_package(as_actor(world.sue), package.id)

    fresh = world.again(package)
    assert (fresh.expires_at, fresh.frozen_at, fresh.frozen_reason) == (now + 38 * DAY, None, None)


def test_freezing_twice_and_unfreezing_twice_change_nothing(world: World) -> None:
    package = world.package()
    first = freeze_package(as_actor(world.sue), package.id, reason="dispute").frozen_at

    assert freeze_package(as_actor(world.ada), package.id, reason="illness").frozen_at == first
    assert world.again(package).frozen_reason == "dispute"
    unfreeze_package(as_actor(world.sue), package.id)
    assert unfreeze_package(as_actor(world.sue), package.id).frozen_at is None


def test_an_expired_package_is_reinstated_with_its_lessons(world: World) -> None:
    soon = world.now + DAY
    package = world.package(lessons=3, expires_at=soon)

    with clock.standing_at(soon + DAY):
        again = reinstate_package(as_actor(world.finn), package.id, reason="illness")

    assert (buckets(again), again.status, again.expires_at) == ({"available": 3}, PackageStatus.ACTIVE, soon + 31 * DAY)


def test_only_what_expired_is_reinstated(world: World) -> None:
    with pytest.raises(PackageNotActive):
        reinstate_package(as_actor(world.finn), world.package().id, reason="illness")


@pytest.mark.breaks_invariants  # the lesson used here belongs to no booking
def test_a_package_that_expired_empty_has_nothing_to_reinstate(world: World) -> None:
    soon = world.now + DAY
    package = world.package(lessons=1, expires_at=soon)
    book(package, new_id())

    with clock.standing_at(soon), pytest.raises(NothingToReinstate):
        reinstate_package(as_actor(world.finn), package.id, reason="illness")


def test_a_revoked_package_gives_its_lessons_back(world: World, db: Session) -> None:
    package = world.package(lessons=3)

    revoke_package(as_actor(world.finn), package.id, reason="fraud")
    revoke_package(as_actor(world.finn), package.id, reason="fraud")

    fresh = world.again(package)
    assert (buckets(fresh), fresh.status) == ({"revoked": 3}, PackageStatus.REVOKED)
    assert [each.op_key for each in queries.entries_of(db, package.id)] == [
        f"revoke:{package.id}",
        f"grant:{package.id}",
    ]


def test_a_package_that_was_never_paid_is_revoked(world: World) -> None:
    package = world.package(origin="purchase", price_minor=100)

    assert revoke_package(as_actor(world.finn), package.id, reason="changed their mind").status is PackageStatus.REVOKED


def test_a_package_with_a_held_lesson_is_not_revoked_and_the_booking_is_named(world: World) -> None:
    pytest.importorskip("guitaronline.booking.service", exc_type=ImportError)
    package, booking = world.package(), world.hold()

    with pytest.raises(PackageInUse) as refusal:
        revoke_package(as_actor(world.finn), package.id, reason="fraud")

    assert [each.facts["reference"] for each in refusal.value.reasons] == [booking.reference]
    assert world.again(package).status is PackageStatus.ACTIVE


@pytest.mark.parametrize(
    ("first", "then", "left"), [(-2, None, {"available": 3, "revoked": 2}), (-5, 3, {"available": 3, "revoked": 2})]
)
def test_lessons_are_adjusted_within_the_package(
    world: World, first: int, then: int | None, left: dict[str, int]
) -> None:
    package = world.package(lessons=5)

    adjust_lessons(as_actor(world.sue), package.id, lessons=first, reason="counted wrong")
    _ = then and adjust_lessons(as_actor(world.sue), package.id, lessons=then, reason="counted right")

    fresh = world.again(package)
    assert (buckets(fresh), fresh.lessons_total) == (left, 5)


@pytest.mark.parametrize(("lessons", "most"), [(0, 0), (1, 0), (-6, 5)])
def test_more_than_the_package_has_is_no_adjustment(world: World, lessons: int, most: int) -> None:
    with pytest.raises(AdjustmentTooLarge, match="grant a package") as refusal:
        adjust_lessons(as_actor(world.ada), world.package(lessons=5).id, lessons=lessons, reason="goodwill")

    assert refusal.value.facts["most"] == most


def test_the_reason_of_an_adjustment_stands_in_entry_and_audit(world: World, db: Session) -> None:
    adjust_lessons(as_actor(world.sue), world.package().id, lessons=-1, reason="counted wrong")

    assert db.scalars(select(CreditEntry.reason).where(CreditEntry.kind == "adjust")).all() == ["counted wrong"]
    action = db.scalars(select(AuditAction).where(AuditAction.name == "package.adjust")).one()
    assert (action.actor_id, action.reason) == (world.sue.id, "counted wrong")


@pytest.mark.parametrize("reason", [None, "", "   "])
def test_what_is_done_to_a_package_needs_a_reason(world: World, reason: str | None) -> None:
    ada, package = as_actor(world.ada), world.package(expires_at=world.now + DAY)
    calls: list[Any] = [
        lambda: extend_package(ada, package.id, expires_at=None, reason=reason),
        lambda: freeze_package(ada, package.id, reason=reason),
        lambda: reinstate_package(ada, package.id, reason=reason),
        lambda: revoke_package(ada, package.id, reason=reason),
        lambda: adjust_lessons(ada, package.id, lessons=-1, reason=reason),
    ]

    for call in calls:
        with pytest.raises(ReasonRequired):
            call()


def test_an_expired_package_is_told_to_be_reinstated_first(world: World) -> None:
    ada, soon = as_actor(world.ada), world.now + DAY
    package = world.package(expires_at=soon)

    with clock.standing_at(soon):
        for call in (
            lambda: extend_package(ada, package.id, expires_at=None, reason="x"),
            lambda: freeze_package(ada, package.id, reason="x"),
            lambda: adjust_lessons(ada, package.id, lessons=-1, reason="x"),
            lambda: revoke_package(ada, package.id, reason="x"),
        ):
            with pytest.raises(PackageExpired):
                call()
    assert world.again(package).status is PackageStatus.ACTIVE


def test_overdue_packages_are_expired_by_the_sweep_and_only_they(world: World, db: Session) -> None:
    soon = world.now + DAY
    due, later, never = world.package(lessons=2, expires_at=soon), world.package(expires_at=soon + DAY), world.package()

    with clock.standing_at(soon):
        assert expire_packages(as_actor(world.ada)) == 1
        assert expire_packages(as_actor(world.ada)) == 0

    statuses = [world.again(each).status.value for each in (due, later, never)]
    assert statuses == ["expired", "active", "active"]
    assert db.scalars(select(AuditAction.name).where(AuditAction.name == "package.expire")).all() == ["package.expire"]


def test_a_sweep_takes_at_most_its_limit(world: World) -> None:
    soon = world.now + DAY
    for _ in range(3):
        world.package(expires_at=soon)

    with clock.standing_at(soon):
        assert [expire_packages(as_actor(world.ada), limit=2) for _ in range(3)] == [2, 1, 0]


@pytest.mark.breaks_invariants  # the lesson used here belongs to no booking
def test_a_depleted_package_expires_too(world: World) -> None:
    soon = world.now + DAY
    package = world.package(lessons=1, expires_at=soon)
    book(package, new_id())

    with clock.standing_at(soon):
        assert expire_packages(as_actor(world.ada)) == 1
        post(package, ledger.give_back, _booking_of(world, package), 1, students_fault=False)

    assert world.again(package).status is PackageStatus.ACTIVE


def _booking_of(world: World, package: Package) -> Any:
    from guitaronline.db import session

    return (
        session()
        .scalars(select(CreditEntry.booking_id).where(CreditEntry.package_id == package.id, CreditEntry.kind == "hold"))
        .one()
    )
