"""Teachers' weekly hours, turned into slots as the days go by."""

from __future__ import annotations

from guitaronline.booking import rolling
from jobs.runtime import job

RUN_SECONDS = 30  # then the next tick goes on: others want the worker too


@job
def extend_horizons() -> int:
    """Whoever is due has slots up to the horizon; returns how many teachers' slots changed."""
    return rolling.extend_due(seconds=RUN_SECONDS).changed
