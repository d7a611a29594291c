"""What providers tell, and what they are asked."""

from __future__ import annotations

import time
from datetime import datetime
from uuid import UUID

import structlog

from guitaronline import clock, policy
from guitaronline.billing import asking, inbox, sandbox_post
from guitaronline.billing import service as _appliers  # noqa: F401  # what is told of refunds and disputes finds its way
from guitaronline.billing.inbox import Due
from guitaronline.db import new_id, session
from jobs.runtime import error_code, job, repeated

AT_ONCE = 20
RUN_SECONDS = 30  # then the next tick goes on

log = structlog.get_logger("jobs.payments")


@job
def take_events() -> int:
    """What providers told has had its effect; the sandbox's own post is sent first. Returns how many events were taken."""
    if policy.current().PAYMENT_PROVIDER == "sandbox":
        repeated(sandbox_post.send_due, AT_ONCE)
    taken, give_up_at = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < give_up_at:
        token = new_id()
        events = inbox.claim(token, limit=AT_ONCE)
        if not events:
            break
        for due in events:
            _take(due, token)
        taken += len(events)
    return taken


def _take(due: Due, token: UUID) -> None:
    try:
        inbox.take(due, token)
    except Exception as error:  # noqa: BLE001  # whatever one event meets, the next must have its turn
        session().rollback()
        log.warning("event not applied", event_id=due.event_id, attempts=due.attempts, error=error_code(error))
        inbox.finish(due, token, inbox.failed(due, error_code(error)), clock.read(session()))


@job
def ask_providers() -> int:
    """Payments nobody told us of were asked about; those that nobody paid in time have lapsed. Returns how many."""
    asked, give_up_at = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < give_up_at:  # one at a time: a provider that hangs takes half a minute of each
        now = clock.read(session())
        token, due = asking.claim_due(now, limit=1)
        if not due:
            break
        _ask(due[0], token, now)
        asked += 1
    return asked


def _ask(payment_id: UUID, token: UUID, now: datetime) -> None:
    try:
        asking.ask_again(payment_id, token, now)
    except Exception as error:  # noqa: BLE001  # whatever one answer does, the next payment must have its turn
        session().rollback()
        log.warning("could not ask", payment_id=str(payment_id), error=error_code(error))
        asking.put_off(payment_id, token, now, at=now + asking.WAITS[0], answered=False)
