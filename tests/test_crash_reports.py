"""Crashes go to where SENTRY_DSN says, by name and place; nothing of the people goes with them."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import config
from guitaronline import crash_reports, logs, watching

PLANTED, PHONE, ACTOR = "Zelda Quince", "+49 30 901820", "id-of-the-actor"


class Sink(BaseHTTPRequestHandler):
    """Takes what is reported, as Sentry would."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def taken(app: Flask, settings: config.Settings) -> Iterator[list[bytes]]:
    """What arrives at the other side while crash reports are on."""
    import sentry_sdk

    logs.configure("error")
    server = HTTPServer(("127.0.0.1", 0), Sink)
    server.taken = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    crash_reports.init_crash_reports(replace(settings, SENTRY_DSN=f"http://key@127.0.0.1:{server.server_port}/7"))
    yield server.taken  # type: ignore[attr-defined]
    logs.crash_listeners.remove(crash_reports.report)
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)
    server.shutdown()
    thread.join()
    server.server_close()


def fail(name: str, phone: str) -> None:
    raise ValueError(f"{name} cannot be reached at {phone}")


def event_in(taken: list[bytes]) -> dict[str, Any]:
    crash_reports.flush()
    [envelope] = taken
    event: dict[str, Any] = json.loads(envelope.splitlines()[2])
    return event


def test_a_crash_is_told_by_kind_and_place_and_without_people(taken: list[bytes]) -> None:
    structlog.contextvars.bind_contextvars(request_id="r-1", actor_id=ACTOR)
    try:
        watching.watched("booking.hold", lambda: _log_failure(logging.getLogger("x")))()
    finally:
        structlog.contextvars.clear_contextvars()

    event = event_in(taken)
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "")
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"] == {"request_id": "r-1", "command": "booking.hold"}
    assert event["environment"] == "test"
    assert [each for each in (PLANTED, PHONE, ACTOR) if each in taken[0].decode()] == []


def _log_failure(log: Any) -> None:
    try:
        fail(PLANTED, PHONE)
    except ValueError:
        log.exception("it failed for %s", PLANTED)


def test_a_job_that_failed_is_told_too(taken: list[bytes]) -> None:
    structlog.contextvars.bind_contextvars(job="checks.run", job_id="t-1")
    try:
        _log_failure(structlog.get_logger("jobs"))
    finally:
        structlog.contextvars.clear_contextvars()

    assert event_in(taken)["tags"] == {"job": "checks.run", "job_id": "t-1", "command": "(none)"}


def test_of_a_database_error_its_code_is_told_and_never_its_values(taken: list[bytes], db: Session) -> None:
    try:
        db.execute(text("SELECT CAST(:name AS uuid)"), {"name": PLANTED})
    except DBAPIError:
        logging.getLogger("x").exception("it failed")
    db.rollback()

    values = [error["value"] for error in event_in(taken)["exception"]["values"]]
    assert "InvalidTextRepresentation 22P02" in values
    assert PLANTED not in taken[0].decode()


def test_a_warning_is_no_crash(taken: list[bytes]) -> None:
    structlog.get_logger("x").warning("it is late", exc_info=ValueError("late"))
    crash_reports.flush()

    assert taken == []


def test_what_a_newer_library_would_add_stays_here() -> None:
    more = {"user": {"email": PLANTED}, "request": {"url": PLANTED}, "breadcrumbs": [PLANTED], "extra": {"x": PLANTED}}
    frame = {"function": "f", "vars": {"name": PLANTED}}
    error = {"type": "ValueError", "value": PLANTED, "stacktrace": {"frames": [frame]}}

    kept = crash_reports.scrubbed({**more, "level": "error", "exception": {"values": [error]}}, {})

    assert PLANTED not in json.dumps(kept)
    assert kept["exception"]["values"][0]["stacktrace"]["frames"] == [{"function": "f"}]


def test_without_an_address_nothing_of_it_is_loaded(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)  # to import it would fail

    crash_reports.init_crash_reports(settings)
    crash_reports.flush()

    assert logs.crash_listeners == []
