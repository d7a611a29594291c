"""What a race needs: two that have both looked before either acts, a clock for each, and the guards taken away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import event
from sqlalchemy.orm import Session

from guitaronline import clock, unit_of_work
from guitaronline.db import database
from tests.conftest import empty

CONSTRAINTS = {
    "bookings_no_student_overlap": "bookings",
    "uq_credit_entries_op_key": "credit_entries",
    "uq_lessons_booking_id": "lessons",
    "ck_packages_buckets_add_up": "packages",
    "ck_bookings_canceled_at_some_time": "bookings",
}
INDEXES = ("bookings_one_active_per_slot", "bookings_one_successor", "ix_credit_entries_package")
LOCK = " FOR NO KEY UPDATE"

moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


@pytest.fixture
def own_clocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime, Callable[[], Any]], Callable[[], Any]]:
    """`at(moment, call)`: the call sees this moment, in whatever thread it runs."""
    real = clock.seam
    monkeypatch.setattr(clock, "seam", lambda: (moment.get(), None) if moment.get() else real())

    def at(when: datetime, call: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            moment.set(when)
            return call()

        return run

    return at


@pytest.fixture
def without_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_of_work, "_try_shortcut", lambda work, shortcut: None)


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`meet((owner, name), …, patience=s)`: whoever comes to one of these functions waits there for the other, once.

    With the guard the other cannot come, and after `patience` one goes on alone."""

    def arrange(*points: tuple[Any, str], patience: float) -> None:
        barrier, been = Barrier(2, timeout=patience), threading.local()

        def wait() -> None:
            if not getattr(been, "here", False):
                been.here = True
                try:
                    barrier.wait()
                except BrokenBarrierError:
                    return

        for owner, name in points:
            monkeypatch.setattr(owner, name, _waiting(getattr(owner, name), wait, after=name.startswith("read_")))

    return arrange


def _waiting(real: Callable[..., Any], wait: Callable[[], None], *, after: bool) -> Callable[..., Any]:
    """A look is waited after, an act before."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if after:
            seen = real(*args, **kwargs)
            wait()
            return seen
        wait()
        return real(*args, **kwargs)

    return wrapped


@pytest.fixture
def without_locks(app: Flask, db: Session) -> Callable[[], Any]:
    """`with without_locks():` no row is locked by reading it."""

    @contextmanager
    def stripped() -> Iterator[None]:
        def strip(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
            head, found, tail = statement.partition(LOCK)
            return (
                head + tail.replace(" SKIP LOCKED", "").replace(" OF availability_slots", "") if found else statement
            ), parameters

        event.listen(database.engine, "before_cursor_execute", strip, retval=True)
        try:
            yield
        finally:
            event.remove(database.engine, "before_cursor_execute", strip)

    return stripped


@pytest.fixture
def without_constraints(db: Session, owner: Connection) -> Iterator[None]:
    """The constraints that catch what slips through without locks are gone for one test."""
    cursor = owner.cursor()
    cursor.execute(
        "SELECT conname, format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
        " FROM pg_constraint WHERE conname = ANY(%s)",
        (list(CONSTRAINTS),),
    )
    again = [definition for _, definition in cursor.fetchall()]
    cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = ANY(%s)", (list(INDEXES),))
    again += [definition for (definition,) in cursor.fetchall()]
    assert len(again) == len(CONSTRAINTS) + len(INDEXES)
    for name, table in CONSTRAINTS.items():
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for index in INDEXES:
        cursor.execute(f"DROP INDEX {index}")
    yield
    db.rollback()
    empty(owner)
    for statement in again:
        cursor.execute(statement)
