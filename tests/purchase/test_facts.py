"""Where a payment ends depends on which facts were told, never on their order or how often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.billing import queries
from guitaronline.billing.asking import lapse_checkout
from guitaronline.billing.facts import Outcome
from guitaronline.billing.models import PackageStatus, PaymentStatus
from guitaronline.billing.provider_models import PaymentException
from guitaronline.billing.providers import FactKind
from guitaronline.billing.service import record_payment, revoke_package, set_payment_status
from tests.purchase.shop import bought, end_in, ends_in, exceptions, fact, now_of, plan, tell
from tests.world import World, as_actor

LATER = timedelta(minutes=9)


def test_money_activates_the_package_and_grants_its_lessons(world: World, db: Session) -> None:
    made = bought(world)

    heard = tell(made.payment, fact(made.payment))

    package = world.again(made.package)
    assert heard.outcomes == (Outcome.APPLIED,)
    assert (package.status, package.available) == (PackageStatus.ACTIVE, 10)
    assert package.expires_at == package.activated_at + timedelta(days=180)
    assert [each.cause for each in queries.transitions_of(db, made.payment.id)][1:] == ["event:evt_1"]
    assert world.again(made.payment).external_reference == "pay_1"


def test_the_same_event_again_changes_nothing_and_leaves_no_action(world: World) -> None:
    made = bought(world)
    tell(made.payment, fact(made.payment))
    before = now_of(world, made), world.again(made.payment).version

    heard = tell(made.payment, fact(made.payment))

    assert not heard
    assert (now_of(world, made), world.again(made.payment).version) == before


def test_all_orders_of_six_events_each_told_twice_end_alike(world: World) -> None:
    made = bought(world)
    pay = made.payment
    six = [
        fact(pay, FactKind.FAILED, "evt_declined", detail="card_declined"),
        fact(pay, FactKind.FAILED, "evt_declined_again"),
        fact(pay, FactKind.CHECKOUT_EXPIRED, "evt_expired"),
        fact(pay, FactKind.PAID, "evt_session"),
        fact(pay, FactKind.PAID, "evt_intent", at=pay.created_at + LATER),
        fact(pay, FactKind.PAID, "evt_wrong", amount_minor=1, reference="pay_2"),
    ]

    ends = ends_in(pay, six)

    assert len(ends) == 1
    assert next(iter(ends))[:6] == ("succeeded", "pay_1", True, "active", 10, 10)


def test_all_orders_with_money_taken_twice_end_alike(world: World) -> None:
    made = bought(world)
    pay = made.payment
    told = [
        fact(pay, FactKind.PAID, "evt_1", reference="pay_b", at=pay.created_at + LATER),
        fact(pay, FactKind.PAID, "evt_2", reference="pay_a", at=pay.created_at + LATER * 2),
        fact(pay, FactKind.FAILED, "evt_3"),
        fact(pay, FactKind.PAID, "evt_4", currency="EUR", reference="pay_c"),
    ]

    ends = ends_in(pay, told)

    assert len(ends) == 1
    (end,) = ends
    assert end[:2] == ("succeeded", "pay_b")  # the earliest money, whichever was told first
    assert [kind for kind, _ in end[6]] == ["paid_twice", "wrong_currency"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_money_taken_twice_the_one_to_give_back_is_named(world: World, db: Session, order: tuple[int, int]) -> None:
    pay = bought(world).payment
    both = [
        fact(pay, event_id="evt_1", reference="pay_kept"),
        fact(pay, event_id="evt_2", reference="pay_again", at=pay.created_at + LATER),
    ]

    tell(pay, both[order[0]])
    tell(pay, both[order[1]])

    noted = db.scalars(select(PaymentException)).one()
    assert (world.again(pay).external_reference, noted.external_reference, noted.event_id) == (
        "pay_kept",
        "pay_again",
        "evt_2",
    )


def test_all_orders_without_success_end_as_failed(world: World) -> None:
    pay = bought(world).payment
    told = [
        fact(pay, FactKind.FAILED, "evt_1"),
        fact(pay, FactKind.CHECKOUT_EXPIRED, "evt_2"),
        fact(pay, FactKind.PAID, "evt_3", amount_minor=pay.amount_minor - 1),
        fact(pay, FactKind.OTHER, "evt_4"),
    ]

    ends = ends_in(pay, told)

    assert len(ends) == 1
    assert next(iter(ends))[:6] == ("failed", None, False, "pending", 0, 0)


def test_the_order_would_matter_if_the_first_money_named_the_payment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the last money's reference on the payment, two orders end differently."""
    pay = bought(world).payment
    one, other = fact(pay, event_id="evt_1", reference="pay_a"), fact(pay, event_id="evt_2", reference="pay_b")
    monkeypatch.setattr(
        "guitaronline.billing.facts._name_reference",
        lambda work, payment, told: setattr(payment, "external_reference", told.reference),
    )

    assert end_in(pay, [one, other]) != end_in(pay, [other, one])


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"amount_minor": 48_999}, "wrong_amount"),
        ({"amount_minor": 49_001}, "wrong_amount"),
        ({"currency": "EUR"}, "wrong_currency"),
    ],
)
def test_money_that_differs_never_counts_and_is_noted(world: World, more: dict[str, object], kind: str) -> None:
    made = bought(world)

    tell(made.payment, fact(made.payment, **more))

    assert world.again(made.payment).status is PaymentStatus.PENDING
    assert world.again(made.package).status is PackageStatus.PENDING
    assert exceptions() == [kind]


