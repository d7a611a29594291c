"""What an event of the outbox leads to: messages to whom it concerns, and where it is urgent a call."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from guitaronline import clock
from guitaronline.db import session
from guitaronline.notifications import calling, kinds, planning
from guitaronline.notifications.happened import Happened

if TYPE_CHECKING:
    from jobs.outbox import Event

TOPICS = sorted(kinds.topics())


def tell(event: Event) -> None:
    """The messages that the event tells are queued, and where it is urgent the office is asked to call. May run twice."""
    happened = Happened(
        event.id, event.topic, event.record_type, event.record_id, event.payload, event.created_at.astimezone(UTC)
    )
    now = clock.read(session())
    planning.plan(happened, now)
    calling.call_about(happened, now)
