"""Stripe through its own library: against a scripted server, and against a stateful stand-in over loopback."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy.orm import Session

from guitaronline.billing.facts import Outcome
from guitaronline.billing.models import PackageStatus, PaymentProvider, PaymentStatus
from guitaronline.billing.providers import (
    BadSignature,
    Checkout,
    FactKind,
    ProviderFact,
    ProviderRefused,
    ProviderUnknown,
    provider_of,
    signatures,
)
from guitaronline.billing.providers.stripe import Stripe
from guitaronline.billing.providers.stripe_facts import from_stripe, to_stripe
from guitaronline.billing.service import Purchase, open_page, want_page
from guitaronline.db import new_id
from jobs import payments
from tests.providers.fake_stripe import FakeStripe
from tests.purchase.shop import bought, inbox, tell
from tests.world import World, as_actor

PAYMENT, REFUND = new_id(), new_id()
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def stripe(base: str) -> Stripe:
    return Stripe("sk_test_1", base, ["whsec_old", "whsec_new"])


def opened(fake: FakeStripe, key: str = "k-1") -> Checkout:
    return stripe(fake.base).open_checkout(
        payment_id=PAYMENT, amount_minor=4900, currency="USD", title="Ten", return_url="http://x.example/t", key=key
    )


def refund(base: str, reference: str, key: str = "r-1", amount_minor: int = 900) -> ProviderFact | None:
    return stripe(base).refund(
        refund_id=REFUND, payment_id=PAYMENT, reference=reference, amount_minor=amount_minor, currency="USD", key=key
    )


# Checkout


def test_a_checkout_is_a_session_that_bears_our_payments_id(fake: FakeStripe) -> None:
    page = opened(fake)

    made = fake.made[page.reference]
    assert page.url.startswith("https://checkout.example/")
    assert (made["metadata"], made["amount_total"], made["currency"]) == ({"payment_id": str(PAYMENT)}, 4900, "usd")


def test_the_same_key_is_the_same_session(fake: FakeStripe) -> None:
    assert opened(fake, "k-1") == opened(fake, "k-1")
    assert opened(fake, "k-2").reference != opened(fake, "k-1").reference


@pytest.mark.parametrize("fault", ["drop", "hang", "error"])
def test_an_answer_that_never_comes_is_unknown_and_the_same_key_finds_what_was_done(
    fake: FakeStripe, fault: str
) -> None:
    fake.faults = [fault]
    with pytest.raises(ProviderUnknown):
        opened(fake)

    page = opened(fake)

    assert list(fake.made) == [page.reference]


def test_nobody_listening_is_unknown() -> None:
    with pytest.raises(ProviderUnknown):
        stripe("http://127.0.0.1:9").look_up(payment_id=PAYMENT, reference="pi_1")


def test_a_clear_no_is_refused_with_their_code(fake: FakeStripe) -> None:
    fake.faults = ["refuse"]

    with pytest.raises(ProviderRefused) as no:
        opened(fake)

    assert no.value.facts["reason"] == "amount_too_small"


# Looking up


def test_an_open_page_says_nothing(fake: FakeStripe) -> None:
    page = opened(fake)

    assert stripe(fake.base).look_up(payment_id=PAYMENT, reference=None, checkout_reference=page.reference) == []


def test_a_paid_page_says_so_with_the_reference_of_the_money(fake: FakeStripe) -> None:
    page = opened(fake)
    intent = fake.pay(page.reference)

    told = stripe(fake.base).look_up(payment_id=PAYMENT, reference=None, checkout_reference=page.reference)

    assert {(each.kind, each.reference, each.amount_minor, each.currency) for each in told} == {
        (FactKind.PAID, intent, 4900, "USD")
    }
    assert {each.payment_id for each in told} == {PAYMENT}


def test_an_expired_page_says_so(fake: FakeStripe) -> None:
    page = opened(fake)
    fake.made[page.reference]["status"] = "expired"

    (told,) = stripe(fake.base).look_up(payment_id=PAYMENT, reference=None, checkout_reference=page.reference)

    assert told.kind is FactKind.CHECKOUT_EXPIRED


def test_a_page_whose_opening_we_never_heard_of_is_found_by_our_id(fake: FakeStripe) -> None:
    fake.pay(opened(fake).reference)

    (told,) = stripe(fake.base).look_up(payment_id=PAYMENT, reference=None)

    assert told.kind is FactKind.PAID


def test_refunds_and_disputes_are_told_too(fake: FakeStripe) -> None:
    intent = fake.pay(opened(fake).reference, disputed=True)
    refund(fake.base, intent)
    dispute = {"id": "dp_1", "object": "dispute", "status": "lost", "reason": "fraudulent", "amount": 4900}
    fake.made["dp_1"] = {**dispute, "currency": "usd", "payment_intent": intent, "created": 1_795_780_800}

    told = stripe(fake.base).look_up(payment_id=PAYMENT, reference=intent)

    assert [each.kind for each in told] == [FactKind.PAID, FactKind.REFUNDED, FactKind.DISPUTE_LOST]
    assert (told[1].refund_id, told[1].amount_minor, told[2].detail) == (REFUND, 900, "fraudulent")


# Refunds


def test_a_refund_whose_answer_was_lost_is_made_once(fake: FakeStripe) -> None:
    intent = fake.pay(opened(fake).reference)
    fake.faults = ["hang"]
    with pytest.raises(ProviderUnknown):
        refund(fake.base, intent)

    told = refund(fake.base, intent)

    assert told is not None
    assert (told.kind, told.refund_id) == (FactKind.REFUNDED, REFUND)
    assert len([each for each in fake.made.values() if each["object"] == "refund"]) == 1


@pytest.mark.parametrize("fault", ["locked", "other"])
def test_a_no_that_is_not_about_the_money_is_unknown(fake: FakeStripe, fault: str) -> None:
    intent = fake.pay(opened(fake).reference)
    fake.faults = [fault]

    with pytest.raises(ProviderUnknown):
        refund(fake.base, intent)


def test_a_refund_that_takes_days_is_on_its_way(fake: FakeStripe) -> None:
    intent = fake.pay(opened(fake).reference)
    fake.by_key["r-1"] = {"id": "re_9", "status": "pending", "created": 1, "amount": 900, "currency": "usd"}

    assert refund(fake.base, intent) is None


# The stateful stand-in


def made_there(base: str, path: str, **form: Any) -> dict[str, Any]:
    answer = requests.post(f"{base}/v1/{path}", data=form, auth=("sk_test_1", ""), timeout=10)
    found: dict[str, Any] = answer.json()
    return found


def paid_there(base: str, number: str = "4242424242424242") -> str:
    """A payment intent with our id, confirmed with that test card; its id."""
    card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2030", "card[cvc]": "123"}
    method = made_there(base, "payment_methods", type="card", **card)["id"]
    asked = {"amount": 4900, "currency": "usd", "payment_method": method, "metadata[payment_id]": str(PAYMENT)}
    intent: str = made_there(base, "payment_intents", **asked)["id"]
    made_there(base, f"payment_intents/{intent}/confirm")
    return intent


def test_the_stand_in_tells_of_money_and_of_refunds(localstripe: str) -> None:
    intent = paid_there(localstripe)
    back = refund(localstripe, intent)

    told = stripe(localstripe).look_up(payment_id=PAYMENT, reference=intent)

    assert back is not None
    assert (back.kind, back.refund_id, back.amount_minor) == (FactKind.REFUNDED, REFUND, 900)
    assert [(each.kind, each.payment_id, each.reference) for each in told] == [
        (FactKind.PAID, PAYMENT, intent),
        (FactKind.REFUNDED, PAYMENT, intent),
    ]


def test_the_stand_in_tells_of_a_declined_card(localstripe: str) -> None:
    intent = paid_there(localstripe, "4000000000000341")

    (told,) = stripe(localstripe).look_up(payment_id=PAYMENT, reference=intent)

    assert (told.kind, told.detail) == (FactKind.FAILED, "card_declined")


def test_the_stand_in_refuses_a_payment_that_is_not_there(localstripe: str) -> None:
    with pytest.raises(ProviderRefused):
        refund(localstripe, "pi_nothing")


# Events


def event(kind: str, about: dict[str, Any], event_id: str = "evt_1") -> bytes:
    return json.dumps({"id": event_id, "type": kind, "created": 1_795_780_800, "data": {"object": about}}).encode()


SESSION = {
    "id": "cs_1",
    "object": "checkout.session",
    "status": "complete",
    "payment_status": "paid",
    "payment_intent": "pi_1",
    "amount_total": 4900,
    "currency": "usd",
    "metadata": {"payment_id": str(PAYMENT)},
}
INTENT = {"id": "pi_1", "amount": 4900, "currency": "usd", "metadata": {"payment_id": str(PAYMENT)}}
RETURNED = {"id": "re_1", "amount": 900, "currency": "usd", "payment_intent": "pi_1"}
DISPUTE = {"id": "dp_1", "amount": 4900, "currency": "usd", "payment_intent": "pi_1"}


@pytest.mark.parametrize(
    ("kind", "about", "expected"),
    [
        ("checkout.session.completed", SESSION, FactKind.PAID),
        ("checkout.session.completed", {**SESSION, "payment_status": "unpaid"}, FactKind.OTHER),
        ("checkout.session.async_payment_succeeded", SESSION, FactKind.PAID),
        ("checkout.session.async_payment_failed", {**SESSION, "payment_status": "unpaid"}, FactKind.FAILED),
        (
            "checkout.session.expired",
            {**SESSION, "payment_status": "unpaid", "status": "expired"},
            FactKind.CHECKOUT_EXPIRED,
        ),
        ("payment_intent.succeeded", {**INTENT, "status": "succeeded", "amount_received": 4900}, FactKind.PAID),
        ("payment_intent.payment_failed", {**INTENT, "last_payment_error": {"code": "card_declined"}}, FactKind.FAILED),
        ("refund.created", {**RETURNED, "status": "pending"}, FactKind.OTHER),
        ("refund.updated", {**RETURNED, "status": "succeeded"}, FactKind.REFUNDED),
        ("refund.failed", {**RETURNED, "status": "failed"}, FactKind.REFUND_FAILED),
        ("charge.refunded", {"id": "ch_1"}, FactKind.OTHER),
        ("charge.dispute.created", {**DISPUTE, "status": "needs_response"}, FactKind.DISPUTE_OPENED),
        ("charge.dispute.closed", {**DISPUTE, "status": "won"}, FactKind.DISPUTE_WON),
        ("charge.dispute.closed", {**DISPUTE, "status": "lost"}, FactKind.DISPUTE_LOST),
        ("customer.created", {"id": "cus_1"}, FactKind.OTHER),
    ],
)
def test_each_event_says_one_thing(kind: str, about: dict[str, Any], expected: FactKind) -> None:
    (told,) = stripe("").facts_in(event(kind, about))

    assert told.kind is expected


def test_the_facts_name_payment_reference_and_money() -> None:
    (told,) = stripe("").facts_in(event("checkout.session.completed", SESSION))

    assert told == ProviderFact(
        "evt_1", FactKind.PAID, datetime.fromtimestamp(1_795_780_800, UTC), PAYMENT, "pi_1", 4900, "USD"
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"id":"e","type":"refund.updated","created":1}',
        event("refund.updated", {}).replace(b"1795780800", b'"x"'),
    ],
)
def test_what_is_no_event_cannot_be_read(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has words of its own
        stripe("").facts_in(raw)


@pytest.mark.parametrize("secret", ["whsec_old", "whsec_new"])
def test_either_secret_signs_while_one_replaces_the_other(secret: str) -> None:
    raw = event("customer.created", {})

    assert stripe("").event_id_of(raw, {"Stripe-Signature": signatures.signed(raw, secret, at=NOW)}, now=NOW) == "evt_1"


@pytest.mark.parametrize(
    "raw", [b"null", b"{}", b'{"id": 5}', b'{"id": ""}', b'{"id": "' + b"x" * 300 + b'"}', b"\xff"]
)
def test_signed_nonsense_is_no_event(raw: bytes) -> None:
    with pytest.raises(BadSignature):
        stripe("").event_id_of(raw, {"Stripe-Signature": signatures.signed(raw, "whsec_old", at=NOW)}, now=NOW)


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [("USD", 4900, 4900), ("JPY", 4900, 4900), ("ISK", 4900, 490_000), ("KWD", 4900, 4900)],
)
def test_minor_units_are_theirs_where_theirs_differ(currency: str, ours: int, theirs: int) -> None:
    assert to_stripe(ours, currency) == theirs
    assert from_stripe(theirs, currency) == ours


def test_a_part_of_a_unit_that_we_do_not_have_is_no_amount() -> None:
    assert from_stripe(490_050, "ISK") is None


# A whole purchase


def on_stripe(world: World) -> Purchase:
    return bought(world)


def test_a_purchase_with_stripe_is_paid_by_its_event(world: World, with_stripe: FakeStripe, db: Session) -> None:
    made = on_stripe(world)
    page = open_page(made.payment.id)
    assert page.reference is not None
    intent = with_stripe.pay(page.reference)
    raw = event("checkout.session.completed", with_stripe.made[page.reference])
    _arrives(db, raw)

    assert payments.take_events() == 1

    payment = world.again(made.payment)
    assert (payment.status, payment.provider, payment.external_reference) == (
        PaymentStatus.SUCCEEDED,
        PaymentProvider.STRIPE,
        intent,
    )
    assert inbox()[0][1] == "applied"


def _arrives(db: Session, raw: bytes) -> None:
    from guitaronline.billing.service import receive
    from guitaronline.clock import read

    header = {"Stripe-Signature": signatures.signed(raw, "whsec_new", at=read(db))}
    receive(PaymentProvider.STRIPE, raw, header)


def test_a_lost_answer_leaves_the_purchase_unknown_and_the_next_click_opens_one_page(
    world: World, with_stripe: FakeStripe
) -> None:
    made = on_stripe(world)
    with_stripe.faults = ["hang"]
    assert open_page(made.payment.id).problem == "unknown"

    page = want_page(as_actor(world.ann), made.payment.id)

    assert page.url is not None
    assert world.again(made.payment).status is PaymentStatus.PENDING


def test_money_that_no_event_told_of_is_found_by_asking_stripe(world: World, with_stripe: FakeStripe) -> None:
    made = on_stripe(world)
    page = open_page(made.payment.id)
    assert page.reference is not None
    with_stripe.pay(page.reference)

    told = provider_of(PaymentProvider.STRIPE).look_up(
        payment_id=made.payment.id, reference=None, checkout_reference=page.reference
    )

    assert set(tell(made.payment, *told).outcomes) == {Outcome.APPLIED}
    assert world.again(made.package).status is PackageStatus.ACTIVE
    assert isinstance(told[0].payment_id, UUID)
