"""The numbers of the days that are over follow what has changed."""

from __future__ import annotations

import time

from guitaronline.kpis import rollup
from jobs.runtime import job

RUN_SECONDS = 40  # then the next tick goes on


@job
def roll_up() -> int:
    """Days that were touched are counted anew, the newest first; how many. What is left stays on the list."""
    rollup.touch()
    rollup.count_now()
    counted, give_up_at = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < give_up_at and rollup.count_one() is not None:
        counted += 1
    return counted
