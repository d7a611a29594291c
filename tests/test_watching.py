"""Commands are told by how they ended; statements that take long are told with the command that asked, without their values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import config
from guitaronline import create_core, logs, policy, watching
from guitaronline.actor import SYSTEM
from guitaronline.db import session
from guitaronline.errors import Busy, Conflict
from guitaronline.unit_of_work import AlreadyAnswered, Work, command
from guitaronline.watching import Ending
from tests.servers import Servers

PLANTED = "zelda@people.example"


@pytest.fixture
def told() -> Iterator[list[tuple[str, Ending]]]:
    heard: list[tuple[str, Ending]] = []

    def listen(name: str, ending: Ending, seconds: float) -> None:
        heard.append((name, ending))

    watching.listeners.append(listen)
    yield heard
    watching.listeners.remove(listen)


@pytest.fixture
def talkative() -> Iterator[None]:
    logs.configure("info")
    yield
    logs.configure("error")


@command("test.watched", quiet=True)
def _end(work: Work, *, how: Exception | None) -> None:
    if how is not None:
        raise how


@pytest.mark.parametrize(
    ("how", "ending"),
    [
        (None, Ending.DONE),
        (Conflict(), Ending.REFUSED),
        (Busy(), Ending.BUSY),
        (AlreadyAnswered(200, ""), Ending.REPEATED),
        (ZeroDivisionError(), Ending.FAILED),
    ],
)
def test_each_command_is_told_by_how_it_ended(
    db: Session, told: list[tuple[str, Ending]], how: Exception | None, ending: Ending
) -> None:
    with pytest.raises(type(how)) if how else nullcontext():
        _end(SYSTEM, how=how)

    assert told == [("test.watched", ending)]
    assert watching.running.get() is None


@command("test.tangled", quiet=True)
def _tangle(work: Work, *, times: list[int]) -> None:
    if times.pop():
        work.session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"))


def test_a_deadlock_is_told_each_time_and_once_at_the_end(db: Session, told: list[tuple[str, Ending]]) -> None:
    _tangle(SYSTEM, times=[0, 1, 1])

    assert [ending for _, ending in told] == [Ending.AGAIN, Ending.AGAIN, Ending.DONE]


def test_a_slow_statement_is_told_with_its_command_and_without_its_values(
    mine: Servers, talkative: None, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = psycopg2.connect(mine.app_url, cursor_factory=watching.cursor_that_tells(0))
    with connection, connection.cursor() as cursor:
        watching.watched("booking.hold", lambda: cursor.execute("SELECT %s,\n       1", [PLANTED]))()
        cursor.executemany("SELECT %s", [[PLANTED]])
        cursor.execute(b"SELECT 'zelda'")
    connection.close()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["command"], line["statement"]) for line in lines] == [
        ("slow query", "booking.hold", "SELECT %s, 1"),
        ("slow query", None, "SELECT %s"),
        ("slow query", None, "(composed)"),
    ]
    assert "zelda" not in json.dumps(lines)


def test_a_failed_statement_may_be_slow_too(mine: Servers, talkative: None, capsys: pytest.CaptureFixture[str]) -> None:
    connection = psycopg2.connect(mine.app_url, cursor_factory=watching.cursor_that_tells(0))
    with pytest.raises(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute("SELECT nothing")
    connection.close()

    assert "SELECT nothing" in capsys.readouterr().out


@pytest.mark.parametrize(("limit", "lines"), [(1, 1), (60_000, 0), (0, 0)])
def test_the_setting_says_what_is_slow(
    settings: config.Settings, db: Session, capsys: pytest.CaptureFixture[str], limit: int, lines: int
) -> None:
    app = create_core(replace(settings, SLOW_QUERY_MS=limit))
    policy.set_current(settings)
    logs.configure("info")
    with app.app_context():
        session().execute(text("SELECT pg_sleep(0.01)"))
        session().rollback()
    logs.configure("error")

    assert capsys.readouterr().out.count("pg_sleep") == lines
