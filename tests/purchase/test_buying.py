"""A student buys a plan: nothing is granted before the money is there."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing import queries
from guitaronline.billing.invoices import consents
from guitaronline.billing.invoices.refusals import NoticeUnknown
from guitaronline.billing.models import PackageStatus, PaymentProvider, PaymentStatus
from guitaronline.billing.service import (
    NothingToPay,
    PaidByHand,
    PaymentOfProvider,
    PlanCostsNothing,
    PlanNotOnSale,
    ProviderNotOffered,
    TrialUsed,
    buy_plan,
    edit_plan,
    open_page,
    set_payment_status,
    set_price,
    want_page,
)
from guitaronline.errors import NotAllowed, NotFound
from tests.purchase.shop import PRICE, bought, fact, plan, tell
from tests.world import World, as_actor


def test_a_purchase_waits_for_its_money_with_nothing_granted(world: World, db: Session) -> None:
    made = bought(world)

    package, payment = made.package, made.payment
    assert (package.status, package.available, package.lessons_ordered) == (PackageStatus.PENDING, 0, 10)
    assert (payment.status, payment.amount_minor, payment.provider) == (
        PaymentStatus.PENDING,
        PRICE,
        PaymentProvider.SANDBOX,
    )
    assert [each.to_status for each in queries.transitions_of(db, payment.id)] == ["pending"]
    assert made.checkout is not None
    assert made.checkout.url is None


@pytest.mark.parametrize("agreed", [True, False])
def test_what_the_buyer_was_told_about_withdrawal_is_kept(world: World, db: Session, agreed: bool) -> None:
    made = buy_plan(as_actor(world.ann), plan_id=plan(world).id, withdrawal_consent=agreed)

    kept = consents.consent_of(db, made.package)
    assert kept
    assert (kept.is_given, kept.text_version, kept.days) == (agreed, consents.CURRENT, 14)


def test_a_notice_that_nobody_wrote_cannot_have_been_shown(world: World) -> None:
    with pytest.raises(NoticeUnknown):
        buy_plan(as_actor(world.ann), plan_id=plan(world).id, withdrawal_notice="1999-01")


def test_the_page_to_pay_on_is_opened_once_however_often_it_is_asked_for(world: World) -> None:
    made = bought(world)

    opened = open_page(made.payment.id)
    again = want_page(as_actor(world.ann), made.payment.id)

    assert opened.url is not None
    assert opened.url.startswith("http://127.0.0.1:8000/sandbox/checkout/")
    assert (again.url, again.number) == (opened.url, 1)


def test_a_process_that_died_before_the_page_was_opened_leaves_a_purchase_that_can_be_paid(world: World) -> None:
    made = bought(world)  # and nothing after the commit

    page = want_page(as_actor(world.ann), made.payment.id)

    assert page.url is not None
    assert page.problem is None


def test_todays_price_is_what_the_payment_asks_for(world: World) -> None:
    offer = plan(world)
    set_price(as_actor(world.finn), offer.id, amount_minor=52_000, currency="EUR")

    made = bought(world, offer)

    assert (made.payment.amount_minor, made.payment.currency, made.package.price_minor) == (52_000, "EUR", 52_000)


def test_what_is_not_on_sale_or_costs_nothing_cannot_be_bought(world: World) -> None:
    gone, free = plan(world), plan(world, name="Free", amount_minor=0)
    edit_plan(as_actor(world.ada), gone.id, changes={"is_active": False})

    with pytest.raises(PlanNotOnSale):
        bought(world, gone)
    with pytest.raises(PlanCostsNothing):
        bought(world, free)


def test_a_trial_can_be_bought_once_and_again_only_when_the_first_was_taken_back(world: World) -> None:
    trial = plan(world, is_trial=True)
    bought(world, trial)

    with pytest.raises(TrialUsed):
        bought(world, trial)


@pytest.mark.parametrize("who", ["tom", "sue", "finn", "audrey", "ada"])
def test_only_students_buy(world: World, who: str) -> None:
    offer = plan(world)

    with pytest.raises(NotAllowed):
        buy_plan(as_actor(getattr(world, who)), plan_id=offer.id)


def test_by_hand_there_is_no_page(world: World) -> None:
    made = bought(world, provider="manual")

    assert (made.payment.provider, made.checkout) == (PaymentProvider.MANUAL, None)
    with pytest.raises(PaidByHand):
        want_page(as_actor(world.ann), made.payment.id)


def test_a_provider_that_is_not_set_up_is_not_offered(world: World) -> None:
    with pytest.raises(ProviderNotOffered):
        bought(world, provider="stripe")
    with policy.changed(PAYMENT_PROVIDER="manual"), pytest.raises(ProviderNotOffered):
        bought(world, plan(world, name="Other"), provider="sandbox")


def test_another_persons_payment_has_no_page_for_me_and_staff_see_it(world: World) -> None:
    made = bought(world)

    with pytest.raises(NotFound):
        want_page(as_actor(world.ben), made.payment.id)
    assert want_page(as_actor(world.sue), made.payment.id).url is not None


def test_what_is_paid_has_no_page_any_more(world: World) -> None:
    made = bought(world)
    tell(made.payment, fact(made.payment))

    with pytest.raises(NothingToPay):
        want_page(as_actor(world.ann), made.payment.id)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_providers_payment_is_never_settled_by_hand(world: World, status: str) -> None:
    made = bought(world)

    with pytest.raises(PaymentOfProvider):
        set_payment_status(as_actor(world.finn), made.payment.id, status=status, reason="they say so", evidence="mail")

    assert world.again(made.payment).status is PaymentStatus.PENDING


def test_the_address_of_the_page_stays_out_of_the_audit(world: World, db: Session) -> None:
    page = open_page(bought(world).payment.id)

    told = db.execute(text("SELECT coalesce(string_agg(after::text, ' '), '') FROM audit_changes")).scalar_one()

    assert page.url is not None
    assert page.url not in told
    assert '"url": "***"' in told
