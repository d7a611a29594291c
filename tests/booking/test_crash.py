"""A process that dies at any statement leaves no half effect."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from guitaronline.booking.service import cancel_booking, confirm_booking, hold_slot, reschedule_booking
from guitaronline.db import Base, database
from tests.world import World, as_actor

DIED, DONE = 9, 0
TABLES = sorted(Base.metadata.tables)


def everything(db: Session) -> dict[str, list[str]]:
    """Every row of every table."""
    db.rollback()
    rows = {
        table: [row for (row,) in db.execute(text(f"SELECT t::text FROM {table} t ORDER BY 1"))] for table in TABLES
    }
    db.rollback()
    return rows


def in_a_child(db: Session, command: Callable[[], Any], *, dies_at: int | None) -> tuple[int, int]:
    """Runs the command in a process of its own that dies before its n-th statement (COMMIT counts as one).

    Returns how it ended and at which statement."""
    db.close()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _live_and_die(command, dies_at, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        seen = int(pipe.read() or b"0")
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), seen


def _live_and_die(command: Callable[[], Any], dies_at: int | None, writing: int) -> None:
    seen = 0

    def end(code: int) -> None:
        os.write(writing, str(seen).encode())
        os._exit(code)

    def note(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == dies_at:
            end(DIED)

    try:
        database.engine.dispose(close=False)  # the parent's connections stay the parent's
        event.listen(database.engine, "before_cursor_execute", note)
        event.listen(database.engine, "commit", note)
        command()
        end(DONE)
    finally:
        os._exit(1)


def hold(world: World) -> Callable[[], Any]:
    world.package(lessons=1)
    ann, slot_id = as_actor(world.ann), world.slot().id
    return lambda: hold_slot(ann, slot_id)


def confirm(world: World) -> Callable[[], Any]:
    world.package(lessons=3)
    ann, booking_id = as_actor(world.ann), world.hold().id
    return lambda: confirm_booking(ann, booking_id)


def cancel(world: World) -> Callable[[], Any]:
    world.package(lessons=1)
    ann, booking_id = as_actor(world.ann), world.booking().id
    return lambda: cancel_booking(ann, booking_id)


def reschedule(world: World) -> Callable[[], Any]:
    world.package(lessons=1)
    ann, booking_id, slot_id = as_actor(world.ann), world.booking().id, world.slot(hours=70).id
    return lambda: reschedule_booking(ann, booking_id, new_slot_id=slot_id)


@pytest.mark.parametrize("prepare", [hold, confirm, cancel, reschedule])
@pytest.mark.parametrize("way", ["shortcut", "command"])
def test_nothing_or_all_of_it(
    db: Session, world: World, request: pytest.FixtureRequest, prepare: Callable[[World], Any], way: str
) -> None:
    if way == "command":
        request.getfixturevalue("without_shortcuts")
    command = prepare(world)
    before = everything(db)
    deaths = []
    while True:
        ended, seen = in_a_child(db, command, dies_at=len(deaths) + 1)
        if ended == DONE:
            break
        assert ended == DIED
        deaths.append(seen)
        assert everything(db) == before

    assert deaths == [number + 1 for number in range(seen)]
    after = everything(db)
    assert {table for table in TABLES if after[table] != before[table]} >= {
        "audit_actions",
        "audit_changes",
        "bookings",
        "outbox_events",
    }
