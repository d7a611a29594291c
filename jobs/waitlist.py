"""The waitlist's rounds: what became of offers is written down, and what is free is offered to who waits for it."""

from __future__ import annotations

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.booking import waitlist
from guitaronline.db import session
from jobs.runtime import job, repeated

AT_ONCE = 200  # entries in one transaction
SLOTS = 200  # a round; the next goes on


@job
def go_round() -> int:
    """Every free slot that somebody waits for, or that is kept, was offered to the first in line who can take it, or is
    everybody's."""
    settled = repeated(lambda: waitlist.settle_offers(SYSTEM, limit=AT_ONCE), AT_ONCE)
    now = clock.read(session())
    awaited = waitlist.slots_for_line(session(), now, limit=SLOTS)
    kept = waitlist.kept_slots(session(), now, limit=SLOTS)
    rounds = [waitlist.offer_slot(SYSTEM, slot_id) for slot_id in dict.fromkeys([*awaited, *kept])]
    return settled + sum(map(bool, rounds))
