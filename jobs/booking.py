"""Bookings that lapse by themselves."""

from __future__ import annotations

from guitaronline.actor import SYSTEM
from guitaronline.booking import service
from jobs.runtime import job, repeated

AT_ONCE = 500  # holds in one transaction


@job
def expire_holds() -> int:
    """Every lapsed hold is `expired`, its lesson back in its package. The command claims what is due."""
    return repeated(lambda: service.expire_holds(SYSTEM, limit=AT_ONCE), AT_ONCE)
