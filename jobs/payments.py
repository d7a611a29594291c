"""What providers tell, and what they are asked."""

from __future__ import annotations

import time
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
    while time.monotonic() < give_up_at:
        now = clock.read(session())
        token, due = asking.claim_due(now, limit=AT_ONCE)
        for payment_id in due:
            asking.ask_again(payment_id, token, now)
        asked += len(due)
        if len(due) < AT_ONCE:
            break
    return asked
