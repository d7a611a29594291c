"""What a provider says of refunds, in any order and twice, ends the same; and what nobody asked for is a refund of its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing import queries
from guitaronline.billing.facts import Outcome, hear
from guitaronline.billing.models import PackageStatus, Payment, PaymentStatus, Refund, RefundStatus
from guitaronline.billing.providers.base import FactKind
from guitaronline.billing.purchasing import buy_plan
from guitaronline.billing.refund_models import RefundSource
from guitaronline.billing.refusals import InvalidPayment, RefundExceedsPayment
from guitaronline.billing.service import cancel_refund, create_plan, look_at_refund, refund_payment
from jobs.refunds import ask_providers
from tests.billing.books import buckets, is_refund
from tests.refunds.scripted import Scripted, bought, package_of, told
from tests.world import World, as_actor

REFUNDED, FAILED = FactKind.REFUNDED, FactKind.REFUND_FAILED


def say(payment: Payment, *facts: Any) -> Outcome:
    return hear(SYSTEM, payment.id, facts=facts).outcomes[-1]


def refunds(db: Session, payment: Payment) -> list[Refund]:
    db.rollback()
    return list(db.scalars(select(Refund).where(Refund.payment_id == payment.id).order_by(Refund.id)))


def state(db: Session, payment: Payment) -> Any:
    """Everything that the order of telling must not change."""
    package = package_of(payment)
    rows = sorted(
        (each.amount_minor, each.status.value, each.provider_reference or "", each.needs_look)
        for each in refunds(db, payment)
    )
    fresh = db.get_one(Payment, payment.id, populate_existing=True)
    return (fresh.status, rows, buckets(package), package.status)


def test_a_refund_that_nobody_here_asked_for_is_one_of_its_own(world: World, db: Session) -> None:
    payment = bought(world)

    outcome = say(payment, told(payment, REFUNDED, 2, 9_800, refund_reference="re_own"))

    (refund,) = refunds(db, payment)
    assert outcome is Outcome.APPLIED
    assert (refund.status, refund.source, refund.amount_minor, refund.lessons_revoked, refund.needs_look) == (
        RefundStatus.SUCCEEDED,
        RefundSource.PROVIDER,
        9_800,
        2,
        True,
    )
    assert buckets(package_of(payment)) == {"available": 8, "revoked": 2}
    assert db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == refund.id)).all() == [
        "refund.created",
        "refund.unexpected",
        "refund.succeeded",
    ]
    look_at_refund(as_actor(world.finn), refund.id, reason="the owner did it in their dashboard")
    assert not world.again(refund).needs_look


def test_one_of_all_of_it_makes_the_payment_refunded(world: World, db: Session) -> None:
    payment = bought(world)

    say(payment, told(payment, REFUNDED, 2, refund_reference="re_own"))

    assert state(db, payment)[0] is PaymentStatus.REFUNDED
    assert package_of(payment).status is PackageStatus.REVOKED


def test_ours_is_known_by_the_id_that_we_sent_along(world: World, db: Session) -> None:
    payment = bought(world)
    refund = is_refund(refund_payment(as_actor(world.finn), payment.id, amount_minor=9_800, reason="two less"))

    say(payment, told(payment, REFUNDED, 2, 9_800, refund_id=refund.id, refund_reference="re_1"))

    (known,) = refunds(db, payment)
    assert (known.id, known.status, known.source, known.needs_look) == (
        refund.id,
        RefundStatus.SUCCEEDED,
        RefundSource.ASKED,
        False,
    )


def test_one_without_our_id_is_taken_for_what_was_asked_for(world: World, db: Session, provider: Scripted) -> None:
    payment = bought(world)
    is_refund(refund_payment(as_actor(world.finn), payment.id, amount_minor=9_800, reason="two less"))
    provider.script = ["silent"]
    ask_providers()

    say(payment, told(payment, REFUNDED, 2, 9_800, refund_reference="re_1"))

    assert [(each.status, each.source) for each in refunds(db, payment)] == [
        (RefundStatus.SUCCEEDED, RefundSource.ASKED)
    ]


def test_what_was_withdrawn_and_paid_back_there_all_the_same_is_seen(world: World, db: Session) -> None:
    payment = bought(world)
    refund = is_refund(refund_payment(as_actor(world.finn), payment.id, amount_minor=9_800, reason="two less"))
    cancel_refund(as_actor(world.finn), refund.id, reason="stays")

    say(payment, told(payment, REFUNDED, 2, 9_800, refund_id=refund.id, refund_reference="re_1"))

    assert [(each.status, each.source) for each in refunds(db, payment)] == [
        (RefundStatus.CANCELED, RefundSource.ASKED),
        (RefundStatus.SUCCEEDED, RefundSource.PROVIDER),
    ]


def test_ours_gives_way_to_what_the_provider_paid_back_by_itself(world: World, db: Session) -> None:
    payment = bought(world)
    ours = is_refund(refund_payment(as_actor(world.finn), payment.id, amount_minor=40_000, reason="moved away"))

    say(payment, told(payment, REFUNDED, 2, 20_000, refund_reference="re_own"))

    assert world.again(ours).status is RefundStatus.FAILED
    assert world.again(ours).needs_look
    assert queries.refunds_sum(db, payment.id, *queries.COMMITTED) == 20_000


def test_more_than_was_paid_cannot_have_gone_back(world: World) -> None:
    payment = bought(world)

    with pytest.raises(RefundExceedsPayment):
        say(payment, told(payment, REFUNDED, 2, 49_001, refund_reference="re_own"))
    euros = replace(told(payment, REFUNDED, 3, 100, refund_reference="re_2"), currency="EUR")
    with pytest.raises(InvalidPayment):
        say(payment, euros)


def test_a_full_refund_that_came_back_undoes_all_that_it_did(world: World, db: Session) -> None:
    payment = bought(world)
    say(payment, told(payment, REFUNDED, 2, refund_reference="re_own"))

    say(payment, told(payment, FAILED, 3, refund_reference="re_own"))

    assert state(db, payment) == (
        PaymentStatus.SUCCEEDED,
        [(49_000, "failed", "re_own", True)],
        {"available": 10},
        PackageStatus.ACTIVE,
    )
    assert [each.to_status for each in queries.transitions_of(db, payment.id)] == [
        "pending",
        "succeeded",
        "refunded",
        "succeeded",
    ]


ORDERS = list(permutations(range(4)))


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_two_refunds_of_which_one_came_back_end_the_same_in_every_order(
    world: World, db: Session, order: tuple[int, ...]
) -> None:
    payment = bought(world)
    facts = [
        told(payment, REFUNDED, 2, 24_500, refund_reference="re_a"),
        told(payment, REFUNDED, 3, 24_500, refund_reference="re_b"),
        told(payment, FAILED, 4, 24_500, refund_reference="re_b"),
        told(payment, FAILED, 4, 24_500, refund_reference="re_b"),
    ]

    for place in [*order, *order]:
        say(payment, facts[place])

    assert state(db, payment) == (
        PaymentStatus.SUCCEEDED,
        [(24_500, "failed", "re_b", True), (24_500, "succeeded", "re_a", True)],
        {"available": 5, "revoked": 5},
        PackageStatus.ACTIVE,
    )


def test_a_refund_told_before_its_payment_waits(world: World, db: Session) -> None:
    plan = create_plan(as_actor(world.ada), name="New", lessons_total=2, amount_minor=5_000)
    awaited = buy_plan(as_actor(world.ann), plan_id=plan.id, provider="sandbox").payment

    assert say(awaited, told(awaited, REFUNDED, 9, refund_reference="re_early")) is Outcome.TOO_EARLY
    assert refunds(db, awaited) == []
