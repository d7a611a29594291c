"""People are told what happened, and what nobody did: that a lesson is near, that an outcome is missing, that lessons run out."""

from __future__ import annotations

import time
from functools import partial

from guitaronline import policy
from guitaronline.notifications import delivery, reminders, reports, staff_mail
from jobs import outbox
from jobs.runtime import job, repeated, side_by_side

AT_ONCE = 1000
RUN_SECONDS = 30.0  # then the next tick goes on
TURN_SECONDS = 2.0  # of sending, then what happened meanwhile has its turn


@job
def deliver() -> int:
    """What happened is planned, and what is due is sent, by turns, until nothing is left; returns how much it was.

    While more is due than one turn sends, several hands send: each waits most of the time for the server or the disk."""
    done, hands, until = 0, 1, time.monotonic() + RUN_SECONDS
    send = partial(delivery.deliver_due, seconds=TURN_SECONDS)
    while time.monotonic() < until:
        planned = outbox.hand_over_some()
        sent = side_by_side(send, hands) if hands > 1 else send()
        if not planned and not sent:
            break
        hands = policy.current().MAIL_CONNECTIONS if sent >= delivery.AT_ONCE else 1
        done += planned + sent
    return done


@job
def take_reports() -> int:
    """What providers said of bounces has had its effect; returns how many reports were taken."""
    return repeated(reports.take_due, reports.AT_ONCE)


@job
def remind() -> int:
    """Whatever should be told by now, and is not, is queued; returns of how much."""
    lessons = sum(
        repeated(partial(reminders.remind, hours, limit=AT_ONCE), AT_ONCE) for hours in reminders.reminder_hours()
    )
    others = repeated(partial(reminders.ask_for_outcomes, limit=AT_ONCE), AT_ONCE)
    others += repeated(partial(reminders.warn_of_low_packages, limit=AT_ONCE), AT_ONCE)
    return lessons + others + staff_mail.tell_staff()
