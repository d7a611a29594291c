"""The queue of deliveries. PostgreSQL is the queue; times are its clock's.

One is claimed in a short transaction (one more attempt, a lease), called outside of it, and closed only by who still holds the
lease. While one of an endpoint is on its way, its others wait: an endpoint that hangs takes one hand and not all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import db
from guitaronline.back_off import wait_after
from guitaronline.webhooks.sending import Outcome

LEASE = timedelta(seconds=90)  # looking up the name, connecting, and WHOLE_SECONDS

# The lateral part reads one row of each endpoint by ix_webhook_deliveries_due; endpoints are few.
CLAIM = text("""
UPDATE webhook_deliveries d SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease
  FROM webhook_endpoints e
 WHERE e.id = d.endpoint_id AND d.id = ANY(ARRAY(
       SELECT first.id FROM webhook_endpoints w
         CROSS JOIN LATERAL (
           SELECT q.id, q.due_at FROM webhook_deliveries q
            WHERE q.endpoint_id = w.id AND q.status = 'pending' AND q.due_at <= clock_timestamp()
            ORDER BY q.due_at, q.id LIMIT 1 FOR UPDATE SKIP LOCKED) first
        WHERE w.status = 'active' AND NOT EXISTS (
           SELECT FROM webhook_deliveries o
            WHERE o.endpoint_id = w.id AND o.status = 'pending' AND o.lease_until > clock_timestamp())
        ORDER BY first.due_at LIMIT 1))
RETURNING d.id, d.endpoint_id, d.body, d.attempts, e.url, e.secret_sealed, clock_timestamp() AS now_at,
          CASE WHEN e.former_until > clock_timestamp() THEN e.former_secret_sealed END AS former
""")
CLOSE = text("""
UPDATE webhook_deliveries SET status = :status, closed_at = clock_timestamp(), last_answer = :answer, lease_until = NULL
 WHERE id = :id AND lease_token = :token AND status = 'pending'
""")
TRY_LATER = text("""
UPDATE webhook_deliveries SET due_at = clock_timestamp() + :wait, last_answer = :answer, lease_until = NULL
 WHERE id = :id AND lease_token = :token AND status = 'pending'
""")
NOTE = text(
    "INSERT INTO webhook_attempts (id, delivery_id, answer, milliseconds) VALUES (:id, :delivery, :answer, :ms)"
)
WORKS = text("""
INSERT INTO webhook_health (id, last_delivered_at) VALUES (:id, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET failing_since = NULL, last_delivered_at = excluded.last_delivered_at
""")
FAILS = text("""
INSERT INTO webhook_health (id, failing_since) VALUES (:id, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET failing_since = coalesce(webhook_health.failing_since, excluded.failing_since)
""")


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours until the lease ends; `secrets` are sealed."""

    id: UUID
    endpoint_id: UUID
    body: str
    attempts: int
    url: str
    secrets: tuple[str, ...]
    now: datetime
    token: UUID


def claim() -> Claimed | None:
    """The delivery that is due longest, of an endpoint that nobody calls just now. The attempt counts from here."""
    token = db.new_id()
    with db.technical_transaction() as session:
        row = session.execute(CLAIM, {"token": token, "lease": LEASE}).one_or_none()
    if row is None:
        return None
    sealed = tuple(each for each in (row.secret_sealed, row.former) if each)
    return Claimed(row.id, row.endpoint_id, row.body, row.attempts, row.url, sealed, row.now_at, token)


def record(claimed: Claimed, outcome: Outcome) -> None:
    """What came of it stands in the log; it is delivered, tried again later, or dead. Who lost the lease changes nothing more."""
    wait = wait_after(claimed.attempts)
    fenced = {"id": claimed.id, "token": claimed.token, "answer": outcome.answer}
    with db.technical_transaction() as session:
        session.execute(
            NOTE,
            {"id": db.new_id(), "delivery": claimed.id, "answer": outcome.answer, "ms": outcome.milliseconds},
        )
        session.execute(WORKS if outcome.is_delivered else FAILS, {"id": claimed.endpoint_id})
        if outcome.is_delivered:
            session.execute(CLOSE, {**fenced, "status": "delivered"})
        elif wait is None or outcome.is_gone:
            session.execute(CLOSE, {**fenced, "status": "dead"})
        else:
            session.execute(TRY_LATER, {**fenced, "wait": wait})


def failing_since(session: Session, endpoint_ids: list[UUID]) -> dict[UUID, datetime]:
    """Query: since when each has not worked, of those that do not."""
    query = text(
        "SELECT id, failing_since FROM webhook_health WHERE id = ANY(CAST(:ids AS uuid[])) AND failing_since IS NOT NULL"
    )
    return {row[0]: row[1] for row in session.execute(query, {"ids": db.array(endpoint_ids)})}


LONG_FAILING = text("""
SELECT e.id FROM webhook_endpoints e JOIN webhook_health h ON h.id = e.id
 WHERE e.status = 'active' AND h.failing_since < clock_timestamp() - CAST(:long AS interval) ORDER BY e.id LIMIT 20
""")


def long_failing(session: Session, long: timedelta) -> list[UUID]:
    """Query: active endpoints that have not worked for so long."""
    return list(session.scalars(LONG_FAILING, {"long": long}))
