"""Packages whose time is over, or soon will be."""

from __future__ import annotations

from functools import partial

from guitaronline.actor import SYSTEM
from guitaronline.billing import service
from jobs.runtime import HANDS, job, repeated, side_by_side

AT_ONCE = 200  # packages in one transaction: they are locked for less than 100 ms


@job
def expire_packages() -> int:
    """Every overdue package is `expired`, its unused lessons in the expired bucket."""
    some = partial(service.expire_packages, SYSTEM, limit=AT_ONCE)
    done = some()
    return done if done < AT_ONCE else done + side_by_side(partial(repeated, some, AT_ONCE), HANDS)


@job
def warn_of_expiry() -> int:
    """Of packages that expire in 30 or 7 days there is an event."""
    return repeated(lambda: service.warn_of_expiry(SYSTEM, limit=AT_ONCE), AT_ONCE)
