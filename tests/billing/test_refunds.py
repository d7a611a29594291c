"""Refunds: never more than was paid, lessons go with the money, and a failed one undoes itself."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from guitaronline.billing import queries
from guitaronline.billing.models import PackageStatus, PaymentStatus, RefundStatus
from guitaronline.billing.refusals import (
    NothingToRefund,
    PaymentNotSucceeded,
    ReasonRequired,
    RefundExceedsPayment,
)
from guitaronline.billing.service import (
    adjust_lessons,
    cancel_refund,
    refund_payment,
    refund_preview,
    revoke_package,
    settle_refund,
)
from guitaronline.db import new_id
from guitaronline.errors import NotFound
from guitaronline.states import IllegalMove
from tests.billing.books import buckets, is_refund, paid, payment
from tests.world import World, as_actor


def test_a_partial_refund_waits_and_takes_its_lessons(world: World, db: Session) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    made = paid(world, package)

    refund = is_refund(refund_payment(as_actor(world.finn), made.id, amount_minor=9_800, reason="two lessons less"))

    assert (refund.status, refund.lessons_revoked, refund.currency, refund.requested_by) == (
        RefundStatus.PENDING,
        2,
        "USD",
        world.finn.id,
    )
    assert refund.reference.startswith("RFD-")
    assert buckets(world.again(package)) == {"available": 8, "revoked": 2}
    assert queries.entries_of(db, package.id)[0].op_key == f"revoke:{refund.id}"
    assert world.again(made).status is PaymentStatus.SUCCEEDED


def test_without_an_amount_the_rule_offers_one(world: World) -> None:
    made = paid(world, world.package(lessons=10, price_minor=49_000))

    assert is_refund(refund_payment(as_actor(world.finn), made.id, reason="moved away")).amount_minor == 49_000


def test_the_preview_says_what_the_refund_does(world: World, db: Session) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    made = paid(world, package)

    preview = refund_preview(db, made.id, now=world.now, delivered=3)
    assert (preview.amount_minor, preview.lessons_revoked, preview.needs_approval) == (34_300, 7, False)
    assert preview.bookings == []
    assert refund_preview(db, made.id, now=world.now).amount_minor == 49_000
    with pytest.raises(RefundExceedsPayment):
        refund_preview(db, made.id, now=world.now, amount_minor=49_001)
    with pytest.raises(NotFound):
        refund_preview(db, new_id(), now=world.now)


@pytest.mark.parametrize("amount", [0, -1, 49_001])
def test_no_refund_exceeds_its_payment(world: World, amount: int) -> None:
    made = paid(world, world.package())

    with pytest.raises(RefundExceedsPayment) as refusal:
        refund_payment(as_actor(world.finn), made.id, amount_minor=amount, reason="x")
    assert refusal.value.facts == {"limit": 49_000, "asked": amount}


def test_refunds_together_do_not_exceed_the_payment(world: World) -> None:
    made = paid(world, world.package())
    refund_payment(as_actor(world.finn), made.id, amount_minor=40_000, reason="most")

    with pytest.raises(RefundExceedsPayment):
        refund_payment(as_actor(world.finn), made.id, amount_minor=9_001, reason="a cent too much")
    refund_payment(as_actor(world.finn), made.id, amount_minor=9_000, reason="the rest")
    with pytest.raises(NothingToRefund):
        refund_payment(as_actor(world.finn), made.id, reason="more")


def test_only_money_that_came_goes_back(world: World) -> None:
    with pytest.raises(PaymentNotSucceeded):
        refund_payment(as_actor(world.finn), payment(world, world.package()).id, reason="x")


def test_a_refund_says_why(world: World) -> None:
    made = paid(world, world.package())

    with pytest.raises(ReasonRequired):
        refund_payment(as_actor(world.finn), made.id, reason=" ")
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="x"))
    with pytest.raises(ReasonRequired):
        settle_refund(as_actor(world.finn), refund.id, succeeded=False)
    with pytest.raises(ReasonRequired):
        cancel_refund(as_actor(world.finn), refund.id, reason=None)


def test_the_payment_is_refunded_when_the_last_part_is_paid_out(world: World) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    made = paid(world, package)
    first = is_refund(refund_payment(as_actor(world.finn), made.id, amount_minor=1, reason="a"))
    rest = is_refund(refund_payment(as_actor(world.finn), made.id, amount_minor=48_999, reason="b"))

    settle_refund(as_actor(world.finn), rest.id, succeeded=True)
    assert world.again(made).status is PaymentStatus.SUCCEEDED
    assert (buckets(world.again(package)), world.again(package).status) == ({"revoked": 10}, PackageStatus.DEPLETED)
    settle_refund(as_actor(world.finn), first.id, succeeded=True)

    assert world.again(made).status is PaymentStatus.REFUNDED
    assert world.again(package).status is PackageStatus.REVOKED
    assert world.again(first).settled_at is not None


@pytest.mark.parametrize("how", ["failed", "canceled"])
def test_a_refund_that_did_not_happen_gives_room_and_lessons_back(world: World, db: Session, how: str) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    made = paid(world, package)
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="moved away"))

    finn = as_actor(world.finn)
    _ = (
        settle_refund(finn, refund.id, succeeded=False, reason="account closed")
        if how == "failed"
        else cancel_refund(finn, refund.id, reason="stays")
    )

    assert world.again(refund).status == how
    assert (buckets(world.again(package)), world.again(package).status) == ({"available": 10}, PackageStatus.ACTIVE)
    assert queries.entries_of(db, package.id)[0].op_key == f"unrevoke:{refund.id}"
    assert is_refund(refund_payment(finn, made.id, reason="again")).amount_minor == 49_000


def test_settling_twice_changes_nothing_and_differently_is_refused(world: World) -> None:
    made = paid(world, world.package())
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="x"))

    first = settle_refund(as_actor(world.finn), refund.id, succeeded=True).settled_at
    assert settle_refund(as_actor(world.finn), refund.id, succeeded=True).settled_at == first
    with pytest.raises(IllegalMove):
        settle_refund(as_actor(world.finn), refund.id, succeeded=False, reason="came back")


def test_lessons_that_staff_gave_back_meanwhile_do_not_come_twice(world: World) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    refund = is_refund(refund_payment(as_actor(world.finn), paid(world, package).id, reason="moved away"))
    adjust_lessons(as_actor(world.ada), package.id, lessons=4, reason="stays for four")

    settle_refund(as_actor(world.finn), refund.id, succeeded=False, reason="account closed")

    assert buckets(world.again(package)) == {"available": 10}


def test_a_package_taken_back_meanwhile_gets_nothing_from_a_failed_refund(world: World) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    refund = is_refund(
        refund_payment(as_actor(world.finn), paid(world, package).id, amount_minor=24_500, reason="half")
    )
    revoke_package(as_actor(world.finn), package.id, reason="fraud")

    settle_refund(as_actor(world.finn), refund.id, succeeded=False, reason="account closed")

    assert buckets(world.again(package)) == {"revoked": 10}


def test_money_that_came_twice_goes_back_without_a_lesson(world: World) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    paid(world, package)
    twice = paid(world, package)

    refund = is_refund(refund_payment(as_actor(world.finn), twice.id, reason="paid twice"))
    settle_refund(as_actor(world.finn), refund.id, succeeded=True)

    assert (refund.amount_minor, refund.lessons_revoked) == (49_000, 0)
    assert (buckets(world.again(package)), world.again(package).status) == ({"available": 10}, PackageStatus.ACTIVE)


def test_refunds_of_two_halves_take_half_the_lessons_each(world: World) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    halves = [paid(world, package, 24_500) for _ in range(2)]

    taken = [
        is_refund(refund_payment(as_actor(world.finn), each.id, reason="moved away")).lessons_revoked for each in halves
    ]

    assert taken == [5, 5]


def test_a_lesson_in_use_is_not_taken_by_a_refund(world: World, db: Session) -> None:
    pytest.importorskip("guitaronline.booking.service", exc_type=ImportError)
    package = world.package(lessons=3, price_minor=30_000)
    made = paid(world, package, 30_000)
    held, booked = world.hold(), world.booking(world.slot(hours=50))

    preview = refund_preview(db, made.id, now=world.now)
    assert [each.id for each in preview.bookings] == [held.id, booked.id]
    assert preview.lessons_revoked == 1
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="moved away"))
    settle_refund(as_actor(world.finn), refund.id, succeeded=True)

    assert buckets(world.again(package)) == {"reserved": 1, "consumed": 1, "revoked": 1}
    assert world.again(package).status is PackageStatus.ACTIVE


def test_two_parts_that_both_went_back_take_every_lesson(world: World) -> None:
    package = world.package(lessons=5, price_minor=49_000)
    first, second = paid(world, package, 24_500), paid(world, package, 24_500)

    taken = [is_refund(refund_payment(as_actor(world.finn), each.id, reason="no")) for each in (first, second)]

    assert [each.lessons_revoked for each in taken] == [2, 3]
    assert buckets(world.again(package)) == {"revoked": 5}


def test_while_something_of_another_part_is_left_its_lessons_stay(world: World) -> None:
    package = world.package(lessons=5, price_minor=49_000)
    first, second = paid(world, package, 24_500), paid(world, package, 24_500)
    refund_payment(as_actor(world.finn), first.id, amount_minor=24_499, reason="all but a cent")

    assert is_refund(refund_payment(as_actor(world.finn), second.id, reason="no")).lessons_revoked == 2
