"""The inbox of providers' events: signature over the raw bytes first, stored, answered; applied afterwards by a job.

An event is claimed in a short transaction (one more attempt, a lease by the database's clock) and closed only by who still
holds the lease. What it is about may not be here yet: then it is parked and tried again, and after a day a person is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from guitaronline.actor import SYSTEM
from guitaronline.back_off import BACK_OFF, wait_after
from guitaronline.billing import exceptions
from guitaronline.billing.facts import Outcome, hear
from guitaronline.billing.models import Payment, PaymentProvider
from guitaronline.billing.provider_models import EventStatus, ProviderEvent
from guitaronline.billing.providers import provider_of
from guitaronline.billing.providers.base import FactKind, ProviderFact
from guitaronline.billing.refusals import EventClosed
from guitaronline.clock import read
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.errors import DomainError
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

LEASE = timedelta(seconds=120)
PARKED_FOR = timedelta(hours=24)
UNDECIDED = frozenset({EventStatus.RECEIVED, EventStatus.PARKED})
ABOUT_MONEY = frozenset(FactKind) - {FactKind.OTHER, FactKind.CHECKOUT_EXPIRED, FactKind.FAILED}

CLAIM = text("""
UPDATE provider_events SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease
 WHERE id = ANY(ARRAY(SELECT id FROM provider_events
               WHERE status IN ('received', 'parked') AND available_at <= :now
                 AND (lease_until IS NULL OR lease_until < clock_timestamp())
               ORDER BY available_at, id LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING id, provider, event_id, body, received_at, attempts, available_at
""")
CLOSE = text("""
UPDATE provider_events SET status = :status, said = :said, payment_id = :payment, last_error = :error, available_at = :at,
       lease_until = NULL, closed_at = CASE WHEN :status IN ('received', 'parked') THEN NULL ELSE :now END
 WHERE id = :id AND lease_token = :token AND status IN ('received', 'parked')
""")
AGAIN = text("""
UPDATE provider_events SET status = 'received', attempts = 0, available_at = :now, closed_at = NULL,
       lease_token = NULL, lease_until = NULL
 WHERE id = :id
""")
WAKE = text("UPDATE provider_events SET available_at = :now WHERE payment_id = :payment AND status = 'parked'")


@dataclass(frozen=True)
class Due:
    """A claimed event."""

    id: UUID
    provider: PaymentProvider
    event_id: str
    body: bytes
    received_at: datetime
    attempts: int


@dataclass(frozen=True)
class Result:
    """What became of it now."""

    status: EventStatus
    said: str | None = None
    payment_id: UUID | None = None
    error: str | None = None


def receive(name: PaymentProvider, raw: bytes, headers: Mapping[str, str]) -> None:
    """The event is stored, once. Raises BadSignature, and then there is no row; NotFound when they are not our provider."""
    now = read(session())
    event_id = provider_of(name).event_id_of(raw, headers, now=now)
    row = {
        "id": new_id(),
        "provider": name,
        "event_id": event_id,
        "body": raw,
        "received_at": now,
        "status": EventStatus.RECEIVED,
        "available_at": now,
    }
    with technical_transaction() as current:
        current.execute(insert(ProviderEvent).values(row).on_conflict_do_nothing(constraint="uq_provider_events_once"))


def claim(token: UUID, *, limit: int) -> list[Due]:
    """Due events, the oldest first, ours until the lease ends. The attempt counts from here, so one that kills its worker
    runs out too."""
    with technical_transaction() as current:
        now = read(current)
        rows = current.execute(CLAIM, {"token": token, "lease": LEASE, "limit": limit, "now": now}).all()
    return [
        Due(row.id, PaymentProvider(row.provider), row.event_id, bytes(row.body), row.received_at, row.attempts)
        for row in sorted(rows, key=lambda row: (row.available_at, row.id))
    ]


def take(due: Due, token: UUID) -> Result:
    """The event has had its effect, waits, or is closed; and its row says so, if it is still ours."""
    now = read(session())
    try:
        result = _apply(due, now)
    except DomainError as refusal:
        result = _tried(due, refusal.text)
    finish(due, token, result, now)
    return result


def finish(due: Due, token: UUID, result: Result, now: datetime) -> None:
    """Changes nothing when the lease has run out and somebody else took the event."""
    facts = {"id": due.id, "token": token, "now": now, "at": now + (wait_after(due.attempts) or BACK_OFF[-1])}
    told = {"status": result.status, "said": result.said, "payment": result.payment_id, "error": result.error}
    with technical_transaction() as current:
        current.execute(CLOSE, {**facts, **told})
        if result.status is EventStatus.APPLIED:  # what came too early may fit now
            current.execute(WAKE, {"payment": result.payment_id, "now": now})


def failed(due: Due, error: str) -> Result:
    """What to write of an attempt that broke."""
    return _tried(due, f"it broke here: {error}")


@command("payment.retry_event", on="provider_events")
def retry_event(work: Work, event_row_id: UUID, *, reason: str | None = None) -> ProviderEvent:
    """The event is due now, with all its attempts before it. Locks it. Raises EventClosed when it has had its effect."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    event = work.lock(ProviderEvent, event_row_id)
    if event.status is EventStatus.APPLIED:
        raise EventClosed()
    work.session.execute(AGAIN, {"id": event.id, "now": work.now})
    work.session.refresh(event)
    return event


def _apply(due: Due, now: datetime) -> Result:
    try:
        facts = [fact for fact in provider_of(due.provider).facts_in(due.body) if fact.kind is not FactKind.OTHER]
    except ValueError as error:
        return Result(EventStatus.DEAD, error=f"it cannot be read: {error}")
    if not facts:
        return Result(EventStatus.IGNORED)
    said = ", ".join(sorted({fact.kind.value for fact in facts}))
    payment_id = _payment_of(due.provider, facts)
    if payment_id is None:
        return _nobody(due, facts, said, now)
    return _heard(due, hear(SYSTEM, payment_id, facts=facts).outcomes, said, payment_id, now)


def _heard(due: Due, outcomes: Sequence[Outcome], said: str, payment_id: UUID, now: datetime) -> Result:
    if Outcome.TOO_EARLY in outcomes:
        status = EventStatus.PARKED if now - due.received_at < PARKED_FOR else EventStatus.DEAD
        return Result(status, said, payment_id, "too early: what it is about is not here yet")
    if set(outcomes) == {Outcome.NOT_FOR_US}:
        return Result(EventStatus.IGNORED, said, payment_id, "not for us: nothing here acts on it")
    return Result(EventStatus.APPLIED, said, payment_id)


def _nobody(due: Due, facts: Sequence[ProviderFact], said: str, now: datetime) -> Result:
    """Its payment is not here: it may be on its way, and after a day somebody has to look."""
    claimed = next((fact.payment_id for fact in facts if fact.payment_id), None)
    if now - due.received_at < PARKED_FOR:
        return Result(EventStatus.PARKED, said, claimed, "its payment is not here yet")
    if money := [fact for fact in facts if fact.kind in ABOUT_MONEY]:
        exceptions.note_unknown(SYSTEM, due.id, fact=money[0])
    return Result(EventStatus.DEAD, said, claimed, "its payment never came")


def _payment_of(provider: PaymentProvider, facts: Sequence[ProviderFact]) -> UUID | None:
    """Our payment by our id in their metadata, else by their reference of it. Index: uq_payments_external_reference."""
    for fact in facts:
        ours = Payment.id == fact.payment_id if fact.payment_id else Payment.external_reference == fact.reference
        found = session().scalar(select(Payment.id).where(Payment.provider == provider, ours))
        if found is not None:
            return found
    return None


def _tried(due: Due, error: str) -> Result:
    status = EventStatus.RECEIVED if due.attempts < len(BACK_OFF) else EventStatus.DEAD
    return Result(status, error=error)
