"""The sandbox's own post: what it has to tell is sent to our webhook by real, signed requests. The table is the queue."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import timedelta

from sqlalchemy import text

from guitaronline import clock, policy
from guitaronline.billing.providers import signatures
from guitaronline.billing.providers.sandbox import SIGNATURE
from guitaronline.db import session, technical_transaction

ADDRESS = "/api/v1/billing/webhooks/sandbox"
TIMEOUT_SECONDS = 10
LEASE = timedelta(seconds=30)  # then it is sent again; a repeated event changes nothing
GIVE_UP_AFTER = 50

CLAIM = text("""
UPDATE sandbox_events SET attempts = attempts + 1, send_at = :now + :lease
 WHERE id = ANY(ARRAY(SELECT id FROM sandbox_events WHERE sent_at IS NULL AND send_at <= :now AND attempts < :most
               ORDER BY send_at, id LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING id, body
""")
SENT = text("UPDATE sandbox_events SET sent_at = :now WHERE id = :id")


def send_due(*, limit: int = 20) -> int:
    """Each event that is due was sent once; returns how many were taken. What does not arrive is sent again."""
    now = clock.read(session())
    with technical_transaction() as current:
        facts = {"now": now, "lease": LEASE, "limit": limit, "most": GIVE_UP_AFTER}
        due = current.execute(CLAIM, facts).all()
    for event_id, body in due:
        if deliver(json.dumps(body).encode()):
            with technical_transaction() as current:
                current.execute(SENT, {"id": event_id, "now": now})
    return len(due)


def deliver(raw: bytes) -> bool:
    """Whether our webhook took it."""
    settings = policy.current()
    signature = signatures.signed(raw, settings.SANDBOX_SECRET, at=clock.read(session()))
    session().rollback()
    request = urllib.request.Request(  # noqa: S310  # our own address, from the settings
        settings.PUBLIC_BASE_URL + ADDRESS,
        data=raw,
        headers={"Content-Type": "application/json", SIGNATURE: signature},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            status: int = answer.status
    except (urllib.error.URLError, TimeoutError, OSError):
        return False
    return 200 <= status < 300
