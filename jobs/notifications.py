"""Messages are delivered."""

from __future__ import annotations

from guitaronline.notifications import delivery
from jobs.runtime import job

AT_ONCE = 100


@job
def deliver() -> int:
    """What is due was handed to its channel; returns how many."""
    return delivery.deliver_due(most=AT_ONCE)
