"""What Stripe's objects and events mean here. Plain dicts in, facts out; amounts in minor units, currencies in capitals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from guitaronline.billing.providers.base import FactKind, ProviderFact

Object = Mapping[str, Any]

TWO_PLACES_THERE = frozenset({"ISK", "UGX"})  # no places by ISO 4217, but two in Stripe's API, the last ones zero
REFUND_STATES = {
    "succeeded": FactKind.REFUNDED,
    "failed": FactKind.REFUND_FAILED,
    "canceled": FactKind.REFUND_FAILED,
}
DISPUTE_STATES = {"won": FactKind.DISPUTE_WON, "warning_closed": FactKind.DISPUTE_WON, "lost": FactKind.DISPUTE_LOST}


def to_stripe(amount_minor: int, currency: str) -> int:
    return amount_minor * 100 if currency in TWO_PLACES_THERE else amount_minor


def from_stripe(amount: int | None, currency: str) -> int | None:
    """None where their amount is none of ours."""
    if amount is None or currency not in TWO_PLACES_THERE:
        return amount
    return amount // 100 if amount % 100 == 0 else None


def facts_of_event(event: Object) -> list[ProviderFact]:
    """Raises ValueError, KeyError, TypeError when this is no event."""
    about = event["data"]["object"]
    read = EVENTS.get(event["type"])
    if read is None:
        return [ProviderFact(event["id"], FactKind.OTHER, _at(event["created"]), detail=event["type"])]
    return [read(event["id"], _at(event["created"]), about)]


def session_fact(event_id: str, at: datetime, page: Object) -> ProviderFact:
    """Of a Checkout Session: paid, expired, or nothing yet."""
    if page.get("payment_status") == "paid":
        kind = FactKind.PAID
    else:
        kind = FactKind.CHECKOUT_EXPIRED if page.get("status") == "expired" else FactKind.OTHER
    ours = _ours(page) or _uuid(page.get("client_reference_id"))
    return _fact(event_id, kind, at, page, amount=page.get("amount_total"), payment_id=ours)


def failed_session_fact(event_id: str, at: datetime, page: Object) -> ProviderFact:
    """A way of paying that takes days, and came to nothing."""
    ours = _ours(page) or _uuid(page.get("client_reference_id"))
    return _fact(event_id, FactKind.FAILED, at, page, amount=page.get("amount_total"), payment_id=ours)


def intent_fact(event_id: str, at: datetime, intent: Object) -> ProviderFact:
    """Of a PaymentIntent: paid, an attempt that failed, or nothing yet."""
    error = intent.get("last_payment_error") or {}
    kind = FactKind.FAILED if error else FactKind.OTHER
    kind = FactKind.PAID if intent.get("status") == "succeeded" else kind
    amount = intent.get("amount_received") if kind is FactKind.PAID else intent.get("amount")
    amount = intent.get("amount") if amount is None else amount
    detail = str(error.get("decline_code") or error.get("code") or "") if error else ""
    return _fact(event_id, kind, at, intent, amount=amount, reference=intent.get("id"), detail=detail)


def refund_fact(event_id: str, at: datetime, refund: Object) -> ProviderFact:
    kind = REFUND_STATES.get(str(refund.get("status")), FactKind.OTHER)
    return _fact(
        event_id,
        kind,
        at,
        refund,
        amount=refund.get("amount"),
        refund_id=_uuid((refund.get("metadata") or {}).get("refund_id")),
        refund_reference=refund.get("id"),
        detail=str(refund.get("failure_reason") or ""),
    )


def dispute_fact(event_id: str, at: datetime, dispute: Object) -> ProviderFact:
    kind = DISPUTE_STATES.get(str(dispute.get("status")), FactKind.DISPUTE_OPENED)
    detail, amount = str(dispute.get("reason") or ""), dispute.get("amount")
    return _fact(event_id, kind, at, dispute, amount=amount, refund_reference=dispute.get("id"), detail=detail)


EVENTS: Mapping[str, Callable[[str, datetime, Object], ProviderFact]] = {
    "checkout.session.completed": session_fact,
    "checkout.session.async_payment_succeeded": session_fact,
    "checkout.session.async_payment_failed": failed_session_fact,
    "checkout.session.expired": session_fact,
    "payment_intent.succeeded": intent_fact,
    "payment_intent.payment_failed": intent_fact,
    "refund.created": refund_fact,
    "refund.updated": refund_fact,
    "refund.failed": refund_fact,
    "charge.refund.updated": refund_fact,
    "charge.dispute.created": dispute_fact,
    "charge.dispute.closed": dispute_fact,
}  # `charge.refunded` names no refund: each has an event of its own


def made_at(about: Object) -> datetime:
    return _at(about["created"])


def id_of(value: Any) -> str | None:
    """The id of what is named or, when it was expanded, stands there whole."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _fact(
    event_id: str,
    kind: FactKind,
    at: datetime,
    about: Object,
    *,
    amount: int | None,
    payment_id: UUID | None = None,
    reference: str | None = None,
    refund_id: UUID | None = None,
    refund_reference: str | None = None,
    detail: str = "",
) -> ProviderFact:
    currency = str(about.get("currency") or "").upper()
    return ProviderFact(
        event_id=event_id,
        kind=kind,
        at=at,
        payment_id=payment_id or _ours(about),
        reference=reference or id_of(about.get("payment_intent")),
        amount_minor=from_stripe(amount, currency),
        currency=currency or None,
        refund_id=refund_id,
        refund_reference=refund_reference,
        detail=detail,
    )


def _ours(about: Object) -> UUID | None:
    """Our payment's id, which stands in the metadata of everything that we make there."""
    return _uuid((about.get("metadata") or {}).get("payment_id"))


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _at(seconds: Any) -> datetime:
    if not isinstance(seconds, int) or not 0 <= seconds < 2**33:
        raise ValueError("not a time")
    return datetime.fromtimestamp(seconds, UTC)
