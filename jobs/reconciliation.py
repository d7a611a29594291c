"""What providers and banks told is matched with what we know."""

from __future__ import annotations

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.billing.reconciliation import running, service
from guitaronline.db import session
from jobs.runtime import job


@job
def match() -> int:
    """Matches and exceptions follow what was imported or decided since; nightly anyway. How many changed; 0 when nothing is due,
    or another worker is at it: its transaction is the lease, so what a killed one had done is gone and is done again."""
    now = clock.read(session())
    if not running.is_due(session(), now):
        return 0
    run = service.run_matching(SYSTEM)
    return run.made + run.undone + run.opened + run.resolved if run else 0
