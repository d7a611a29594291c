"""GET /notifications/delivery/metrics: exactly the fields of the promise, for staff."""

from __future__ import annotations

import pytest

from guitaronline.notifications.models import MessageStatus
from tests.admin.posted import posted
from tests.api.conftest import Api
from tests.world import World

PATH = "/notifications/delivery/metrics"


def test_staff_are_told_how_delivery_is(api: Api, world: World) -> None:
    [posted(world.ann, world.ann, status) for status in MessageStatus]

    answer = api.get(PATH, world.audrey)

    assert answer.status == 200
    took = {name: answer.json.pop(name) for name in ("event_to_sent_p50_ms", "event_to_sent_p95_ms")}
    waited = answer.json.pop("oldest_pending_seconds")
    assert answer.json == {"pending": 1, "sent": 1, "failed": 1, "dead": 2, "attempts": 3}
    assert took == {"event_to_sent_p50_ms": 0, "event_to_sent_p95_ms": 0}
    assert 0 <= waited < 60


def test_a_quiet_school_answers_with_nulls(api: Api, world: World) -> None:
    assert api.get(PATH, world.sue).json == {
        "pending": 0,
        "sent": 0,
        "failed": 0,
        "dead": 0,
        "attempts": 0,
        "oldest_pending_seconds": None,
        "event_to_sent_p50_ms": None,
        "event_to_sent_p95_ms": None,
    }


@pytest.mark.parametrize("who", ["ann", "tom"])
def test_nobody_else_is(api: Api, world: World, who: str) -> None:
    assert api.get(PATH, getattr(world, who)).status == 403
