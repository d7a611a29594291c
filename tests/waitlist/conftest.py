from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from guitaronline.booking.waitlist import join_waitlist
from guitaronline.booking.waitlist_models import WaitlistEntry
from guitaronline.identity.models import User
from jobs import waitlist as rounds
from tests.world import World, as_actor

Waits = Callable[..., WaitlistEntry]


@pytest.fixture
def waits(world: World) -> Waits:
    """`waits(ben)`: Ben waits for Tom within the next week."""

    def join(student: User, **more: Any) -> WaitlistEntry:
        asked = {"teacher_id": world.tom.id, "from_at": world.now, "until_at": world.now + timedelta(days=7), **more}
        return join_waitlist(as_actor(student), **asked)

    return join


@pytest.fixture
def go_round() -> Callable[[], int]:
    return rounds.go_round
