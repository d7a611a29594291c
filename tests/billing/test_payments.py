"""Payments by hand: what they need, what they do once, and the history they leave."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing import queries
from guitaronline.billing.models import Approval, PackageStatus, Payment, PaymentStatus
from guitaronline.billing.refusals import (
    DuplicateReference,
    EvidenceMissing,
    InvalidPayment,
    NothingToRefund,
    PackageRevoked,
    RefundPending,
)
from guitaronline.billing.service import (
    create_plan,
    record_payment,
    refund_payment,
    revoke_package,
    sell_plan,
    set_payment_status,
)
from guitaronline.db import new_id
from guitaronline.errors import NotFound
from guitaronline.states import IllegalMove
from tests.billing.books import buckets, paid, payment
from tests.world import World, as_actor

DAY = timedelta(days=1)


def status(world: World, of: Payment, to: str, **more: Any) -> Payment | Approval:
    return set_payment_status(as_actor(world.finn), of.id, status=to, **more)


def history(db: Session, of: Payment) -> list[tuple[str | None, str]]:
    db.rollback()
    return [(each.from_status, each.to_status) for each in queries.transitions_of(db, of.id)]


def test_a_recorded_payment_is_awaited(world: World, db: Session) -> None:
    made = payment(world, world.package(), external_reference=" WIRE-1 ")

    fresh = world.again(made)
    assert (fresh.status, fresh.student_id, fresh.paid_at) == (PaymentStatus.PENDING, world.ann.id, None)
    assert (fresh.external_reference, fresh.provider) == ("WIRE-1", "manual")
    assert fresh.reference.startswith("PAY-")
    assert history(db, made) == [(None, "pending")]


def test_money_activates_what_was_bought_once(world: World, db: Session) -> None:
    package = world.package(lessons=10, origin="purchase", price_minor=49_000)
    first, second = payment(world, package), payment(world, package)

    status(world, first, "succeeded", evidence="statement 12, line 3")
    status(world, second, "succeeded", evidence="statement 12, line 4")

    fresh = world.again(package)
    assert (fresh.status, fresh.lessons_total, buckets(fresh)) == (PackageStatus.ACTIVE, 10, {"available": 10})
    assert [each.op_key for each in queries.entries_of(db, package.id)] == [f"grant:{package.id}"]
    assert world.again(first).paid_at is not None


def test_money_for_an_active_package_grants_nothing_more(world: World) -> None:
    package = world.package(lessons=10, price_minor=49_000)

    paid(world, package)

    assert buckets(world.again(package)) == {"available": 10}


def test_the_days_of_a_plan_count_from_its_payment(world: World) -> None:
    plan = create_plan(as_actor(world.finn), name="Ten", lessons_total=10, valid_days=90, amount_minor=49_000)
    package = sell_plan(as_actor(world.finn), student_id=world.ann.id, plan_id=plan.id)
    made, then = payment(world, package), world.now + 3 * DAY

    with clock.standing_at(then):
        status(world, made, "succeeded", reason="cash")

    assert world.again(package).expires_at == then + 90 * DAY


def test_the_same_status_again_changes_nothing(world: World, db: Session) -> None:
    made = payment(world, world.package())

    first = status(world, made, "succeeded", reason="cash")
    again = status(world, made, "succeeded", reason="cash, again")

    assert isinstance(again, Payment)
    assert (again.id, again.paid_at) == (first.id, first.paid_at)  # type: ignore[union-attr]
    assert history(db, made) == [(None, "pending"), ("pending", "succeeded")]
    topics = db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == made.id).order_by(OutboxEvent.id))
    assert list(topics) == ["payment.created", "payment.succeeded"]


def test_a_large_success_needs_a_persons_word_or_evidence(world: World, db: Session) -> None:
    made = payment(world, world.package())

    with policy.changed(APPROVAL_ABOVE_MINOR=made.amount_minor - 1), pytest.raises(EvidenceMissing):
        status(world, made, "succeeded", reason="  ")
    assert isinstance(status(world, made, "succeeded", evidence="receipt 7"), Payment)
    last = queries.transitions_of(db, made.id)[-1]
    assert (last.evidence, last.reason, last.actor_id) == ("receipt 7", None, world.finn.id)
    assert last.cause.startswith("person:")


def test_the_banks_own_reference_is_evidence(world: World) -> None:
    made = payment(world, world.package(), external_reference="WIRE-1")

    assert isinstance(status(world, made, "succeeded"), Payment)


@pytest.mark.parametrize("target", ["succeeded", "pending"])
def test_what_failed_comes_back_on_evidence_only(world: World, db: Session, target: str) -> None:
    made = payment(world, world.package(), external_reference="WIRE-1")
    status(world, made, "failed")

    with pytest.raises(EvidenceMissing):
        status(world, made, target, reason="I am sure")
    status(world, made, target, evidence="statement 12, line 3")

    assert history(db, made) == [(None, "pending"), ("pending", "failed"), ("failed", target)]


@pytest.mark.parametrize("target", ["pending", "failed"])
def test_money_that_came_does_not_unhappen(world: World, target: str) -> None:
    made = paid(world, world.package())

    with pytest.raises(IllegalMove):
        status(world, made, target, reason="x", evidence="x")


@pytest.mark.parametrize("before", ["pending", "failed"])
def test_only_money_that_came_is_refunded(world: World, before: str) -> None:
    made = payment(world, world.package())
    _ = before == "failed" and status(world, made, "failed")

    with pytest.raises(IllegalMove):
        status(world, made, "refunded", reason="x")


def test_no_other_status_exists(world: World) -> None:
    with pytest.raises(InvalidPayment):
        status(world, payment(world, world.package()), "paid")
    with pytest.raises(NotFound):
        set_payment_status(as_actor(world.finn), new_id(), status="failed")


def test_refunded_gives_back_all_that_is_left_at_once(world: World, db: Session) -> None:
    package = world.package(lessons=10, price_minor=49_000)
    made = paid(world, package)
    paid_at = world.again(made).paid_at

    status(world, made, "refunded", reason="teacher ill")
    status(world, made, "refunded")

    fresh = world.again(made)
    assert (fresh.status, fresh.paid_at) == (PaymentStatus.REFUNDED, paid_at)
    assert [
        (each.amount_minor, each.status.value, each.lessons_revoked, each.reason)
        for each in queries.refunds_of(db, made.id)
    ] == [(49_000, "succeeded", 10, "teacher ill")]
    assert history(db, made)[-1] == ("succeeded", "refunded")
    assert queries.transitions_of(db, made.id)[-1].cause.startswith("refund:")
    assert (buckets(world.again(package)), world.again(package).status) == ({"revoked": 10}, PackageStatus.REVOKED)


def test_refunded_waits_for_a_refund_on_its_way(world: World) -> None:
    made = paid(world, world.package())
    refund_payment(as_actor(world.finn), made.id, amount_minor=1, reason="change")

    with pytest.raises(RefundPending) as refusal:
        status(world, made, "refunded")
    assert refusal.value.facts == {"pending_minor": 1}


def test_nothing_is_refunded_twice(world: World) -> None:
    made = paid(world, world.package())
    status(world, made, "refunded")

    with pytest.raises(NothingToRefund):
        refund_payment(as_actor(world.finn), made.id, amount_minor=1, reason="again")


def test_an_external_reference_is_recorded_once(world: World) -> None:
    payment(world, world.package(), external_reference="WIRE-1")

    with pytest.raises(DuplicateReference):
        payment(world, world.package(world.ben), external_reference="WIRE-1 ")
    payment(world, world.package(), external_reference=None)
    payment(world, world.package(), external_reference="  ")


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"amount_minor": 0}, "/amount"),
        ({"amount_minor": -1}, "/amount"),
        ({"amount_minor": 10**12 + 1}, "/amount"),
        ({"currency": "XXX"}, "/currency"),
        ({"currency": "EUR"}, "/currency"),
        ({"external_reference": "x" * 201}, "/external_reference"),
        ({"external_reference": "a\x00b"}, "/external_reference"),
    ],
)
def test_a_payment_that_cannot_be_says_why(world: World, facts: dict[str, Any], pointer: str) -> None:
    package = world.package(price_minor=49_000)

    with pytest.raises(InvalidPayment) as refusal:
        record_payment(as_actor(world.finn), package_id=package.id, **{"amount_minor": 1, "currency": "USD", **facts})

    assert [each.pointer for each in refusal.value.reasons] == [pointer]


def test_a_purchase_is_paid_as_a_whole(world: World) -> None:
    package = world.package(origin="purchase", price_minor=49_000)

    with pytest.raises(InvalidPayment, match=r"costs 490\.00 USD"):
        payment(world, package, 48_999)


def test_money_for_a_revoked_package_is_not_swallowed(world: World) -> None:
    package = world.package(origin="purchase", price_minor=49_000)
    made = payment(world, package)
    revoke_package(as_actor(world.finn), package.id, reason="changed their mind")

    with pytest.raises(PackageRevoked):
        status(world, made, "succeeded", evidence="statement 12, line 3")
    with pytest.raises(PackageRevoked):
        payment(world, package)
    assert world.again(made).status is PaymentStatus.PENDING
    assert isinstance(status(world, made, "failed", reason="sent back"), Payment)
