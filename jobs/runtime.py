"""The one place where a job gets its application context, its ids in the log, and a record of how it went.

    @job
    def expire_holds() -> int:
        return service.expire_holds(SYSTEM, limit=500)

What the body returns is what it did, in numbers; it stands in the log and, as `outcome`, on the tick.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, wraps

import flask
import structlog
from flask import Flask
from sqlalchemy import TextClause, text

import config
from guitaronline import crash_reports, create_core, doorbell, logs
from guitaronline.db import database, technical_transaction
from guitaronline.errors import DomainError

STARTED = text(
    "UPDATE job_ticks SET started_at = clock_timestamp(), finished_at = NULL, outcome = NULL WHERE id = CAST(:id AS uuid)"
)
ENDED = text("UPDATE job_ticks SET finished_at = clock_timestamp(), outcome = :outcome WHERE id = CAST(:id AS uuid)")

log = structlog.get_logger("jobs")


HANDS = 2  # of a flood (the end of a campaign's packages): the audit keeps a core of the database busy for each


class JobFailed(Exception):
    """Tells RQ that the job failed; what happened is in the log and on the tick."""


@cache
def app(settings: config.Settings | None = None) -> Flask:
    """The jobs' application: no doors. A job's process keeps a connection for each of its hands, opened when it is wanted (a new
    one for each short transaction cost more than the rows of a bulk action); a fork forgets what its worker may have had, so
    they share nothing."""
    settings = settings or config.load()
    logs.configure(settings.LOG_LEVEL)
    made = create_core(settings, pool_size=max(HANDS, settings.MAIL_CONNECTIONS), max_overflow=2)
    with made.app_context():
        engine = database.engine
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return made


def job(body: Callable[[], int]) -> Callable[..., int]:
    """Make `body` a job: `body()` inside a context, with the id of the tick that it serves."""
    name = f"{body.__module__.removeprefix('jobs.')}.{body.__name__}"

    @wraps(body)
    def run(tick_id: str | None = None) -> int:
        with context():
            structlog.contextvars.bind_contextvars(job=name, job_id=tick_id)
            try:
                return _run(body, tick_id)
            finally:
                structlog.contextvars.unbind_contextvars("job", "job_id")

    return run


@contextmanager
def context() -> Iterator[None]:
    """The application context that is there already (tests, command line), else a new one with a session of its own."""
    if flask.has_app_context():
        yield
    else:
        with app().app_context():
            yield


def _run(body: Callable[[], int], tick_id: str | None) -> int:
    started = time.perf_counter()
    _note(STARTED, id=tick_id)
    try:
        done = body()
    except Exception as error:
        _note(ENDED, id=tick_id, outcome=f"failed: {error_code(error)}")
        log.exception("job failed", ms=_ms_since(started))
        crash_reports.flush()  # the process of this job ends without looking back
        raise JobFailed(
            error_code(error)
        ) from None  # RQ keeps and prints what it is given, and values are not its business
    _note(ENDED, id=tick_id, outcome=f"done: {done}")
    doorbell.wait_until_called()
    log.info("job", done=done, ms=_ms_since(started))
    return done


def _note(statement: TextClause, **values: str | None) -> None:
    if values["id"] is not None:
        with technical_transaction() as session:
            session.execute(statement, values)


def repeated(some: Callable[[], int], at_once: int) -> int:
    """`some()` again and again until it found less than a full batch; the sum. Each batch is a transaction of its own."""
    total = done = some()
    while done >= at_once:
        done = some()
        total += done
    return total


def side_by_side(some: Callable[[], int], hands: int) -> int:
    """`some()` in so many threads, each with a context and a session of its own; the sum. For work that claims its rows."""
    here = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # the proxy has no public way

    def hand(_: int) -> int:
        with here.app_context():
            try:
                return some()
            finally:
                database.session.remove()

    with ThreadPoolExecutor(hands) as threads:
        return sum(threads.map(hand, range(hands)))


def error_code(error: Exception) -> str:
    """What may be told of a failure without telling values."""
    return error.code if isinstance(error, DomainError) else type(error).__name__


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
