"""What happened is told to whom it concerns. The table is the queue; several drains may run at once.

An event is claimed in a short transaction (one more attempt, a lease by the database's clock), handled outside of it, and
closed only by who still holds the lease. Events that no handler is listed for are closed as `no_handler` and never sent
later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from guitaronline.back_off import wait_after
from guitaronline.db import new_id, technical_transaction
from jobs import telling
from jobs.runtime import error_code, job, repeated

Handler = Callable[[Sequence["Event"]], None]

HANDLERS: dict[str, Handler] = dict.fromkeys(
    telling.TOPICS, telling.tell
)  # topic → what tells events of it; may run twice for one

AT_ONCE = 1000
CLAIM_AT_ONCE = 40
LEASE = timedelta(seconds=120)
RUN_SECONDS = 5  # then what was planned is sent, and the next tick goes on

# ARRAY(…) is asked once; `IN (… LIMIT … SKIP LOCKED)` may be asked again for each row, and then claims more than the limit.
CLOSE_UNTOLD = text("""
UPDATE outbox_events SET status = 'no_handler', closed_at = clock_timestamp()
 WHERE id = ANY(ARRAY(SELECT id FROM outbox_events
               WHERE status = 'pending' AND available_at <= clock_timestamp() AND topic <> ALL(:told)
               ORDER BY available_at, id LIMIT :limit FOR UPDATE SKIP LOCKED))
""")
CLAIM = text("""
UPDATE outbox_events SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease
 WHERE id = ANY(ARRAY(SELECT id FROM outbox_events
               WHERE status = 'pending' AND available_at <= clock_timestamp() AND topic = ANY(:told)
                 AND (lease_until IS NULL OR lease_until < clock_timestamp())
               ORDER BY available_at, id LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING id, topic, record_type, record_id, payload, attempts, created_at
""")
CLOSE = text("""
UPDATE outbox_events SET status = :status, closed_at = clock_timestamp(), last_error = :error, lease_until = NULL
 WHERE id = :id AND lease_token = :token AND status = 'pending'
""")
CLOSE_ALL = text("""
UPDATE outbox_events SET status = 'done', closed_at = clock_timestamp(), last_error = NULL, lease_until = NULL
 WHERE id = ANY(:ids) AND lease_token = :token AND status = 'pending'
""")
TRY_LATER = text("""
UPDATE outbox_events SET available_at = clock_timestamp() + :wait, last_error = :error, lease_until = NULL
 WHERE id = :id AND lease_token = :token AND status = 'pending'
""")

log = structlog.get_logger("jobs.outbox")


class Undeliverable(Exception):
    """A handler's word that no further attempt can help."""


@dataclass(frozen=True)
class Event:
    id: UUID
    topic: str
    record_type: str
    record_id: UUID
    payload: dict[str, Any]
    attempts: int
    created_at: datetime


@job
def drain() -> int:
    """Everything that is due was handed to its handler once; returns how many events were taken."""
    return repeated(close_untold, AT_ONCE) + hand_over_due()


def close_untold() -> int:
    with technical_transaction() as session:
        done = session.execute(CLOSE_UNTOLD, {"told": list(HANDLERS), "limit": AT_ONCE})
        return int(done.rowcount)  # type: ignore[attr-defined]


def hand_over_due() -> int:
    taken, give_up_at = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < give_up_at and (some := hand_over_some()):
        taken += some
    return taken


def hand_over_some() -> int:
    """One batch of what is due was handed over; returns how many."""
    token = new_id()
    events = claim(token) if HANDLERS else []
    handlers = {HANDLERS[event.topic] for event in events}
    told = [
        event
        for handler in handlers
        for event in hand_over_together(handler, [each for each in events if HANDLERS[each.topic] == handler], token)
    ]
    if told:
        close_told(told, token)
    return len(events)


def claim(token: UUID) -> list[Event]:
    """Due events, ours until the lease ends. The attempt counts from here, so one that kills its worker runs out too."""
    facts = {"token": token, "lease": LEASE, "told": list(HANDLERS), "limit": CLAIM_AT_ONCE}
    with technical_transaction() as session:
        rows = session.execute(CLAIM, facts).all()
    return [Event(*row) for row in rows]


def hand_over_together(handler: Handler, events: list[Event], token: UUID) -> list[Event]:
    """Those that were told: all of them by one call; where one breaks it, each that can be told alone."""
    try:
        if len(events) > 1:
            handler(events)
            return events
    except Exception as error:  # noqa: BLE001  # whatever one of them meets, the others must have their turn
        log.info("not told together", events=len(events), error=error_code(error))
    return [event for event in events if hand_over(event, token)]


def hand_over(event: Event, token: UUID) -> bool:
    """The event is told (True, to be closed with the others of its batch), tried again later, or dead."""
    try:
        HANDLERS[event.topic]([event])
    except Undeliverable as error:
        finish(event, token, "dead", str(error))
    except Exception as error:  # noqa: BLE001  # whatever a handler meets, the next event must have its turn
        log.warning(
            "not told", event_id=str(event.id), topic=event.topic, attempts=event.attempts, error=error_code(error)
        )
        put_off(event, token, error_code(error))
    else:
        return True
    return False


def close_told(events: Sequence[Event], token: UUID) -> None:
    """All at once; a worker that dies before it leaves them to be told again, which changes nothing."""
    with technical_transaction() as session:
        closed = session.execute(CLOSE_ALL, {"ids": [event.id for event in events], "token": token}).rowcount  # type: ignore[attr-defined]
    if closed < len(events):
        log.warning("fenced out", events=len(events) - closed)


def put_off(event: Event, token: UUID, error: str) -> None:
    wait = wait_after(event.attempts)
    if wait is None:
        finish(event, token, "dead", error)
    else:
        _fenced(TRY_LATER, event, token, wait=wait, error=error)


def finish(event: Event, token: UUID, status: str, error: str | None) -> None:
    _fenced(CLOSE, event, token, status=status, error=error)


def _fenced(statement: Any, event: Event, token: UUID, **values: Any) -> None:
    """Changes nothing when the lease has run out and somebody else took the event."""
    with technical_transaction() as session:
        changed = session.execute(statement, {"id": event.id, "token": token, **values}).rowcount  # type: ignore[attr-defined]
    if not changed:
        log.warning("fenced out", event_id=str(event.id), topic=event.topic)
