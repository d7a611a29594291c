"""What events of the outbox lead to: messages to whom it concerns, and where it is urgent a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from guitaronline import clock
from guitaronline.db import session
from guitaronline.notifications import calling, kinds, planning
from guitaronline.notifications.happened import Happened

if TYPE_CHECKING:
    from jobs.outbox import Event

TOPICS = sorted(kinds.topics())


def tell(events: Sequence[Event]) -> None:
    """The messages that the events tell are queued, and where it is urgent the office is asked to call. May run twice."""
    now = clock.read(session())
    happened = [
        Happened(each.id, each.topic, each.record_type, each.record_id, each.payload, each.created_at.astimezone(UTC))
        for each in events
    ]
    planning.plan_all(happened, now)
    for each in happened:
        calling.call_about(each, now)
