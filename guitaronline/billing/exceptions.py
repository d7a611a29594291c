"""Money that does not fit: noted once, looked at by a person, resolved with words. It is never silently right or lost."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from guitaronline.billing.models import Payment, PaymentProvider
from guitaronline.billing.provider_models import ExceptionKind, PaymentException, PaymentFact, ProviderEvent
from guitaronline.billing.providers.base import ProviderFact
from guitaronline.billing.refusals import AlreadyResolved, require_reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command


def note(work: Work, kind: ExceptionKind, payment: Payment, fact: ProviderFact | PaymentFact, *, key: str) -> None:
    """A step: the exception is written down, once for `kind` and `key`. The caller has locked the payment."""
    _note(work, kind, payment.provider, fact, key=key, payment_id=payment.id)


@command("payment.note_unknown", on="provider_events")
def note_unknown(work: Work, event_row_id: UUID, *, fact: ProviderFact) -> None:
    """The event speaks of money that belongs to no payment here, and a person is told so. Locks the event."""
    access.require(work.actor, Permission.ADMINISTER)
    event = work.lock(ProviderEvent, event_row_id)
    key = f"{event.provider}:{fact.reference or event.event_id}"
    _note(work, ExceptionKind.UNKNOWN_PAYMENT, event.provider, fact, key=key, payment_id=None)


@command("payment.resolve_exception", on="payment_exceptions")
def resolve_exception(work: Work, exception_id: UUID, *, reason: str | None) -> PaymentException:
    """Somebody has looked at it and says what was done. Locks it. The same person again changes nothing.

    Raises ReasonRequired, AlreadyResolved."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    found = work.lock(PaymentException, exception_id)
    if found.resolved_at is not None:
        if (found.resolved_by, found.resolution) == (work.actor.id, said):
            return found
        raise AlreadyResolved()
    found.resolved_at, found.resolved_by, found.resolution = work.now, work.actor.id, said
    return found


def _note(
    work: Work,
    kind: ExceptionKind,
    provider: PaymentProvider,
    fact: ProviderFact | PaymentFact,
    *,
    key: str,
    payment_id: UUID | None,
) -> None:
    known = select(PaymentException.id).where(PaymentException.kind == kind, PaymentException.key == key)
    if work.session.scalar(known) is not None:
        return
    work.add(
        PaymentException(
            kind=kind,
            key=key,
            payment_id=payment_id,
            provider=provider,
            event_id=fact.event_id,
            external_reference=fact.reference,
            amount_minor=fact.amount_minor,
            currency=fact.currency,
        )
    )
    work.session.flush()
