"""K1: the numbers that are stored are the numbers that counting gives."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.kpis import rollup

NAME = "K1 rollup"
SENTENCE = "The numbers stored for a day are what counting its rows gives, unless something has just moved on it."
NEWEST, SAMPLE = 10, 20  # days; all of them when there are not more


def findings(session: Session, *, everything: bool = False) -> list[dict[str, Any]]:
    """What differs, as facts; of the newest days and of some others, another choice each day."""
    now = clock.read(session)
    settled = rollup.settled_days(session, now)
    chosen = settled if everything else _sample(settled, seed=now.toordinal())
    return [{key: str(value) for key, value in asdict(each).items()} for each in rollup.unequal(session, chosen, now)]


def _sample(settled: list[date], *, seed: int) -> list[date]:
    older = settled[NEWEST:]
    return settled[:NEWEST] + random.Random(seed).sample(older, min(SAMPLE, len(older)))  # noqa: S311  # no secret
