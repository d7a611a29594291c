"""Proofs that somebody asked for in the console."""

from __future__ import annotations

from guitaronline.office import proofs
from jobs.runtime import job


@job
def run_asked() -> int:
    """What was asked for is proved and its result is kept; returns how many runs."""
    return proofs.do_asked()
