"""What a provider says of disputes, in any order and twice, ends the same."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing.dispute_models import Dispute, DisputeStatus
from guitaronline.billing.facts import Outcome, hear
from guitaronline.billing.models import Payment
from guitaronline.billing.providers.base import FactKind
from guitaronline.billing.purchasing import buy_plan
from guitaronline.billing.refusals import NotByHand
from guitaronline.billing.service import create_plan, decide_dispute
from guitaronline.states import IllegalMove
from tests.billing.books import buckets
from tests.refunds.scripted import bought, package_of, told
from tests.world import World, as_actor

ROOT = Path(__file__).resolve().parents[2]
OPENED, WON, LOST = FactKind.DISPUTE_OPENED, FactKind.DISPUTE_WON, FactKind.DISPUTE_LOST


def say(payment: Payment, *facts: Any) -> Outcome:
    return hear(SYSTEM, payment.id, facts=facts).outcomes[-1]


def disputes(db: Session, payment: Payment) -> list[Dispute]:
    db.rollback()
    return list(db.scalars(select(Dispute).where(Dispute.payment_id == payment.id).order_by(Dispute.amount_minor)))


def test_the_providers_word_opens_it_and_freezes_the_lessons(world: World, db: Session) -> None:
    payment = bought(world)

    say(payment, told(payment, OPENED, 2, refund_reference="dp_1", detail="fraudulent"))

    (dispute,) = disputes(db, payment)
    assert (dispute.status, dispute.amount_minor, dispute.reason, dispute.provider_reference, dispute.freezes) == (
        DisputeStatus.OPEN,
        49_000,
        "fraudulent",
        "dp_1",
        True,
    )
    assert package_of(payment).frozen_reason == f"dispute {dispute.reference}"
    with pytest.raises(NotByHand):
        decide_dispute(as_actor(world.finn), dispute.id, won=True, reason="I think so")


ORDERS = list(permutations(range(4)))


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_two_disputes_end_the_same_in_every_order(world: World, db: Session, order: tuple[int, ...]) -> None:
    payment = bought(world)
    facts = [
        told(payment, OPENED, 2, 9_800, refund_reference="dp_a"),
        told(payment, WON, 3, 9_800, refund_reference="dp_a"),
        told(payment, OPENED, 4, 24_500, refund_reference="dp_b"),
        told(payment, LOST, 5, 24_500, refund_reference="dp_b"),
    ]

    for place in [*order, *order]:
        say(payment, facts[place])

    assert [(each.status, each.amount_minor, each.lessons_revoked, each.freezes) for each in disputes(db, payment)] == [
        (DisputeStatus.WON, 9_800, 0, False),
        (DisputeStatus.LOST, 24_500, 5, False),
    ]
    package = package_of(payment)
    assert (buckets(package), package.frozen_at) == ({"available": 5, "revoked": 5}, None)


def test_another_end_than_the_one_that_was_told_is_refused(world: World, db: Session) -> None:
    payment = bought(world)
    say(payment, told(payment, WON, 2, refund_reference="dp_1"))

    with pytest.raises(IllegalMove):
        say(payment, told(payment, LOST, 3, refund_reference="dp_1"))


def test_one_told_before_its_payment_waits(world: World, db: Session) -> None:
    plan = create_plan(as_actor(world.ada), name="New", lessons_total=2, amount_minor=5_000)
    awaited = buy_plan(as_actor(world.ann), plan_id=plan.id, provider="sandbox").payment

    assert say(awaited, told(awaited, OPENED, 9, refund_reference="dp_1")) is Outcome.TOO_EARLY
    assert disputes(db, awaited) == []


def test_the_process_that_takes_events_knows_what_to_do_with_every_kind() -> None:
    """In a process of its own: here somebody else may have loaded what is needed."""
    asked = (
        "import jobs.payments; from guitaronline.billing.facts import appliers;"
        " from guitaronline.billing.providers.base import FactKind; print(sorted(set(FactKind) - set(appliers)))"
    )

    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[<FactKind.OTHER: 'other'>]"
