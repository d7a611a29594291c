"""Views as somebody else that are over."""

from __future__ import annotations

from guitaronline.identity import viewing
from jobs.runtime import job, repeated


@job
def end_over() -> int:
    """The end of each such view stands in the audit."""
    return repeated(viewing.end_what_is_over, viewing.AT_ONCE)
