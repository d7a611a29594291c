"""One JSON object a line, with ids and without personal data."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guitaronline import logs
from guitaronline.actor import Role
from guitaronline.identity import tokens
from tests.world import PASSWORD, World


@pytest.fixture(autouse=True)
def talkative() -> Iterator[None]:
    logs.configure("info")
    yield
    logs.configure("error")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_request_leaves_one_line(app: Flask, db: Session, capsys: pytest.CaptureFixture[str]) -> None:
    app.test_client().get("/no/such/person/ann@people.example?q=ann", headers={"X-Request-ID": "abcdef-0123456789"})

    [line] = lines(capsys)
    assert {key: line[key] for key in ("event", "method", "route", "status", "request_id", "level")} == {
        "event": "request",
        "method": "GET",
        "route": "(none)",
        "status": 404,
        "request_id": "abcdef-0123456789",
        "level": "info",
    }
    assert line["ms"] >= 0
    assert "ann" not in json.dumps(line)


def test_what_machines_ask_leaves_none(app: Flask, db: Session, capsys: pytest.CaptureFixture[str]) -> None:
    app.test_client().get("/health")

    assert lines(capsys) == []


def test_the_next_request_knows_nothing_of_the_last(
    app: Flask, db: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.contextvars.bind_contextvars(actor_id="somebody")

    app.test_client().get("/nothing")

    assert "actor_id" not in lines(capsys)[0]


def test_an_actor_stands_on_the_lines_that_follow(capsys: pytest.CaptureFixture[str]) -> None:
    logs.bind_actor(7)
    structlog.get_logger("x").info("done")
    structlog.contextvars.clear_contextvars()

    assert lines(capsys)[0]["actor_id"] == "7"


def test_a_database_error_is_told_without_its_values(
    world: World, db: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = world.ann
    try:
        with db.begin_nested():
            db.execute(
                text("INSERT INTO job_ticks (id, job, tick_at) VALUES (:id, :job, now())"),
                {"id": ann.id, "job": ann.email},
            )
            db.execute(
                text("INSERT INTO job_ticks (id, job, tick_at) VALUES (:id, :job, now())"),
                {"id": ann.id, "job": ann.email},
            )
    except IntegrityError:
        logging.getLogger("somewhere").exception("it failed")

    [line] = lines(capsys)
    assert line["error"] == "UniqueViolation 23505 pk_job_ticks"
    assert "test_logs.py" in line["traceback"]
    assert "people.example" not in json.dumps(line)


def test_other_errors_are_told_with_their_causes(capsys: pytest.CaptureFixture[str]) -> None:
    second = ValueError("second")
    second.__cause__ = KeyError("first")
    structlog.get_logger("x").warning("it failed", exc_info=second)

    [line] = lines(capsys)
    assert line["error"] == "ValueError: second"
    assert line["traceback"].index("KeyError: 'first'") < line["traceback"].index("ValueError: second")


def test_a_request_with_a_token_names_its_actor(world: World, app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    ann = world.person("Anna", Role.STUDENT, password=PASSWORD)
    signed = tokens.login(ann.email or "", PASSWORD, device_label="phone", address="192.0.2.1")
    capsys.readouterr()

    app.test_client().get("/api/v1/identity/users/me", headers={"Authorization": f"Bearer {signed.access_token}"})

    assert [(line["route"], line["actor_id"]) for line in lines(capsys)] == [("/api/v1/identity/users/me", str(ann.id))]
