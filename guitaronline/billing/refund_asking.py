"""Providers are asked for the refunds that wait. No call is made inside a unit of work: a claim, the call, a command.

A worker that dies in between leaves the lease to run out; the next one asks with the same key, or sees what the provider did
already, and comes to the same end.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import SYSTEM
from guitaronline.billing import refund_queue
from guitaronline.billing.models import Payment, PaymentProvider, Refund, RefundStatus
from guitaronline.billing.providers import (
    FactKind,
    Provider,
    ProviderFact,
    ProviderRefused,
    ProviderUnknown,
    provider_of,
)
from guitaronline.billing.refund_facts import fail_refund, take_word
from guitaronline.billing.refund_queue import Call
from guitaronline.db import session
from guitaronline.errors import NotFound

ENDS = (FactKind.REFUND_FAILED, FactKind.REFUNDED)  # the first of them that is known counts


@dataclass(frozen=True)
class Asked:
    """What a provider has to be told of a refund."""

    refund_id: UUID
    payment_id: UUID
    provider: PaymentProvider
    reference: str
    amount_minor: int
    currency: str


def ask(call: Call) -> None:
    """The claimed refund has its answer, or will be asked about again."""
    asked = _asked(call.refund_id)
    if asked is None:
        refund_queue.close(call)
        return
    try:
        fact = _answer(provider_of(asked.provider), call, asked)
    except ProviderRefused as no:
        fail_refund(SYSTEM, asked.refund_id, reason=f"the provider refused: {no.facts.get('reason', no.code)}")
    except (ProviderUnknown, NotFound) as unknown:  # NotFound: that provider is not in use just now
        refund_queue.put_off(call, error=unknown.code)
    else:
        _record(call, asked, fact)


def _asked(refund_id: UUID) -> Asked | None:
    """None when its end is known by now."""
    query = (
        select(
            Refund.id, Payment.id, Payment.provider, Payment.external_reference, Refund.amount_minor, Refund.currency
        )
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.id == refund_id, Refund.status == RefundStatus.PENDING)
    )
    row = session().execute(query).one_or_none()
    session().rollback()  # nothing stays open while the provider is asked
    if row is None:
        return None
    refund, payment, provider, reference, amount, currency = row
    return Asked(refund, payment, provider, reference or "", amount, currency)


def _answer(provider: Provider, call: Call, asked: Asked) -> ProviderFact | None:
    """How it ended; None: it is on its way. What may have been sent before is looked for first.

    Raises ProviderUnknown, ProviderRefused."""
    if call.attempts > 1:
        found = _look_for(provider, asked)
        if found is not None:
            return found
    if not call.may_send:
        raise ProviderUnknown()
    return provider.refund(
        refund_id=asked.refund_id,
        payment_id=asked.payment_id,
        reference=asked.reference,
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        key=str(asked.refund_id),
    )


def _look_for(provider: Provider, asked: Asked) -> ProviderFact | None:
    """A no to the question is none to the refund: what was sent before may have been paid out. Raises ProviderUnknown."""
    try:
        facts = provider.look_up(payment_id=asked.payment_id, reference=asked.reference or None)
    except ProviderRefused as no:
        raise ProviderUnknown(reason=no.facts.get("reason", no.code)) from no
    ours = [each for each in facts if each.refund_id == asked.refund_id and each.kind in ENDS]
    return min(ours, key=lambda fact: ENDS.index(fact.kind), default=None)


def _record(call: Call, asked: Asked, fact: ProviderFact | None) -> None:
    if fact is None:
        refund_queue.put_off(call, error=None, accepted=True)
    else:
        take_word(SYSTEM, asked.refund_id, fact=fact)
