"""People are told what happened."""

from __future__ import annotations

import time

from guitaronline.notifications import delivery, reports
from jobs import outbox
from jobs.runtime import job, repeated

RUN_SECONDS = 30.0  # then the next tick goes on
TURN_SECONDS = 2.0  # of sending, then what happened meanwhile has its turn


@job
def deliver() -> int:
    """What happened is planned, and what is due is sent, by turns, until nothing is left; returns how much it was."""
    done, until = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < until:
        planned = outbox.hand_over_some()
        sent = delivery.deliver_due(seconds=TURN_SECONDS)
        if not planned and not sent:
            break
        done += planned + sent
    return done


@job
def take_reports() -> int:
    """What providers said of bounces has had its effect; returns how many reports were taken."""
    return repeated(reports.take_due, reports.AT_ONCE)
