"""Above the limit two people decide: one asks, another allows exactly that, or does not."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import SYSTEM
from guitaronline.billing import queries
from guitaronline.billing.models import Approval, ApprovalStatus, Payment, PaymentStatus, Refund
from guitaronline.billing.refusals import (
    ApprovalAlreadyPending,
    ApprovalDecided,
    ApprovalOutdated,
    ApproverIsRequester,
    ReasonRequired,
)
from guitaronline.billing.service import decide_approval, refund_payment, set_payment_status, settle_refund
from guitaronline.errors import NotAllowed
from tests.billing.books import buckets, is_refund, paid, payment
from tests.world import World, as_actor


def asked(result: object) -> Approval:
    assert isinstance(result, Approval)
    return result


def large(world: World, amount_minor: int = 50_001) -> Payment:
    return payment(world, world.package(lessons=10, origin="purchase", price_minor=amount_minor), amount_minor)


def paid_large(world: World) -> Payment:
    made = large(world)
    decide_approval(as_actor(world.ada), ask_success(world, made).id, approve=True)
    fresh: Payment = world.again(made)
    return fresh


def ask_success(world: World, of: Payment, **more: Any) -> Approval:
    return asked(
        set_payment_status(as_actor(world.finn), of.id, status="succeeded", **{"evidence": "statement 12", **more})
    )


def test_the_limit_itself_needs_nobody(world: World) -> None:
    made = large(world, 50_000)

    assert isinstance(set_payment_status(as_actor(world.finn), made.id, status="succeeded", reason="cash"), Payment)


def test_above_the_limit_nothing_happens_until_another_allows_it(world: World, db: Session) -> None:
    made = large(world)
    approval = ask_success(world, made)

    assert world.again(made).status is PaymentStatus.PENDING
    assert [each.id for each in queries.approvals_waiting(db)] == [approval.id]
    decide_approval(as_actor(world.ada), approval.id, approve=True)

    fresh = world.again(approval)
    assert (fresh.status, fresh.decided_by, fresh.amount_minor) == (ApprovalStatus.APPROVED, world.ada.id, 50_001)
    assert world.again(made).status is PaymentStatus.SUCCEEDED
    last = queries.transitions_of(db, made.id)[-1]
    assert (last.cause, last.evidence, last.actor_id) == (f"approval:{approval.id}", "statement 12", world.ada.id)
    assert queries.approvals_waiting(db) == []


def test_nobody_approves_what_they_asked_for(world: World) -> None:
    approval = ask_success(world, large(world))

    for approve in (True, False):
        with pytest.raises(ApproverIsRequester):
            decide_approval(as_actor(world.finn), approval.id, approve=approve, reason="x")


def test_the_system_approves_nothing(world: World) -> None:
    with pytest.raises(NotAllowed):
        decide_approval(SYSTEM, ask_success(world, large(world)).id, approve=True)


def test_a_rejected_wish_can_be_asked_for_again(world: World) -> None:
    made = large(world)
    approval = ask_success(world, made)

    with pytest.raises(ReasonRequired):
        decide_approval(as_actor(world.ada), approval.id, approve=False)
    decide_approval(as_actor(world.ada), approval.id, approve=False, reason="no such line")

    assert world.again(made).status is PaymentStatus.PENDING
    assert ask_success(world, made).id != approval.id


def test_the_same_wish_again_is_the_same_approval_and_another_must_wait(world: World) -> None:
    made = large(world)
    approval = ask_success(world, made)

    assert ask_success(world, made).id == approval.id
    with pytest.raises(ApprovalAlreadyPending):
        ask_success(world, made, evidence="statement 13")
    with pytest.raises(ApprovalAlreadyPending):
        set_payment_status(as_actor(world.ada), made.id, status="succeeded", evidence="statement 12")


def test_the_same_decision_again_changes_nothing_and_another_is_told(world: World) -> None:
    other = as_actor(world.person("Fay", world.finn.role))
    approval = ask_success(world, large(world))
    first = decide_approval(as_actor(world.ada), approval.id, approve=True).decided_at

    assert decide_approval(as_actor(world.ada), approval.id, approve=True).decided_at == first
    with pytest.raises(ApprovalDecided):
        decide_approval(as_actor(world.ada), approval.id, approve=False, reason="changed my mind")
    with pytest.raises(ApprovalDecided):
        decide_approval(other, approval.id, approve=True)


def test_an_approval_of_a_payment_that_changed_is_refused(world: World) -> None:
    made = large(world)
    approval = ask_success(world, made)
    set_payment_status(as_actor(world.finn), made.id, status="failed", reason="sent back")

    with pytest.raises(ApprovalOutdated):
        decide_approval(as_actor(world.ada), approval.id, approve=True)
    decide_approval(as_actor(world.ada), approval.id, approve=False, reason="it failed")


def test_refunds_are_summed_towards_the_limit(world: World) -> None:
    made = paid_large(world)

    first = is_refund(refund_payment(as_actor(world.finn), made.id, amount_minor=50_000, reason="most"))
    asked(refund_payment(as_actor(world.finn), made.id, amount_minor=1, reason="the rest"))
    settle_refund(as_actor(world.finn), first.id, succeeded=False, reason="account closed")

    is_refund(refund_payment(as_actor(world.finn), made.id, amount_minor=50_000, reason="to another account"))


def test_an_approved_refund_is_the_requesters_word_for_word(world: World, db: Session) -> None:
    made = paid_large(world)
    approval = asked(refund_payment(as_actor(world.finn), made.id, reason="moved away"))
    assert world.again(made).version == made.version

    decide_approval(as_actor(world.ada), approval.id, approve=True)

    (refund,) = queries.refunds_of(db, made.id)
    assert (refund.amount_minor, refund.reason, refund.requested_by, refund.approval_id, refund.status.value) == (
        50_001,
        "moved away",
        world.finn.id,
        approval.id,
        "pending",
    )


def test_a_refund_made_meanwhile_outdates_the_approval(world: World) -> None:
    made = paid_large(world)
    approval = asked(refund_payment(as_actor(world.finn), made.id, amount_minor=50_001, reason="all"))
    refund_payment(as_actor(world.finn), made.id, amount_minor=1, reason="a cent")

    with pytest.raises(ApprovalOutdated):
        decide_approval(as_actor(world.ada), approval.id, approve=True)


def test_a_full_refund_by_status_is_approved_and_settled_in_one(world: World, db: Session) -> None:
    made = paid_large(world)
    approval = asked(set_payment_status(as_actor(world.finn), made.id, status="refunded", reason="fraud"))
    package = made.package_id

    decide_approval(as_actor(world.ada), approval.id, approve=True)

    assert world.again(made).status is PaymentStatus.REFUNDED
    assert [each.amount_minor for each in queries.refunds_of(db, made.id)] == [50_001]
    from guitaronline.billing.models import Package

    assert buckets(world.reloaded(Package, package)) == {"revoked": 10}


def test_a_zero_limit_asks_for_everything(world: World, db: Session) -> None:
    with policy.changed(APPROVAL_ABOVE_MINOR=0):
        asked(
            set_payment_status(
                as_actor(world.finn), payment(world, world.package(), 1).id, status="succeeded", reason="cash"
            )
        )

    assert db.scalars(select(Refund)).all() == []


def test_small_money_needs_nobody(world: World) -> None:
    assert paid(world, world.package(), 1).status is PaymentStatus.SUCCEEDED
