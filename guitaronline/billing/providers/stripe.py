"""Stripe: Checkout by redirect, refunds, events, look-ups. Our payment's id stands in the metadata of all that we make."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

import stripe

from guitaronline.billing.models import PaymentProvider
from guitaronline.billing.providers import signatures, stripe_facts
from guitaronline.billing.providers.base import (
    BadSignature,
    Checkout,
    FactKind,
    ProviderFact,
    ProviderRefused,
    ProviderUnknown,
)
from guitaronline.billing.providers.stripe_facts import id_of, made_at, to_stripe

TIMEOUT_SECONDS = 10
RETRIES = 1  # with the same idempotency key, by the library itself; a person waits for the answer
# Our keys are not taken just now; a call with this key is under way; too many calls. No word about the money in any of them.
NOBODY_KNOWS = frozenset({401, 403, 409, 429})
SIGNATURE = "Stripe-Signature"
MOST = 100  # refunds or disputes of one payment


@dataclass(frozen=True)
class Stripe:
    key: str
    base: str
    webhook_secrets: Sequence[str]
    name: ClassVar[PaymentProvider] = PaymentProvider.STRIPE

    @cached_property
    def api(self) -> Any:
        """Their services; answers are read as plain dicts, so their types are of no use."""
        client = stripe.StripeClient(
            self.key,
            base_addresses={"api": self.base},
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        )
        return client.v1

    def open_checkout(
        self, *, payment_id: UUID, amount_minor: int, currency: str, title: str, return_url: str, key: str
    ) -> Checkout:
        ours = {"payment_id": str(payment_id)}
        price = {
            "currency": currency.lower(),
            "unit_amount": to_stripe(amount_minor, currency),
            "product_data": {"name": title},
        }
        asked = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "client_reference_id": str(payment_id),
            "metadata": ours,
            "payment_intent_data": {"metadata": ours},
            "success_url": return_url,
            "cancel_url": return_url,
        }
        page = self._answer(lambda: self.api.checkout.sessions.create(asked, {"idempotency_key": key}))
        if not page.get("url"):
            raise ProviderRefused(reason="no_page")  # the session of this key has been paid or has expired
        return Checkout(page["id"], page["url"], datetime.fromtimestamp(page["expires_at"], UTC))

    def look_up(
        self, *, payment_id: UUID, reference: str | None, checkout_reference: str | None = None
    ) -> Sequence[ProviderFact]:
        page = self._page(checkout_reference) if checkout_reference else None
        intent_id = reference or (id_of(page.get("payment_intent")) if page else None)
        found = [stripe_facts.session_fact(f"{page['id']}:{page['status']}", made_at(page), page)] if page else []
        if intent_id is None and page is None:
            intent_id = self._search(payment_id)
        if intent_id is not None:
            found += self._of_intent(intent_id)
        return [fact for fact in found if fact.kind is not FactKind.OTHER]

    def refund(
        self, *, refund_id: UUID, payment_id: UUID, reference: str, amount_minor: int, currency: str, key: str
    ) -> ProviderFact | None:
        asked = {
            "payment_intent": reference,
            "amount": to_stripe(amount_minor, currency),
            "metadata": {"refund_id": str(refund_id), "payment_id": str(payment_id)},
        }
        made = self._answer(lambda: self.api.refunds.create(asked, {"idempotency_key": key}))
        fact = _refund_fact(made)
        return fact if fact.kind is not FactKind.OTHER else None

    def event_id_of(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> str:
        signatures.verify(raw, headers.get(SIGNATURE), self.webhook_secrets, now=now)
        try:
            event = json.loads(raw)
            event_id = event["id"]
        except (ValueError, TypeError, KeyError):
            raise BadSignature("This is no event of Stripe.") from None
        if not isinstance(event_id, str) or not 1 <= len(event_id) <= 255:
            raise BadSignature("This is no event of Stripe.")
        return event_id

    def facts_in(self, raw: bytes) -> Sequence[ProviderFact]:
        try:
            return stripe_facts.facts_of_event(json.loads(raw))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no event of Stripe: {type(error).__name__}") from error

    def _page(self, reference: str) -> dict[str, Any]:
        return self._answer(lambda: self.api.checkout.sessions.retrieve(reference))

    def _search(self, payment_id: UUID) -> str | None:
        """For a page that was opened without our hearing of it. Their search may lag by a minute."""
        query = {"query": f"metadata['payment_id']:'{payment_id}'", "limit": 1}
        found = self._answer(lambda: self.api.payment_intents.search(query))["data"]
        return id_of(found[0]) if found else None

    def _of_intent(self, intent_id: str) -> list[ProviderFact]:
        intent = self._answer(lambda: self.api.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]}))
        paid = stripe_facts.intent_fact(f"{intent_id}:{_attempt(intent)}", made_at(intent), intent)
        charge = intent.get("latest_charge")
        if paid.kind is not FactKind.PAID or not isinstance(charge, Mapping):
            return [paid]
        about = {"payment_intent": intent_id, "limit": MOST}
        back = [_refund_fact(each) for each in self._answer(lambda: self.api.refunds.list(about))["data"]]
        return [paid, *back, *(self._disputes(about) if charge.get("disputed") else [])]

    def _disputes(self, about: dict[str, Any]) -> list[ProviderFact]:
        found = self._answer(lambda: self.api.disputes.list(about))["data"]
        return [stripe_facts.dispute_fact(f"{each['id']}:{each['status']}", made_at(each), each) for each in found]

    def _answer(self, call: Callable[[], Any]) -> dict[str, Any]:
        """Their answer as a plain dict. Raises ProviderUnknown, ProviderRefused: never what a time-out looks like inside."""
        try:
            answer: dict[str, Any] = call().to_dict()
        except stripe.StripeError as error:
            status = error.http_status
            if status is None or status >= 500 or status in NOBODY_KNOWS or isinstance(error, stripe.IdempotencyError):
                raise ProviderUnknown(status=status) from error
            raise ProviderRefused(reason=error.code or f"http_{status}", status=status) from error
        return answer


def _attempt(intent: Mapping[str, Any]) -> str:
    """What distinguishes one attempt on the intent from another; `paid` is always the same."""
    return "paid" if intent.get("status") == "succeeded" else str(id_of(intent.get("latest_charge")) or "none")


def _refund_fact(refund: Mapping[str, Any]) -> ProviderFact:
    return stripe_facts.refund_fact(f"{refund['id']}:{refund['status']}", made_at(refund), refund)
