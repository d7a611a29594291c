"""Where a lesson goes, once and only once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing import ledger, queries
from guitaronline.billing.models import CreditEntry, Package, PackageStatus
from guitaronline.billing.refusals import AlreadyCounted, NoLessonsLeft, PackageExpired, PackageFrozen, PackageNotActive
from guitaronline.billing.service import adjust_lessons, extend_package, freeze_package, revoke_package
from guitaronline.db import new_id
from tests.billing.books import book, buckets, ledger_holds, post
from tests.world import World, as_actor

pytestmark = pytest.mark.breaks_invariants  # these lessons belong to no booking; I1 is looked at here

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _ledger_holds(db: Session) -> Iterator[None]:
    yield
    assert ledger_holds(db)


def of(world: World, package: Package) -> tuple[dict[str, int], PackageStatus]:
    fresh = world.again(package)
    return buckets(fresh), fresh.status


def topics(db: Session, package: Package) -> list[str]:
    return list(
        db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == package.id).order_by(OutboxEvent.id))
    )


def test_a_lesson_is_reserved_then_used(world: World, db: Session) -> None:
    package, booking = world.package(lessons=2), new_id()

    post(package, ledger.reserve, booking)
    assert of(world, package) == ({"available": 1, "reserved": 1}, PackageStatus.ACTIVE)
    assert world.again(package).lessons_left == 2
    post(package, ledger.consume, booking)
    assert of(world, package) == ({"available": 1, "consumed": 1}, PackageStatus.ACTIVE)
    assert world.again(package).lessons_left == 1
    assert [(e.sequence, e.op_key.split(":")[0], e.available) for e in queries.entries_of(db, package.id)] == [
        (3, "settle", 1),
        (2, "hold", 1),
        (1, "grant", 2),
    ]


def test_the_last_lesson_depletes_the_package_and_its_return_refills_it(world: World, db: Session) -> None:
    package, booking = world.package(lessons=1), new_id()

    book(package, booking)
    assert of(world, package) == ({"consumed": 1}, PackageStatus.DEPLETED)
    returned = post(package, ledger.give_back, booking, 1, students_fault=True)
    assert returned == ledger.ReturnedTo("available", None)
    assert of(world, package) == ({"available": 1}, PackageStatus.ACTIVE)
    assert topics(db, package) == ["package.activated", "package.depleted", "package.refilled"]


def test_a_reserved_lesson_keeps_the_package_active(world: World) -> None:
    package = world.package(lessons=1)

    post(package, ledger.reserve, new_id())

    assert of(world, package) == ({"reserved": 1}, PackageStatus.ACTIVE)


def test_no_lesson_is_reserved_that_is_not_there(world: World) -> None:
    package = world.package(lessons=1)
    post(package, ledger.reserve, new_id())

    with pytest.raises(NoLessonsLeft):
        post(package, ledger.reserve, new_id())


def test_nothing_is_reserved_from_an_expired_frozen_or_revoked_package(world: World) -> None:
    soon = world.now + DAY
    lapsed, frozen, revoked = world.package(expires_at=soon), world.package(), world.package()
    freeze_package(as_actor(world.ada), frozen.id, reason="illness")
    revoke_package(as_actor(world.ada), revoked.id, reason="mistake")

    with clock.standing_at(soon), pytest.raises(PackageExpired):
        post(lapsed, ledger.reserve, new_id())
    with pytest.raises(PackageFrozen):
        post(frozen, ledger.reserve, new_id())
    with pytest.raises(PackageNotActive):
        post(revoked, ledger.reserve, new_id())


def test_a_fact_counts_once(world: World) -> None:
    package, booking, other = world.package(), new_id(), new_id()
    book(package, booking)
    post(package, ledger.reserve, other)

    for again in (
        lambda: post(package, ledger.reserve, booking),
        lambda: post(package, ledger.consume, booking),
        lambda: post(package, ledger.grant, 5, f"grant:{package.id}"),
    ):
        with pytest.raises(AlreadyCounted):
            again()
    assert of(world, package)[0] == {"available": 3, "reserved": 1, "consumed": 1}


def test_a_lesson_returns_once_for_each_settlement(world: World) -> None:
    package, booking = world.package(lessons=2), new_id()
    book(package, booking)

    post(package, ledger.give_back, booking, 1, students_fault=True)
    with pytest.raises((AlreadyCounted, NoLessonsLeft)):
        post(package, ledger.give_back, booking, 1, students_fault=True)
    post(package, ledger.consume_again, booking, 2)
    post(package, ledger.give_back, booking, 2, students_fault=True)

    assert of(world, package)[0] == {"available": 2}


def test_nothing_is_released_or_used_that_is_not_reserved(world: World) -> None:
    package = world.package()

    with pytest.raises(NoLessonsLeft):
        post(package, ledger.release, new_id())
    with pytest.raises(NoLessonsLeft):
        post(package, ledger.consume, new_id())


def test_a_released_lesson_is_available_again(world: World) -> None:
    package, booking = world.package(lessons=1), new_id()
    post(package, ledger.reserve, booking)

    assert post(package, ledger.release, booking).bucket == "available"
    assert of(world, package) == ({"available": 1}, PackageStatus.ACTIVE)


@pytest.mark.parametrize("job_ran", [False, True])
def test_a_lesson_released_after_expiry_is_expired(world: World, job_ran: bool) -> None:
    soon = world.now + DAY
    package, booking = world.package(lessons=2, expires_at=soon), new_id()
    post(package, ledger.reserve, booking)

    with clock.standing_at(soon):
        _ = job_ran and post(package, ledger.expire)
        assert post(package, ledger.release, booking).bucket == "expired"
        _ = job_ran or post(package, ledger.expire)

    assert of(world, package) == ({"expired": 2}, PackageStatus.EXPIRED)


@pytest.mark.parametrize("job_ran", [False, True])
def test_by_the_students_fault_a_lesson_returns_into_expired(world: World, job_ran: bool) -> None:
    soon = world.now + DAY
    package, booking = world.package(lessons=2, expires_at=soon), new_id()
    book(package, booking)

    with clock.standing_at(soon):
        _ = job_ran and post(package, ledger.expire)
        returned = post(package, ledger.give_back, booking, 1, students_fault=True)

    assert returned == ledger.ReturnedTo("expired", soon)
    assert of(world, package) == ({"expired": 2}, PackageStatus.EXPIRED)


@pytest.mark.parametrize("job_ran", [False, True])
def test_by_anothers_fault_the_lesson_lives_thirty_days_more_and_only_that_lesson(world: World, job_ran: bool) -> None:
    soon = world.now + DAY
    package, booking = world.package(lessons=3, expires_at=soon), new_id()
    book(package, booking)

    with clock.standing_at(soon):
        _ = job_ran and post(package, ledger.expire)
        returned = post(package, ledger.give_back, booking, 1, students_fault=False)

    assert returned == ledger.ReturnedTo("available", soon + 30 * DAY)
    assert of(world, package) == ({"available": 1, "expired": 2}, PackageStatus.ACTIVE)


def test_a_package_without_expiry_gets_none_by_a_return(world: World) -> None:
    package, booking = world.package(lessons=1), new_id()
    book(package, booking)

    assert post(package, ledger.give_back, booking, 1, students_fault=False).expires_at is None


def test_a_lesson_of_a_revoked_package_returns_into_revoked(world: World) -> None:
    package, booking = world.package(lessons=2), new_id()
    book(package, booking)
    revoke_package(as_actor(world.ada), package.id, reason="mistake")

    assert post(package, ledger.give_back, booking, 1, students_fault=False).bucket == "revoked"
    assert of(world, package) == ({"revoked": 2}, PackageStatus.REVOKED)


def test_a_corrected_outcome_uses_the_lesson_again_even_when_it_has_expired(world: World) -> None:
    soon = world.now + DAY
    package, booking = world.package(lessons=1, expires_at=soon), new_id()
    book(package, booking)
    post(package, ledger.give_back, booking, 1, students_fault=True)

    with clock.standing_at(soon):
        post(package, ledger.expire)
        post(package, ledger.consume_again, booking, 2)

    assert of(world, package) == ({"consumed": 1}, PackageStatus.EXPIRED)


def test_a_lesson_that_was_spent_meanwhile_cannot_be_used_again(world: World) -> None:
    package, booking = world.package(lessons=1), new_id()
    book(package, booking)
    post(package, ledger.give_back, booking, 1, students_fault=True)
    book(package, new_id())

    with pytest.raises(NoLessonsLeft):
        post(package, ledger.consume_again, booking, 2)


def test_expiry_touches_only_what_is_available(world: World) -> None:
    soon = world.now + DAY
    package, held = world.package(lessons=4, expires_at=soon), new_id()
    book(package, new_id())
    post(package, ledger.reserve, held)

    with clock.standing_at(soon):
        assert post(package, ledger.expire) == 2

    assert of(world, package) == ({"reserved": 1, "consumed": 1, "expired": 2}, PackageStatus.EXPIRED)


def test_a_package_can_expire_as_often_as_it_is_reinstated(world: World, db: Session) -> None:
    soon = world.now + DAY
    package = world.package(lessons=2, expires_at=soon)

    with clock.standing_at(soon):
        post(package, ledger.expire)
        assert post(package, ledger.reinstate, expires_at=soon + DAY, reason="illness") == 2
    with clock.standing_at(soon + DAY):
        post(package, ledger.expire)

    keys = db.scalars(
        select(CreditEntry.op_key).where(CreditEntry.package_id == package.id).order_by(CreditEntry.sequence)
    )
    assert list(keys) == [
        f"grant:{package.id}",
        f"expire:{package.id}:1",
        f"reinstate:{package.id}:1",
        f"expire:{package.id}:2",
    ]


def test_lessons_given_back_by_a_failed_refund_expire_with_their_package(world: World) -> None:
    soon = world.now + DAY
    package, refund = world.package(lessons=2, expires_at=soon), new_id()
    post(package, ledger.revoke, 2, f"revoke:{refund}")
    assert of(world, package) == ({"revoked": 2}, PackageStatus.DEPLETED)

    with clock.standing_at(soon):
        assert post(package, ledger.unrevoke, 2, f"unrevoke:{refund}") == 2

    assert of(world, package)[0] == {"expired": 2}


def test_extending_gives_time_and_no_lesson(world: World) -> None:
    package = world.package(lessons=2, expires_at=world.now + DAY)

    extend_package(as_actor(world.sue), package.id, expires_at=world.now + 9 * DAY, reason="holiday")

    assert of(world, package) == ({"available": 2}, PackageStatus.ACTIVE)


def test_an_adjustment_takes_from_the_revoked_before_the_expired(world: World) -> None:
    soon, ada = world.now + DAY, as_actor(world.ada)
    package, booking = world.package(lessons=4, expires_at=soon), new_id()
    book(package, booking)
    adjust_lessons(ada, package.id, lessons=-1, reason="counted wrong")

    with clock.standing_at(soon):
        post(package, ledger.expire)
        post(package, ledger.give_back, booking, 1, students_fault=False)
        assert of(world, package)[0] == {"available": 1, "expired": 2, "revoked": 1}
        adjust_lessons(ada, package.id, lessons=2, reason="goodwill")

    assert of(world, package)[0] == {"available": 3, "expired": 1}
