from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from guitaronline import clock
from guitaronline.booking.series import Wanted
from guitaronline.booking.series_rules import Term
from tests.world import World

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
NEXT = date(2026, 3, 9)  # the Monday after; Tom's clock shows UTC unless a test says otherwise


@pytest.fixture
def monday() -> Iterator[None]:
    """It is nine o'clock, UTC, on Monday, 2 March 2026."""
    with clock.standing_at(MONDAY):
        yield


def wanted(world: World, *, first_day: date = NEXT, at: time = time(15), minutes: int = 60, **more: Any) -> Wanted:
    """Ann with Tom, Mondays at three, four times; by any package."""
    more = {"student_id": world.ann.id, "teacher_id": world.tom.id, **more}
    names = ("last_day", "count", "interval_weeks")
    span = {name: more.pop(name) for name in names if name in more} or {"count": 4}
    return Wanted(term=Term(first_day, at, minutes, **span), **more)
