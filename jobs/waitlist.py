"""The waitlist's rounds: what became of offers is written down, and what is free is offered to who waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.booking import waitlist
from guitaronline.db import session
from jobs.runtime import job, repeated

AT_ONCE = 200  # entries in one transaction
SLOTS = 200  # looked up in one go
RUN_SECONDS = 30  # then others get a turn


@job
def go_round() -> int:
    """Every free slot that somebody waits for, or that is kept, was offered to the first in line who can take it, or is
    everybody's."""
    settled = repeated(lambda: waitlist.settle_offers(SYSTEM, limit=AT_ONCE), AT_ONCE)
    give_up_at, changed = time.monotonic() + RUN_SECONDS, 0
    for slot_id in _free(clock.read(session())):
        changed += bool(waitlist.offer_slot(SYSTEM, slot_id))
        if time.monotonic() > give_up_at:
            break
    return settled + changed


def _free(now: datetime) -> Iterator[UUID]:
    """What is kept first: it is public for nobody meanwhile. Then page by page all that is awaited, so that slots which
    nobody in line can take keep no others waiting."""
    yield from waitlist.kept_slots(session(), now, limit=SLOTS)
    page = waitlist.slots_for_line(session(), now, limit=SLOTS)
    while page:
        yield from (slot_id for _, slot_id in page)
        page = waitlist.slots_for_line(session(), now, after=page[-1], limit=SLOTS) if len(page) == SLOTS else []
