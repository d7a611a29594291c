"""Partners are told what they want to hear, and asked again while they do not answer."""

from __future__ import annotations

from functools import partial

from guitaronline.webhooks import delivering
from jobs.runtime import job, side_by_side

HANDS = 3  # an endpoint that hangs keeps one of them for a quarter of a minute
RUN_SECONDS = 30.0  # then the next tick goes on


@job
def deliver() -> int:
    """What is due was sent once, and endpoints that have failed for days are disabled; returns how many calls were made."""
    return side_by_side(partial(delivering.deliver_due, seconds=RUN_SECONDS), HANDS) + delivering.give_up()
