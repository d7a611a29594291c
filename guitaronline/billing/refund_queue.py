"""The queue of refunds that a provider is asked for. PostgreSQL is the queue; times are its clock's.

A call is claimed in a short transaction (one more attempt, a lease), made outside of it, and what came of it is recorded by a
command. What nobody answered is unknown, never failed: it is asked again after 5 minutes, an hour, then every day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.billing.models import Payment, PaymentProvider
from guitaronline.billing.refusals import RefundUnknown
from guitaronline.db import technical_transaction
from guitaronline.unit_of_work import Work

LEASE = timedelta(seconds=120)  # three questions and the refund, of which each may take 10 s twice
ASK_AGAIN = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))  # then every day
KEY_HOLDS = timedelta(hours=23)  # providers forget a key after a day: sent later, the same refund would be made twice

CLAIM = text("""
UPDATE refund_calls SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease,
       first_sent_at = coalesce(first_sent_at, clock_timestamp())
 WHERE id = ANY(ARRAY(SELECT id FROM refund_calls
               WHERE closed_at IS NULL AND due_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp())
               ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED))
RETURNING id, attempts, accepted_at IS NULL AND first_sent_at > clock_timestamp() - CAST(:holds AS interval) AS may_send
""")
TRY_LATER = text("""
UPDATE refund_calls SET due_at = clock_timestamp() + :wait, last_error = :error, lease_until = NULL,
       accepted_at = CASE WHEN :accepted THEN coalesce(accepted_at, clock_timestamp()) ELSE accepted_at END
 WHERE id = :id AND lease_token = :token AND closed_at IS NULL
""")
UNKNOWN = text("""
UPDATE refund_calls c SET due_at = least(c.due_at, clock_timestamp()) FROM refunds r
 WHERE r.payment_id = :payment_id AND r.status = 'pending' AND c.id = r.id AND c.closed_at IS NULL
   AND c.attempts > 0 AND c.accepted_at IS NULL
RETURNING r.reference
""")
TAKE_OFF = text("""
UPDATE refund_calls SET closed_at = clock_timestamp() WHERE id = :id AND attempts = 0 AND closed_at IS NULL RETURNING id
""")
CLOSE = text("UPDATE refund_calls SET closed_at = clock_timestamp() WHERE id = :id AND closed_at IS NULL")
LEFT_TO_PEOPLE = text("""
SELECT EXISTS (SELECT FROM refund_calls WHERE id = :id AND closed_at IS NULL AND accepted_at IS NULL
                  AND first_sent_at <= clock_timestamp() - CAST(:holds AS interval))
""")


@dataclass(frozen=True)
class Call:
    """A refund whose provider is to be asked now. `may_send`: it can be sent again; else it is only looked for."""

    refund_id: UUID
    attempts: int
    may_send: bool
    token: UUID


def claim(token: UUID) -> Call | None:
    """The refund that is due longest, ours until the lease ends. The attempt counts from here. ix_refund_calls_due"""
    with technical_transaction() as session:
        row = session.execute(CLAIM, {"token": token, "lease": LEASE, "holds": KEY_HOLDS}).one_or_none()
    return Call(row.id, row.attempts, row.may_send, token) if row is not None else None


def put_off(call: Call, *, error: str | None, accepted: bool = False) -> None:
    """It is asked again later. Changes nothing when the lease has run out and somebody else took it."""
    wait = ASK_AGAIN[min(call.attempts, len(ASK_AGAIN)) - 1]
    facts = {"id": call.refund_id, "token": call.token, "wait": wait, "error": error, "accepted": accepted}
    with technical_transaction() as session:
        session.execute(TRY_LATER, facts)


def require_known(work: Work, payment: Payment) -> None:
    """A step: no refund of the locked payment is unknown. One that is, is asked about at once.

    Asked before anything is written: what it leaves behind survives the refusal. Raises RefundUnknown."""
    if payment.provider is PaymentProvider.MANUAL:
        return
    unknown = work.session.scalars(UNKNOWN, {"payment_id": payment.id}).all()
    if unknown:
        raise work.refuse_but_keep(RefundUnknown(refunds=sorted(unknown)))


def take_off(work: Work, refund_id: UUID) -> bool:
    """A step: the provider will not be asked; False when it has been already."""
    return work.session.execute(TAKE_OFF, {"id": refund_id}).one_or_none() is not None


def is_left_to_people(session: Session, refund_id: UUID) -> bool:
    """Nobody ever said what became of it, and it can no longer be sent again without doubt."""
    return bool(session.scalar(LEFT_TO_PEOPLE, {"id": refund_id, "holds": KEY_HOLDS}))


def close(call: Call) -> None:
    """Its end came to be known in another way."""
    with technical_transaction() as session:
        session.execute(CLOSE, {"id": call.refund_id})
