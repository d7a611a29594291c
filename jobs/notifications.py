"""People are told what nobody did: that a lesson is near, that an outcome is missing, that lessons run out."""

from __future__ import annotations

from functools import partial

from guitaronline.notifications import reminders, staff_mail
from jobs.runtime import job, repeated

AT_ONCE = 1000


@job
def remind() -> int:
    """Whatever should be told by now, and is not, is queued; returns of how much."""
    lessons = sum(
        repeated(partial(reminders.remind, hours, limit=AT_ONCE), AT_ONCE) for hours in reminders.reminder_hours()
    )
    others = repeated(partial(reminders.ask_for_outcomes, limit=AT_ONCE), AT_ONCE)
    others += repeated(partial(reminders.warn_of_low_packages, limit=AT_ONCE), AT_ONCE)
    return lessons + others + staff_mail.tell_staff()
