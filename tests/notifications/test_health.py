"""How delivery is: what counts as waiting, sent, dead, and how long an event took."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from guitaronline.db import new_id, technical_transaction
from guitaronline.notifications.health import DeliveryHealth, delivery_health
from guitaronline.notifications.models import Channel, Message, MessageStatus
from tests.admin.posted import posted
from tests.world import World

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def changed(message: Message, **values: Any) -> None:
    with technical_transaction() as current:
        current.execute(update(Message).where(Message.id == message.id).values(**values))


def now(db: Session) -> DeliveryHealth:
    db.rollback()
    return delivery_health(db)


def test_a_school_that_told_nobody_anything_has_nothing_to_say(db: Session) -> None:
    found = now(db)

    assert (found.pending, found.sent, found.failed, found.dead, found.attempts) == (0, 0, 0, 0, 0)
    assert (found.oldest_pending_seconds, found.event_to_sent_p50_ms, found.swept_at) == (None, None, None)


def test_each_state_is_counted_where_it_belongs(db: Session, world: World) -> None:
    [posted(world.ann, world.ann, status) for status in MessageStatus]

    found = now(db)

    assert (found.pending, found.sent, found.failed, found.dead) == (1, 1, 1, 2)
    assert found.attempts == 3


def test_what_was_sent_before_yesterday_is_not_counted(db: Session, world: World) -> None:
    message = posted(world.ann, world.ann, MessageStatus.SENT)
    changed(message, sent_at=world.now - DAY - SECOND)

    assert now(db).sent == 0


def test_a_message_whose_time_has_not_come_does_not_wait(db: Session, world: World) -> None:
    message = posted(world.ann, world.ann)
    changed(message, happened_at=world.now - HOUR, available_at=world.now + HOUR)

    found = now(db)

    assert (found.pending, found.oldest_pending_seconds) == (1, None)


def test_a_message_that_waited_for_the_morning_has_waited_since_the_morning(db: Session, world: World) -> None:
    message = posted(world.ann, world.ann)
    changed(message, happened_at=world.now - 8 * HOUR, available_at=world.now - 5 * SECOND)

    assert now(db).oldest_pending_seconds in (5, 6)


def test_a_message_that_was_tried_has_waited_since_its_event_whenever_the_next_attempt_is(
    db: Session, world: World
) -> None:
    message = posted(world.ann, world.ann)
    changed(message, attempts=3, happened_at=world.now - 300 * SECOND, available_at=world.now + HOUR)

    assert now(db).oldest_pending_seconds in (300, 301)


def test_the_time_from_event_to_delivery_is_told_by_the_middle_and_the_slow_ones(db: Session, world: World) -> None:
    [_took(world, milliseconds) for milliseconds in [*[400] * 18, 2_000, 9_000]]
    _took(world, 90_000, channel=Channel.IN_APP)

    found = now(db)

    assert (found.event_to_sent_p50_ms, found.event_to_sent_p95_ms) == (400, 2_000)


def _took(world: World, milliseconds: int, **more: Any) -> None:
    message = posted(world.ann, world.ann, MessageStatus.SENT)
    changed(message, happened_at=message.sent_at - timedelta(milliseconds=milliseconds), **more)  # type: ignore[operator]


@pytest.mark.parametrize(("outcome", "is_told"), [("done: 3", True), ("failed: Broken", False)])
def test_the_last_sweep_is_the_last_that_ended_well(db: Session, world: World, outcome: str, is_told: bool) -> None:
    tick = "INSERT INTO job_ticks (id, job, tick_at, finished_at, outcome) VALUES (:id, 'notifications.deliver', now(), now(), :outcome)"
    db.execute(text(tick), {"id": new_id(), "outcome": outcome})
    db.commit()

    assert (now(db).swept_at is not None) is is_told


def test_a_channel_is_paused_until_its_breaker_closes(db: Session, world: World) -> None:
    row = "INSERT INTO channel_states (channel, failures, open_until) VALUES (:channel, 3, now() + CAST(:ahead AS interval))"
    db.execute(text(row), [{"channel": "sms", "ahead": "1 minute"}, {"channel": "email", "ahead": "-1 minute"}])
    db.commit()

    assert [(each.channel, each.is_paused) for each in now(db).channels] == [("email", False), ("sms", True)]
