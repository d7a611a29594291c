"""A dispute freezes the unused lessons of its purchase; won thaws them, lost takes them, and neither is a refund."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing import queries, room
from guitaronline.billing.dispute_models import Dispute, DisputeStatus
from guitaronline.billing.models import Approval, Package, PackageStatus, Payment, PaymentStatus
from guitaronline.billing.refusals import (
    ApprovalOutdated,
    DisputeExceedsPayment,
    InvalidDispute,
    NotByHand,
    NothingToRefund,
    PackageDisputed,
    PackageFrozen,
    PaymentNotSucceeded,
    ReasonRequired,
    RefundExceedsPayment,
)
from guitaronline.billing.service import (
    answer_dispute,
    assign_dispute,
    decide_approval,
    decide_dispute,
    freeze_package,
    open_dispute,
    refund_payment,
    refund_preview,
    settle_refund,
    unfreeze_package,
)
from guitaronline.errors import NotAllowed
from guitaronline.states import IllegalMove
from tests.billing.books import buckets, is_refund, paid, payment
from tests.refunds.scripted import bought
from tests.world import World, as_actor

WHY = "the payer does not know this payment"


@pytest.fixture
def made(world: World) -> Payment:
    return paid(world, world.package(lessons=10, price_minor=49_000, expires_at=world.now + timedelta(days=60)))


def opened(world: World, of: Payment, amount_minor: int = 49_000) -> Dispute:
    return open_dispute(as_actor(world.finn), of.id, amount_minor=amount_minor, reason=WHY)


def decided(world: World, dispute: Dispute, *, won: bool) -> Dispute:
    return decide_dispute(as_actor(world.finn), dispute.id, won=won, reason="the bank's letter")


def package_of(world: World, of: Payment) -> Package:
    found: Package = world.reloaded(Package, of.package_id)
    return found


def test_an_open_dispute_freezes_the_unused_lessons(world: World, made: Payment) -> None:
    dispute = opened(world, made)

    package = package_of(world, made)
    assert dispute.reference.startswith("DSP-")
    assert (dispute.status, dispute.freezes) == (DisputeStatus.OPEN, True)
    assert (package.frozen_at, package.frozen_reason) == (dispute.created_at, f"dispute {dispute.reference}")
    with pytest.raises(PackageFrozen):
        world.hold()
    with pytest.raises(PackageDisputed):
        unfreeze_package(as_actor(world.sue), package.id, reason="they asked")


def test_won_thaws_it_with_the_time_that_it_lost(world: World, made: Payment) -> None:
    before, dispute = package_of(world, made).expires_at, opened(world, made)

    with clock.standing_at(dispute.created_at + timedelta(days=20)):
        decided(world, dispute, won=True)

    package = package_of(world, made)
    assert package.frozen_at is None
    assert before is not None
    assert package.expires_at == before + timedelta(days=20)
    assert buckets(package) == {"available": 10}
    assert is_refund(refund_payment(as_actor(world.finn), made.id, reason="moved away")).amount_minor == 49_000


def test_lost_takes_the_unused_lessons_and_is_no_refund(world: World, db: Session, made: Payment) -> None:
    dispute = decided(world, opened(world, made), won=False)

    package = package_of(world, made)
    assert (dispute.lessons_revoked, dispute.freezes) == (10, False)
    assert (buckets(package), package.status, package.frozen_at) == ({"revoked": 10}, PackageStatus.REVOKED, None)
    assert world.again(made).status is PaymentStatus.SUCCEEDED
    assert queries.refunds_of(db, made.id) == []
    with pytest.raises(NothingToRefund):
        refund_payment(as_actor(world.finn), made.id, reason="too")


def test_half_of_it_lost_takes_half_of_the_lessons(world: World, db: Session, made: Payment) -> None:
    decided(world, opened(world, made, 24_500), won=False)

    package = package_of(world, made)
    assert (buckets(package), package.frozen_at) == ({"available": 5, "revoked": 5}, None)
    assert room.spoken_for(db, made.id).lost_minor == 24_500
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="the rest"))
    assert (refund.amount_minor, refund.lessons_revoked) == (24_500, 5)
    settle_refund(as_actor(world.finn), refund.id, succeeded=True)
    assert world.again(made).status is PaymentStatus.SUCCEEDED  # Σ refunds is half of it


def test_lessons_that_were_given_stay_given(world: World, made: Payment) -> None:
    booked = world.booking()

    decided(world, opened(world, made), won=False)

    assert buckets(package_of(world, made)) == {"consumed": 1, "revoked": 9}
    assert world.again(booked).status == "confirmed"


def test_what_is_disputed_cannot_be_refunded_meanwhile(world: World, db: Session, made: Payment) -> None:
    opened(world, made, 24_500)

    assert refund_preview(db, made.id, now=world.now).amount_minor == 24_500
    with pytest.raises(RefundExceedsPayment) as refusal:
        refund_payment(as_actor(world.finn), made.id, amount_minor=24_501, reason="a cent too much")
    assert refusal.value.facts["limit"] == 24_500
    assert (
        is_refund(refund_payment(as_actor(world.finn), made.id, amount_minor=4_900, reason="a lesson")).lessons_revoked
        == 1
    )


def test_a_package_frozen_for_another_reason_stays_frozen(world: World, made: Payment) -> None:
    freeze_package(as_actor(world.sue), made.package_id, reason="ill until May")
    dispute = opened(world, made)
    assert not dispute.freezes

    decided(world, dispute, won=True)

    assert package_of(world, made).frozen_reason == "ill until May"


def test_a_package_frozen_for_another_reason_is_not_free_while_it_is_disputed(world: World, made: Payment) -> None:
    freeze_package(as_actor(world.sue), made.package_id, reason="ill until May")
    dispute = opened(world, made)

    with pytest.raises(PackageDisputed):
        unfreeze_package(as_actor(world.sue), made.package_id, reason="well again")

    decided(world, dispute, won=True)
    assert unfreeze_package(as_actor(world.sue), made.package_id, reason="well again").frozen_at is None


def test_of_two_disputes_the_last_one_thaws_it(world: World, made: Payment) -> None:
    first, second = opened(world, made, 10_000), opened(world, made, 10_000)

    decided(world, first, won=True)
    assert package_of(world, made).frozen_reason == f"dispute {second.reference}"
    assert world.again(second).freezes
    decided(world, second, won=True)

    assert package_of(world, made).frozen_at is None


def test_disputes_never_exceed_their_payment(world: World, made: Payment) -> None:
    opened(world, made, 40_000)

    for amount in (0, -1, 9_001):
        with pytest.raises(DisputeExceedsPayment):
            opened(world, made, amount)
    opened(world, made, 9_000)


def test_a_refunded_payment_can_be_disputed_all_the_same(world: World, made: Payment) -> None:
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="moved away"))
    settle_refund(as_actor(world.finn), refund.id, succeeded=True)

    dispute = decided(world, opened(world, made), won=False)

    assert (dispute.lessons_revoked, world.again(made).status) == (0, PaymentStatus.REFUNDED)


def test_only_money_that_came_is_disputed(world: World) -> None:
    with pytest.raises(PaymentNotSucceeded):
        opened(world, payment(world, world.package()))


def test_a_decision_is_final_and_told_again_changes_nothing(world: World, made: Payment) -> None:
    dispute = opened(world, made)
    with pytest.raises(ReasonRequired):
        decide_dispute(as_actor(world.finn), dispute.id, won=True, reason=" ")

    first = decided(world, dispute, won=True)
    assert decided(world, dispute, won=True).decided_at == first.decided_at
    with pytest.raises(IllegalMove):
        decided(world, dispute, won=False)


def test_a_provider_dispute_is_opened_and_decided_by_nobodys_hand(world: World) -> None:
    with pytest.raises(NotByHand):
        opened(world, bought(world))


def test_somebody_of_the_staff_looks_after_it(world: World, made: Payment) -> None:
    dispute, due = opened(world, made), world.now + timedelta(days=7)

    fresh = assign_dispute(as_actor(world.finn), dispute.id, owner_id=world.ada.id, evidence_due_at=due)
    assert (fresh.owner_id, fresh.evidence_due_at) == (world.ada.id, due)
    with pytest.raises(InvalidDispute):
        assign_dispute(as_actor(world.finn), dispute.id, owner_id=world.ann.id)
    answered = answer_dispute(as_actor(world.finn), dispute.id, reason="the pack, by the bank's portal")
    assert answered.evidence_sent_at is not None
    decided(world, dispute, won=True)
    with pytest.raises(IllegalMove):
        assign_dispute(as_actor(world.finn), dispute.id, owner_id=None)


def test_the_day_of_the_evidence_lies_ahead(world: World, made: Payment) -> None:
    with pytest.raises(InvalidDispute) as refusal:
        open_dispute(
            as_actor(world.finn),
            made.id,
            amount_minor=1,
            fee_minor=-1,
            evidence_due_at=world.now - timedelta(days=1),
            reason=WHY,
        )
    assert [each.code for each in refusal.value.reasons] == ["fee_invalid", "evidence_due_on_invalid"]


def test_a_dispute_outdates_an_approval_of_a_refund(world: World, made: Payment) -> None:
    with policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        asked = refund_payment(as_actor(world.finn), made.id, amount_minor=20_000, reason="moved away")
        assert isinstance(asked, Approval)
        opened(world, made, 1)

        with pytest.raises(ApprovalOutdated):
            decide_approval(as_actor(world.ada), asked.id, approve=True)


def test_support_reads_disputes_and_decides_none(world: World, made: Payment) -> None:
    dispute = opened(world, made)

    with pytest.raises(NotAllowed):
        open_dispute(as_actor(world.sue), made.id, amount_minor=1, reason=WHY)
    with pytest.raises(NotAllowed):
        decide_dispute(as_actor(world.sue), dispute.id, won=True, reason="x")
