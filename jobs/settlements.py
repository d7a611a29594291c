"""Files of providers and banks are fetched, read, and imported when somebody wants that."""

from __future__ import annotations

import time

import structlog

from guitaronline.billing.settlements import fetching, running
from guitaronline.billing.settlements.refusals import TakenOver
from guitaronline.db import new_id
from guitaronline.errors import Busy
from jobs.runtime import job

RUN_SECONDS = 5  # then the next tick goes on: others want the worker too, and one large file may take 10 already
FETCH_SECONDS = 30  # then the next tick goes on

log = structlog.get_logger("settlements")


@job
def read() -> int:
    """Files that wait are taken one step further, one after the other; returns how many."""
    done, stop_at = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < stop_at and (claimed := running.claim(new_id())):
        try:
            running.carry_out(claimed)
        except TakenOver:
            log.warning("file taken over", file_id=str(claimed.file_id))
        except Busy:
            running.let_go(claimed)
            return done
        done += 1
    return done


@job
def fetch() -> int:
    """Reports that are due are a step further: asked for, looked for, or downloaded; returns how many steps were made."""
    fetching.plan()
    done, stop_at = 0, time.monotonic() + FETCH_SECONDS
    while time.monotonic() < stop_at and fetching.fetch_next():
        done += 1
    return done
