"""The outbox: claimed, told, tried again, fenced, dead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.db import new_id
from jobs import outbox
from tests.concurrency import at_once
from tests.world import World

CREATED = "slot.created"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[outbox.Event]:
    """Slots are told to this list; nothing else has a handler."""
    heard: list[outbox.Event] = []
    monkeypatch.setitem(outbox.HANDLERS, CREATED, heard.extend)
    return heard


@pytest.fixture
def slot_id(world: World) -> UUID:
    """One event that waits."""
    found: UUID = world.slot().id
    outbox_is_empty_but_for(CREATED)
    return found


def outbox_is_empty_but_for(topic: str) -> None:
    from guitaronline.db import technical_transaction

    with technical_transaction() as session:
        session.execute(
            text("UPDATE outbox_events SET status = 'no_handler', closed_at = now() WHERE topic <> :topic"),
            {"topic": topic},
        )


def row(db: Session) -> Any:
    db.rollback()
    return db.execute(
        text("SELECT *, available_at - clock_timestamp() AS wait FROM outbox_events WHERE topic = :topic"),
        {"topic": CREATED},
    ).one()


def put(db: Session, assignment: str) -> None:
    db.rollback()
    db.execute(text(f"UPDATE outbox_events SET {assignment} WHERE topic = :topic"), {"topic": CREATED})
    db.commit()


def test_events_without_a_handler_are_closed_and_never_sent(
    world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.slot()
    assert outbox.drain() > 0
    heard: list[outbox.Event] = []
    monkeypatch.setitem(outbox.HANDLERS, CREATED, heard.extend)

    assert outbox.drain() == 0

    assert (row(db).status, row(db).attempts, heard) == ("no_handler", 0, [])
    assert row(db).closed_at is not None


def test_more_events_than_a_batch_are_all_closed(world: World, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "AT_ONCE", 2)
    world.slot(hours=30)
    world.slot(hours=40)

    outbox.drain()

    assert db.execute(text("SELECT count(*) FROM outbox_events WHERE status = 'pending'")).scalar_one() == 0


def test_a_handled_event_is_told_once(slot_id: UUID, db: Session, told: list[outbox.Event]) -> None:
    assert (outbox.drain(), outbox.drain()) == (1, 0)

    assert [(event.topic, event.record_type, event.record_id, event.attempts) for event in told] == [
        (CREATED, "availability_slots", slot_id, 1)
    ]
    assert (row(db).status, row(db).attempts) == ("done", 1)


def test_a_failure_is_tried_again_later(slot_id: UUID, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(events: Sequence[outbox.Event]) -> None:
        raise TimeoutError("smtp.example did not answer for ann@people.example")

    monkeypatch.setitem(outbox.HANDLERS, CREATED, fail)
    outbox.drain()

    found = row(db)
    assert (found.status, found.attempts, found.last_error) == ("pending", 1, "TimeoutError")
    assert timedelta(seconds=23) < found.wait < timedelta(seconds=37)


def test_one_that_breaks_it_does_not_keep_the_others_of_its_batch_from_being_told(
    world: World, slot_id: UUID, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, others = slot_id, {world.slot(hours=hours).id for hours in (72, 96)}
    told: list[UUID] = []

    def tell(events: Sequence[outbox.Event]) -> None:
        ids = [event.record_id for event in events]
        if poison in ids:
            raise ValueError
        told.extend(ids)

    monkeypatch.setitem(outbox.HANDLERS, CREATED, tell)
    outbox.drain()

    assert (len(told), set(told)) == (2, others)
    db.rollback()
    states = "SELECT record_id, status FROM outbox_events WHERE topic = :topic"
    assert {row.record_id: row.status for row in db.execute(text(states), {"topic": CREATED})} == {
        poison: "pending",
        **dict.fromkeys(others, "done"),
    }


def test_after_the_last_attempt_it_is_dead(slot_id: UUID, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(events: Sequence[outbox.Event]) -> None:
        raise TimeoutError

    monkeypatch.setitem(outbox.HANDLERS, CREATED, fail)
    put(db, "attempts = 6")
    outbox.drain()

    assert (row(db).status, row(db).attempts) == ("dead", 7)


def test_what_can_never_be_told_is_dead_at_once(slot_id: UUID, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(events: Sequence[outbox.Event]) -> None:
        raise outbox.Undeliverable("no address")

    monkeypatch.setitem(outbox.HANDLERS, CREATED, refuse)
    outbox.drain()

    assert (row(db).status, row(db).last_error) == ("dead", "no address")


def test_an_attempt_counts_from_the_claim(slot_id: UUID, db: Session, told: list[outbox.Event]) -> None:
    """A message that kills whoever tells it runs out too."""
    outbox.claim(new_id())

    assert row(db).attempts == 1
    assert outbox.claim(new_id()) == []


def test_a_lease_that_ran_out_is_taken_over_and_the_first_is_fenced_out(
    slot_id: UUID, db: Session, told: list[outbox.Event]
) -> None:
    slow = new_id()
    [event] = outbox.claim(slow)
    put(db, "lease_until = clock_timestamp() - interval '1 second'")
    outbox.drain()

    outbox.close_told([event], slow)
    outbox.finish(event, slow, "dead", "too late")
    outbox.put_off(event, slow, "too late")

    assert (row(db).status, row(db).attempts, len(told)) == ("done", 2, 1)


def test_two_drains_tell_each_event_once(world: World, db: Session, app: Flask, told: list[outbox.Event]) -> None:
    for hour in range(24, 54):
        world.slot(hours=hour + 1)
    outbox_is_empty_but_for(CREATED)

    taken = at_once(app, outbox.drain, outbox.drain)

    assert sum(taken) == len(told) == 30


def test_what_is_not_due_waits(slot_id: UUID, db: Session, told: list[outbox.Event]) -> None:
    put(db, "available_at = clock_timestamp() + interval '1 minute'")

    assert outbox.drain() == 0
    assert told == []
