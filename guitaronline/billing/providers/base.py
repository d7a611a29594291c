"""What the school asks of whoever takes its payments, and what they say: facts.

A provider is called outside every unit of work: the intent is committed before the call, its result after it. All of its
calls may be repeated with the same key and have their effect once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

from guitaronline.billing.models import PaymentProvider
from guitaronline.errors import Invalid, ProviderFailed


class ProviderUnknown(ProviderFailed):
    """A time-out, a 5xx, a connection lost after sending: nobody knows what came of it. Ask again."""

    detail = "The payment provider did not answer in time. What came of it is asked for again by itself."


class ProviderRefused(ProviderFailed):
    """A clear no; the fact `reason` is the provider's own code."""

    detail = "The payment provider refused this."


class BadSignature(Invalid):
    detail = "This is not signed by the payment provider."


class FactKind(StrEnum):
    PAID = "paid"
    FAILED = "failed"  # one attempt; the same checkout may succeed later
    CHECKOUT_EXPIRED = "checkout_expired"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    OTHER = "other"  # nothing that changes money


@dataclass(frozen=True)
class ProviderFact:
    """One thing a provider says has happened. Told twice, it has the same `event_id` and `kind`."""

    event_id: str  # of their event; of a look-up: made of what is certain, such as `pi_1:paid`
    kind: FactKind
    at: datetime  # when it happened, by their clock
    payment_id: UUID | None = None  # ours, from their metadata
    reference: str | None = None  # of their payment: what reports and refunds name
    amount_minor: int | None = None  # of the payment, refund or dispute that the fact is about
    currency: str | None = None  # ISO 4217, in capitals
    refund_id: UUID | None = None  # ours, from their metadata; None for one that was not made here
    refund_reference: str | None = None  # theirs; of a dispute: the dispute's
    detail: str = ""  # in words or their code, such as `card_declined`; never a card's number


@dataclass(frozen=True)
class Checkout:
    """A page of the provider where the student pays."""

    reference: str
    url: str
    expires_at: datetime


class Provider(Protocol):
    name: ClassVar[PaymentProvider]

    def open_checkout(
        self, *, payment_id: UUID, amount_minor: int, currency: str, title: str, return_url: str, key: str
    ) -> Checkout:
        """A page to pay that amount on; the same one for the same key. Raises ProviderUnknown, ProviderRefused."""

    def look_up(
        self, *, payment_id: UUID, reference: str | None, checkout_reference: str | None = None
    ) -> Sequence[ProviderFact]:
        """All that they know about the payment now, its refunds and disputes too; empty: nothing has happened.

        Raises ProviderUnknown, ProviderRefused."""

    def refund(
        self, *, refund_id: UUID, payment_id: UUID, reference: str, amount_minor: int, currency: str, key: str
    ) -> ProviderFact | None:
        """The money goes back, once for the same key; None: it is on its way, a later fact says how it ended.

        Raises ProviderUnknown, ProviderRefused."""

    def event_id_of(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> str:
        """The id of the event, whose signature over the raw bytes is theirs and fresh. Raises BadSignature."""

    def facts_in(self, raw: bytes) -> Sequence[ProviderFact]:
        """What a stored event, whose signature was verified when it came, says. Raises ValueError when it is none."""
