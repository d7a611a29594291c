"""What events of the outbox lead to: messages to whom it concerns, where it is urgent a call, and webhooks of partners."""

from __future__ import annotations

from collections.abc import Sequence
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


def tell(events: Sequence[Event]) -> None:
    """The messages that the events tell are queued, where it is urgent the office is asked to call, and what partners want to
    hear is in their queues. May run twice."""
    webhooks.plan(
        *[webhooks.Happened(each.id, each.topic, each.record_type, each.record_id, each.created_at) for each in events]
    )
    happened = [
        Happened(each.id, each.topic, each.record_type, each.record_id, each.payload, each.created_at.astimezone(UTC))
        for each in events
        if each.topic in TOLD_TO_PEOPLE
    ]
    if not happened:
        return
    now = clock.read(session())
    planning.plan_all(happened, now)
    for each in happened:
        calling.call_about(each, now)
