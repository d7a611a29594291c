"""What an event of the outbox leads to: messages to whom it concerns, where it is urgent a call, and webhooks of partners."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from guitaronline import clock
from guitaronline.db import session
from guitaronline.notifications import calling, kinds, planning
from guitaronline.notifications.happened import Happened
from guitaronline.webhooks import planning as webhooks
from guitaronline.webhooks import topics as webhook_topics

if TYPE_CHECKING:
    from jobs.outbox import Event

TOLD_TO_PEOPLE = frozenset(kinds.topics())
TOPICS = sorted(TOLD_TO_PEOPLE | set(webhook_topics.TOPICS))


def tell(event: Event) -> None:
    """The messages that the event tells are queued, where it is urgent the office is asked to call, and what partners want to
    hear is in their queues. May run twice."""
    webhooks.plan(webhooks.Happened(event.id, event.topic, event.record_type, event.record_id, event.created_at))
    if event.topic not in TOLD_TO_PEOPLE:
        return
    happened = Happened(
        event.id, event.topic, event.record_type, event.record_id, event.payload, event.created_at.astimezone(UTC)
    )
    now = clock.read(session())
    planning.plan(happened, now)
    calling.call_about(happened, now)
