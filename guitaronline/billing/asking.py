"""What nobody told us is asked for: after 5 minutes, an hour, then daily, and before anything else is done with a payment.

No answer is an answer of its own: the payment stays as it is, *unknown*, and is asked about again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.billing import facts, queries, settling
from guitaronline.billing.models import PackageStatus, Payment, PaymentProvider, PaymentStatus
from guitaronline.billing.provider_models import PaymentAsk
from guitaronline.billing.providers import provider_of
from guitaronline.billing.providers.base import ProviderFact, ProviderRefused, ProviderUnknown
from guitaronline.billing.refusals import PaidByHand
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

WAITS = (timedelta(minutes=55), timedelta(days=1))  # after the first asking, at 5 minutes; then daily
LEASE = timedelta(seconds=120)  # four questions, of which each may take 10 s twice

CLAIM = text("""
UPDATE payment_asks SET asks = asks + 1, lease_token = :token, lease_until = clock_timestamp() + :lease
 WHERE payment_id = ANY(ARRAY(SELECT payment_id FROM payment_asks
                         WHERE ask_at <= :now AND (lease_until IS NULL OR lease_until < clock_timestamp())
                         ORDER BY ask_at LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING payment_id
""")
PUT_OFF = text("""
UPDATE payment_asks SET ask_at = :at, lease_until = NULL,
       unknown_since = CASE WHEN :answered THEN NULL ELSE coalesce(unknown_since, :now) END
 WHERE payment_id = :payment AND lease_token = :token
""")
NOTE = text("""
UPDATE payment_asks SET unknown_since = CASE WHEN :answered THEN NULL ELSE coalesce(unknown_since, :now) END
 WHERE payment_id = :payment
""")


class Answer(StrEnum):
    TOLD = "told"  # what they know is applied
    UNKNOWN = "unknown"


def ask(payment_id: UUID) -> Answer:
    """All that the provider knows about the payment is applied; UNKNOWN: it gave no answer, and nothing has changed.

    Never inside a unit of work. Raises NotFound."""
    payment = session().get(Payment, payment_id, populate_existing=True)
    if payment is None:
        raise NotFound(record="payments", id=str(payment_id))
    if payment.provider is PaymentProvider.MANUAL:
        return Answer.TOLD
    told = _told(payment)
    now = clock.read(session())
    with technical_transaction() as current:
        current.execute(NOTE, {"payment": payment_id, "answered": told is not None, "now": now})
    if told is None:
        return Answer.UNKNOWN
    if told:
        facts.hear(SYSTEM, payment_id, facts=told)
    return Answer.TOLD


def _told(payment: Payment) -> list[ProviderFact] | None:
    """None: no answer, also while the provider's keys are missing. A clear no is an answer: they know nothing of it."""
    checkout = queries.checkout_of(session(), payment.id)
    payment_id, reference, name = payment.id, payment.external_reference, payment.provider
    page = checkout.reference if checkout else None
    session().rollback()  # no connection is kept while somebody else thinks
    try:
        return list(provider_of(name).look_up(payment_id=payment_id, reference=reference, checkout_reference=page))
    except (ProviderUnknown, NotFound):
        return None
    except ProviderRefused:
        return []


def claim_due(now: datetime, *, limit: int) -> tuple[UUID, list[UUID]]:
    """(lease, payments that are to be asked about now). An asking that kills its process has been counted."""
    token = new_id()
    with technical_transaction() as current:
        found = current.execute(CLAIM, {"token": token, "lease": LEASE, "now": now, "limit": limit})
        return token, list(found.scalars())


def ask_again(payment_id: UUID, token: UUID, now: datetime) -> Answer:
    """Asked; then it has lapsed, if nobody paid in time, or the next asking is set."""
    answer = ask(payment_id)
    due = session().get(PaymentAsk, payment_id, populate_existing=True)
    if due is None:
        return answer
    asks, lapse_at = due.asks, due.lapse_at
    if answer is Answer.TOLD and lapse_at <= now:
        lapse_checkout(SYSTEM, payment_id)
        return answer
    put_off(payment_id, token, now, at=next_asking(now, asks, lapse_at), answered=answer is Answer.TOLD)
    return answer


def put_off(payment_id: UUID, token: UUID, now: datetime, *, at: datetime, answered: bool) -> None:
    """It is asked about again then. Changes nothing when the lease has run out and somebody else asks."""
    with technical_transaction() as current:
        values = {"payment": payment_id, "token": token, "now": now, "at": at, "answered": answered}
        current.execute(PUT_OFF, values)


def next_asking(now: datetime, asks: int, lapse_at: datetime) -> datetime:
    """An hour after the beginning, then daily; once more when the checkout lapses."""
    usual = now + WAITS[min(asks, len(WAITS)) - 1]
    return min(usual, lapse_at) if lapse_at > now else usual


@command("payment.lapse", on="payments")
def lapse_checkout(work: Work, payment_id: UUID) -> Payment:
    """Nobody has paid in time: the payment has failed and its package, which never gave a lesson, is taken back.

    Money that comes after all opens it again (`facts.py`). Whoever calls has just asked the provider. Locks the payment,
    then its package. A payment that has succeeded, or another way of paying, is left alone."""
    access.require(work.actor, Permission.ADMINISTER)
    payment, package = settling.lock_payment(work, payment_id)
    found = work.session.get(PaymentAsk, payment_id)
    if found is not None:
        work.session.delete(found)
    if payment.status in facts.PAID_STATES:
        return payment
    reason = "nobody paid in time"
    if payment.status is PaymentStatus.PENDING:
        settling.move_payment(work, payment, package, PaymentStatus.FAILED, cause=f"lapse:{payment.id}", reason=reason)
    checkout = queries.checkout_of(work.session, payment_id)
    waits_otherwise = queries.is_awaited_otherwise(work.session, payment)  # such as a transfer that staff have recorded
    if package.status is PackageStatus.PENDING and checkout is not None and not waits_otherwise:
        checkout.lapsed_at = work.now
        work.move(package, PackageStatus.REVOKED)
    return payment


@command("payment.ask_provider", on="payments")
def ask_soon(work: Work, payment_id: UUID, *, reason: str | None = None) -> Payment:
    """The provider is asked about the payment by the next round of the job. Locks it. Raises PaidByHand."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    payment = work.lock(Payment, payment_id)
    if payment.provider is PaymentProvider.MANUAL:
        raise PaidByHand()
    found = work.session.get(PaymentAsk, payment_id, populate_existing=True)
    if found is None:  # of one that is settled: asked once
        work.session.add(PaymentAsk(payment_id=payment_id, ask_at=work.now, lapse_at=work.now))
    else:
        found.ask_at = work.now
    return payment


def asking_of(session: Session, payment_id: UUID) -> PaymentAsk | None:
    """When the provider is asked next; None: not again."""
    return session.get(PaymentAsk, payment_id, populate_existing=True)
