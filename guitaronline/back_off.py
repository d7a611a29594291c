"""How long what failed waits for its next attempt, the same wherever the outer world is asked again."""

from __future__ import annotations

import random
from datetime import timedelta

BACK_OFF = tuple(timedelta(seconds=each) for each in (0, 30, 120, 600, 3600, 4 * 3600, 12 * 3600))  # then dead
JITTER = 0.2


def wait_after(attempts: int, spread: float | None = None) -> timedelta | None:
    """How long after the n-th attempt the next one is due; None: there is none. `spread` −1…1, random unless given."""
    if attempts >= len(BACK_OFF):
        return None
    spread = random.uniform(-1, 1) if spread is None else spread  # noqa: S311  # spreads load, no secret
    return BACK_OFF[attempts] * (1 + JITTER * spread)
