"""People who are in the school twice."""

from __future__ import annotations

from functools import partial

from guitaronline.actor import SYSTEM
from guitaronline.office.merging.finding import find_duplicates
from jobs.runtime import job, repeated

AT_ONCE = 500


@job
def find() -> int:
    """Every pair of students that looks alike is there to be looked at; returns how many are new."""
    return repeated(partial(find_duplicates, SYSTEM, limit=AT_ONCE), AT_ONCE)
