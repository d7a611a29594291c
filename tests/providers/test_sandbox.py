"""The sandbox behaves as a provider does: idempotent by key, books of its own, never more back than was paid."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.models import PaymentProvider
from guitaronline.billing.providers import Checkout, FactKind, ProviderRefused, provider_of, sandbox
from guitaronline.billing.sandbox_models import SandboxEvent
from guitaronline.db import new_id
from guitaronline.errors import NotFound

PAYMENT = new_id()


def opened(key: str = "k-1", payment_id: UUID = PAYMENT) -> Checkout:
    return provider_of(PaymentProvider.SANDBOX).open_checkout(
        payment_id=payment_id, amount_minor=4900, currency="USD", title="Ten", return_url="http://x.example/", key=key
    )


def paid(key: str = "k-1") -> str:
    """A page is paid; its payment's reference."""
    page = sandbox.pay(opened(key).url.rpartition("/")[2])
    assert page is not None
    assert page.reference is not None
    return page.reference


def refund(reference: str, amount_minor: int, key: str) -> FactKind:
    told = provider_of(PaymentProvider.SANDBOX).refund(
        refund_id=new_id(), payment_id=PAYMENT, reference=reference, amount_minor=amount_minor, currency="USD", key=key
    )
    assert told is not None
    return told.kind


def test_one_key_is_one_page(db: Session) -> None:
    assert opened("k-1") == opened("k-1")
    assert opened("k-2") != opened("k-1")


def test_asked_about_a_page_that_nobody_paid_it_says_nothing(db: Session) -> None:
    page = opened()

    assert (
        provider_of(PaymentProvider.SANDBOX).look_up(
            payment_id=PAYMENT, reference=None, checkout_reference=page.reference
        )
        == []
    )


def test_asked_about_a_payment_it_says_the_same_as_its_event(db: Session) -> None:
    reference = paid()

    (told,) = provider_of(PaymentProvider.SANDBOX).look_up(payment_id=PAYMENT, reference=reference)
    (said,) = provider_of(PaymentProvider.SANDBOX).facts_in(_raw(db))

    assert told == said
    assert (told.kind, told.reference, told.amount_minor) == (FactKind.PAID, reference, 4900)


def _raw(db: Session) -> bytes:
    import json

    return json.dumps(db.query(SandboxEvent).one().body).encode()


def test_a_refund_is_made_once_for_its_key(db: Session) -> None:
    reference = paid()

    assert refund(reference, 4000, "r-1") is FactKind.REFUNDED
    assert refund(reference, 4000, "r-1") is FactKind.REFUNDED
    with pytest.raises(ProviderRefused) as no:
        refund(reference, 1000, "r-2")
    assert no.value.facts["reason"] == "amount_too_large"


def test_an_unlucky_amount_fails_and_leaves_its_room(db: Session) -> None:
    reference = paid()

    assert refund(reference, 4813, "r-1") is FactKind.REFUND_FAILED
    assert refund(reference, 4900, "r-2") is FactKind.REFUNDED


def test_there_is_no_refund_without_a_payment(db: Session) -> None:
    with pytest.raises(ProviderRefused):
        refund("sbx_nothing", 1, "r-1")


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'"x"', b"{}", b'{"kind":"paid","at":"x"}', b"\xff"])
def test_what_is_no_event_cannot_be_read(db: Session, raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has words of its own
        provider_of(PaymentProvider.SANDBOX).facts_in(raw)


def test_production_knows_no_sandbox(db: Session) -> None:
    with policy.changed(ENVIRONMENT="production"), pytest.raises(NotFound):
        provider_of(PaymentProvider.SANDBOX)