def test_money_after_a_decline_counts(world: World, db: Session) -> None:
    made = bought(world)
    tell(made.payment, fact(made.payment, FactKind.FAILED, "evt_1", detail="card_declined"))
    assert world.again(made.payment).status is PaymentStatus.FAILED

    tell(made.payment, fact(made.payment, event_id="evt_2"))

    assert [each.to_status for each in queries.transitions_of(db, made.payment.id)] == [
        "pending",
        "failed",
        "succeeded",
    ]
    assert world.again(made.package).status is PackageStatus.ACTIVE


def test_money_after_the_checkout_lapsed_opens_the_package_again(world: World) -> None:
    made = bought(world)
    lapse_checkout(SYSTEM, made.payment.id)
    assert world.again(made.package).status is PackageStatus.REVOKED

    tell(made.payment, fact(made.payment))

    package = world.again(made.package)
    assert (package.status, package.available, exceptions()) == (PackageStatus.ACTIVE, 10, [])


def test_money_for_a_package_that_a_person_took_back_is_kept_and_noted(world: World) -> None:
    made = bought(world)
    revoke_package(as_actor(world.ada), made.package.id, reason="a mistake")

    tell(made.payment, fact(made.payment))

    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED
    assert world.again(made.package).status is PackageStatus.REVOKED
    assert exceptions() == ["package_taken_back"]


def test_money_for_a_lapsed_trial_after_another_trial_is_noted(world: World) -> None:
    trial = plan(world, is_trial=True)
    first = bought(world, trial)
    lapse_checkout(SYSTEM, first.payment.id)
    bought(world, trial)

    tell(first.payment, fact(first.payment))

    assert world.again(first.package).status is PackageStatus.REVOKED
    assert exceptions() == ["second_trial"]


def test_money_for_what_other_money_has_paid_grants_nothing_more_and_is_noted(world: World) -> None:
    made = bought(world)
    cash = record_payment(
        as_actor(world.finn), package_id=made.package.id, amount_minor=made.payment.amount_minor, currency="USD"
    )
    set_payment_status(as_actor(world.finn), cash.id, status="succeeded", reason="cash")

    tell(made.payment, fact(made.payment))

    assert (world.again(made.package).available, exceptions()) == (10, ["already_paid"])


def test_one_telling_is_put_in_order_by_itself(world: World, db: Session) -> None:
    made = bought(world)

    tell(made.payment, fact(made.payment, FactKind.FAILED, "evt_1"), fact(made.payment, event_id="evt_2"))

    assert [each.to_status for each in queries.transitions_of(db, made.payment.id)] == ["pending", "succeeded"]
    assert len(queries.facts_of(db, made.payment.id)) == 2


def test_paid_at_stays_when_more_is_told(world: World) -> None:
    made = bought(world)
    tell(made.payment, fact(made.payment))
    paid_at = world.again(made.payment).paid_at

    with clock.moved_by(timedelta(days=2)):
        tell(made.payment, fact(made.payment, event_id="evt_2"), fact(made.payment, FactKind.FAILED, "evt_3"))

    assert world.again(made.payment).paid_at == paid_at
