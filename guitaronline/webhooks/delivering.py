"""What a worker does: takes what is due, one delivery at a time, and gives up on endpoints that do not work for days."""

from __future__ import annotations

import time
from datetime import timedelta

from guitaronline.actor import SYSTEM
from guitaronline.back_off import BACK_OFF
from guitaronline.db import session
from guitaronline.secret_keys import Unsealable
from guitaronline.webhooks import queue, sending, signing
from guitaronline.webhooks.endpoints import give_up_endpoint

GIVE_UP_AFTER = timedelta(days=5)
FAILED_FOR_DAYS = "It has not taken anything for 5 days."
GONE = "It answered 410: it wants nothing any more."


def deliver_due(*, seconds: float) -> int:
    """What is due was sent, until nothing is left or the time is over; returns how many calls were made."""
    made, until = 0, time.monotonic() + seconds
    while time.monotonic() < until and (claimed := queue.claim()) is not None:
        deliver(claimed)
        made += 1
    return made


def deliver(claimed: queue.Claimed) -> None:
    """One call, and what came of it is recorded. An endpoint that is gone is disabled."""
    outcome = _called(claimed)
    queue.record(claimed, outcome)
    if outcome.is_gone:
        give_up_endpoint(SYSTEM, claimed.endpoint_id, reason=GONE)


def _called(claimed: queue.Claimed) -> sending.Outcome:
    if claimed.attempts > len(BACK_OFF):  # one that kills its worker each time
        return sending.Outcome("attempts_used_up", 0)
    body = claimed.body.encode()
    try:
        signed = signing.headers(str(claimed.id), claimed.now, body, claimed.secrets)
    except Unsealable:
        return sending.Outcome("secret_unreadable", 0)
    return sending.post(claimed.url, body, signed)


def give_up() -> int:
    """Endpoints that have failed for days are disabled, and their owners have a task; returns how many."""
    found = queue.long_failing(session(), GIVE_UP_AFTER)
    session().rollback()
    return sum(give_up_endpoint(SYSTEM, each, reason=FAILED_FOR_DAYS) for each in found)
