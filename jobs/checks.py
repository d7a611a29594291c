"""The invariants of the domain, every night."""

from __future__ import annotations

from guitaronline import checks
from jobs.runtime import job


@job
def run() -> int:
    """A row of `check_runs` says what was found; returns how much."""
    return len(checks.run_and_keep())
