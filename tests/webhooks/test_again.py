"""Sent again by people: one delivery, or everything of a stretch of time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from guitaronline import clock
from guitaronline.actor import Actor
from guitaronline.db import new_id, session
from guitaronline.errors import NotAllowed
from guitaronline.webhooks import again, delivering, endpoints
from guitaronline.webhooks.models import DeliveryStatus
from guitaronline.webhooks.refusals import EndpointDisabled, EndpointInvalid, ReplayInvalid, StillOnItsWay
from tests.webhooks.conftest import WHY, Hooks
from tests.world import as_actor


def replayed(hooks: Hooks) -> again.Replay:
    now = clock.read(session())
    session().rollback()
    minute = timedelta(minutes=1)
    return again.replay(hooks.ada, hooks.id, since=now - minute, until=now + minute, **WHY)


def test_what_was_delivered_goes_once_more_with_the_same_id(hooks: Hooks) -> None:
    hooks.booked()
    delivering.deliver_due(seconds=5)

    again.send_again(hooks.ada, hooks.delivery.id, **WHY)
    delivering.deliver_due(seconds=5)

    assert [headers["webhook-id"] for headers, _ in hooks.partner.got] == [str(hooks.delivery.id)] * 2
    assert hooks.delivery.status is DeliveryStatus.DELIVERED


def test_what_is_on_its_way_is_not_sent_again(hooks: Hooks) -> None:
    hooks.booked()

    with pytest.raises(StillOnItsWay):
        again.send_again(hooks.ada, hooks.delivery.id, **WHY)


def test_a_replay_sends_what_was_delivered_and_what_was_missed(hooks: Hooks) -> None:
    hooks.booked()
    delivering.deliver_due(seconds=5)
    endpoints.disable_endpoint(hooks.ada, hooks.id, **WHY)
    hooks.booked(hours=60)
    endpoints.enable_endpoint(hooks.ada, hooks.id, **WHY)

    done = replayed(hooks)
    delivering.deliver_due(seconds=5)

    assert (done.again, done.missed, len(hooks.partner.got)) == (1, 1, 3)
    assert {each.status for each in hooks.deliveries()} == {DeliveryStatus.DELIVERED}


def test_the_outlook_says_what_the_replay_does(hooks: Hooks) -> None:
    hooks.booked()
    delivering.deliver_due(seconds=5)
    now, minute = clock.read(session()), timedelta(minutes=1)

    foreseen = again.outlook(session(), hooks.endpoint, now - minute, now + minute)

    assert foreseen == replayed(hooks)


def test_a_replay_leaves_what_is_on_its_way(hooks: Hooks) -> None:
    hooks.booked()

    done = replayed(hooks)

    assert (done.again, done.missed, hooks.delivery.attempts) == (0, 0, 0)


def test_a_disabled_endpoint_is_not_replayed(hooks: Hooks) -> None:
    endpoints.disable_endpoint(hooks.ada, hooks.id, **WHY)

    with pytest.raises(EndpointDisabled):
        replayed(hooks)


@pytest.mark.parametrize(("length", "code"), [(timedelta(), "stretch_empty"), (timedelta(days=32), "stretch_too_long")])
def test_a_stretch_that_cannot_be_replayed_says_why(hooks: Hooks, length: timedelta, code: str) -> None:
    with pytest.raises(ReplayInvalid) as refused:
        again.replay(hooks.ada, hooks.id, since=hooks.world.now, until=hooks.world.now + length, **WHY)

    assert [each.code for each in refused.value.reasons] == [code]


ACTS: dict[str, Callable[[Hooks, Actor], object]] = {
    "create": lambda h, actor: endpoints.create_endpoint(actor, **h.wanted()),
    "edit": lambda h, actor: endpoints.edit_endpoint(actor, h.id, **h.wanted()),
    "secret": lambda h, actor: endpoints.rotate_secret(actor, h.id, overlap_hours=1, **WHY),
    "disable": lambda h, actor: endpoints.disable_endpoint(actor, h.id, **WHY),
    "enable": lambda h, actor: endpoints.enable_endpoint(actor, h.id, **WHY),
    "again": lambda h, actor: again.send_again(actor, new_id(), **WHY),
    "replay": lambda h, actor: again.replay(actor, h.id, since=h.world.now, until=h.world.now, **WHY),
}


def test_a_year_that_cannot_be_reckoned_with_is_refused_in_words(hooks: Hooks) -> None:
    last = datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)

    with pytest.raises(ReplayInvalid) as refused:
        again.replay(hooks.ada, hooks.id, since=last - timedelta(hours=1), until=last, **WHY)

    assert [each.code for each in refused.value.reasons] == ["stretch_out_of_range"]


@pytest.mark.parametrize("act", ACTS)
def test_only_who_administers_touches_webhooks(hooks: Hooks, act: str) -> None:
    with pytest.raises(NotAllowed):
        ACTS[act](hooks, as_actor(hooks.world.finn))


def test_everything_that_is_wrong_with_an_endpoint_is_said_at_once(hooks: Hooks) -> None:
    wrong = hooks.wanted(name=" ", url="http://partner.example", topics=["booking.held"], owner_id=hooks.world.ann.id)

    with pytest.raises(EndpointInvalid) as refused:
        endpoints.create_endpoint(hooks.ada, **wrong)

    assert {each.pointer for each in refused.value.reasons} == {"/name", "/url", "/topics", "/owner_id"}
