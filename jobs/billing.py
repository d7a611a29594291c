"""Packages whose time is over."""

from __future__ import annotations

from guitaronline.actor import SYSTEM
from guitaronline.billing import service
from jobs.runtime import job, repeated

AT_ONCE = 200  # packages in one transaction


@job
def expire_packages() -> int:
    """Every overdue package is `expired`, its unused lessons in the expired bucket."""
    return repeated(lambda: service.expire_packages(SYSTEM, limit=AT_ONCE), AT_ONCE)
