"""Money that a file shows for a purchase that nobody paid in time: it gives its lessons, or a person is told why not."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing.asking import asking_of, lapse_checkout
from guitaronline.billing.models import PackageStatus, PaymentStatus
from guitaronline.billing.reconciliation.service import run_matching, settle_by_match
from guitaronline.billing.service import Purchase, decide_approval, revoke_package
from tests.purchase.shop import bought, exceptions, plan
from tests.reconciliation.statements import line, provide, the_exception, told
from tests.world import World, as_actor


@pytest.fixture
def today(world: World) -> date:
    return world.now.date()


def lapsed_but_charged(world: World, today: date, **more: Any) -> Purchase:
    """Nobody told us of the money for this purchase until the file came."""
    made = bought(world, plan(world, **more))
    provide(SYSTEM, made.payment.id, "pi_1", "pending")
    lapse_checkout(SYSTEM, made.payment.id)
    told([line("txn_1", made.payment.amount_minor, today, intent_id="pi_1")])
    run_matching(SYSTEM)
    return made


def allowed(world: World, db: Session) -> None:
    approval = settle_by_match(as_actor(world.finn), the_exception(db).id, reason="seen in the file")
    decide_approval(as_actor(world.ada), approval.id, approve=True)


def test_a_lapsed_purchase_whose_money_is_found_gets_its_lessons(world: World, db: Session, today: date) -> None:
    made = lapsed_but_charged(world, today)
    assert world.again(made.package).status is PackageStatus.REVOKED

    allowed(world, db)

    package = world.again(made.package)
    assert (package.status, package.available) == (PackageStatus.ACTIVE, 10)
    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED
    asked = asking_of(db, made.payment.id)
    assert asked is not None  # so that its reference there is known, for a refund
    assert asked.ask_at == world.again(made.payment).paid_at


def test_money_that_is_found_after_a_person_took_the_package_back_is_kept_and_noted(
    world: World, db: Session, today: date
) -> None:
    made = bought(world)
    provide(SYSTEM, made.payment.id, "pi_1", "failed")
    revoke_package(as_actor(world.ada), made.package.id, reason="a mistake")
    told([line("txn_1", made.payment.amount_minor, today, intent_id="pi_1")])
    run_matching(SYSTEM)

    allowed(world, db)

    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED
    assert world.again(made.package).status is PackageStatus.REVOKED
    assert exceptions() == ["package_taken_back"]


def test_money_that_is_found_for_a_trial_after_another_trial_is_noted(world: World, db: Session, today: date) -> None:
    lapsed_but_charged(world, today, is_trial=True)
    bought(world, plan(world, name="Another trial", is_trial=True))

    allowed(world, db)

    assert exceptions() == ["second_trial"]
