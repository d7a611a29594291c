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
from tests.admin.browser import Browser, signed_in
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


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("nobody has zelda.q@people.example here", "nobody has … here"),
        ("'<Zelda@school.example>' is no address", "'<…>' is no address"),
        ("call +49 (30) 90-1820 or 030/901820", "call … or …"),
        ("the link gol_pw_3kfQ-x8 is over", "the link … is over"),
        ("of 2026-11-28T02:03:04 in 15000 ms", "of 2026-11-28T02:03:04 in 15000 ms"),
        ("row 019e3c1a-7b1e-7c11-8a55-123456789012", "row 019e3c1a-7b1e-7c11-8a55-123456789012"),
    ],
)
def test_what_looks_like_somebodys_value_is_left_out_of_an_errors_words(words: str, told: str) -> None:
    assert logs.in_words(ValueError(words)) == f"ValueError: {told}"


PLANTED = {
    "name": "Zelda Quincewhistle",
    "email": "zelda.quince@people.example",
    "phone": "+49 30 9018207",
    "password": "a planted password of zelda",
    "note": "zelda plays the theremin",
}


def test_a_walk_through_the_school_leaves_nothing_of_its_people_in_the_logs(
    world: World, app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("debug")
    zelda = world.person(
        PLANTED["name"], Role.STUDENT, email=PLANTED["email"], phone=PLANTED["phone"], password=PLANTED["password"]
    )
    ada = signed_in(app, world.ada)
    api = app.test_client()
    wrong = {"email": PLANTED["email"], "password": PLANTED["note"]}
    right = {"email": PLANTED["email"], "password": PLANTED["password"]}

    seen = [
        api.post("/api/v1/identity/auth/login", json=wrong),
        api.post("/api/v1/identity/auth/login", json=right),
        api.get(f"/api/v1/{PLANTED['email']}", query_string=PLANTED),
        Browser(app).sign_in(PLANTED["email"], PLANTED["note"]),
        Browser(app).sign_in(PLANTED["email"], PLANTED["password"]),
        ada.get("/admin/search/", query_string={"q": PLANTED["name"]}),
        ada.get("/admin/people/", query_string={"search": PLANTED["email"]}),
        ada.get(f"/admin/people/{zelda.id}"),
        ada.post("/sign-in", {"email": PLANTED["email"], "password": PLANTED["note"]}),
    ]
    _crash_about(PLANTED["email"], PLANTED["phone"])

    told = capsys.readouterr().out
    assert len(told.splitlines()) >= len(seen)
    assert {line["actor_id"] for line in map(json.loads, told.splitlines()) if "actor_id" in line} >= {
        str(world.ada.id)
    }
    assert [what for what, value in PLANTED.items() if value.lower() in told.lower()] == []
    assert "zelda" not in told.lower()


def _crash_about(email: str, phone: str) -> None:
    try:
        {}[f"{email} has {phone}"]
    except KeyError:
        logging.getLogger("somewhere").exception("it failed")
