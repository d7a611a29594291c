"""Logs: one JSON object a line on stdout, each with the request, actor or job it belongs to, none with personal data.

A line may name ids, routes and codes. Addresses of pages, request bodies and the values in database errors may hold
names, e-mail addresses or link tokens, so none of them is written. Flask is imported inside: the scheduler logs too, and
stays small without it.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TextIO

import psycopg2
import structlog

import config

if TYPE_CHECKING:
    from flask import Flask, Response

QUIET_ROUTES = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines
NOISY_LOGGERS = (
    "rq",
    "alembic.runtime.plugins",
    "werkzeug",
)  # below warning they say nothing that we do not say better

# The words of an error are its author's, who did not think of logs. Whatever looks like a value of somebody's is left out.
PERSONAL = re.compile(
    r"[^\s'\"<>(),;:=]+@[^\s'\"<>(),;:]+"  # an address
    r"|\bgol_[\w-]+"  # a token
    r"|(?<![\w.-])(?!\d{4}-\d\d-\d\d)\+?\d[\d ()/-]{5,}\d(?![\w.-])"  # a telephone number; ids and times stay
)

log = structlog.get_logger("guitaronline.web")
crash_listeners: list[
    Callable[[BaseException, Mapping[str, Any]], None]
] = []  # told of every error that is logged as one


def init_logs(app: Flask) -> None:
    settings: config.Settings = app.config["SETTINGS"]
    configure(settings.LOG_LEVEL)
    app.before_request(begin_line)
    app.after_request(write_line)


def configure(level: str) -> None:
    """Everything that this process logs, ours and the libraries', leaves as JSON lines. May be called again."""
    number = logging.getLevelNamesMapping()[level.upper()]
    common: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    last: list[Any] = [say_what_failed, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]
    structlog.configure(
        processors=[*common, *last],
        logger_factory=Lines,
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )
    handler = Stdout()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, Stdout)] + [handler]
    root.setLevel(number)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


class Lines:
    """Writes our own lines as they are; the way through `logging` costs three times as much, once a request."""

    def __init__(self, name: str = "guitaronline") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    debug = info = warning = error = critical = exception = msg


class Stdout(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stdout` is at that moment: tests and the command line replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout


def say_what_failed(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`exc_info` becomes the chain of errors with their places, without what may hold personal data."""
    found = line.pop("exc_info", None)
    error = found if isinstance(found, BaseException) else (sys.exc_info()[1] if found is True else found and found[1])
    if error is not None:
        line["error"] = in_words(error)
        line["traceback"] = "\n".join(_chain(error))
        if line.get("level") in ("error", "critical"):
            for listener in crash_listeners:
                listener(error, line)
    return line


def in_words(error: BaseException) -> str:
    """The error's kind and what may be told of it: of a database error its code and constraint, never its values."""
    cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's error
    if isinstance(cause, psycopg2.Error):
        facts = (cause.pgcode, cause.diag.constraint_name)
        return " ".join([type(cause).__name__, *(fact for fact in facts if fact)])
    return f"{type(error).__name__}: {masked(str(error))}"


def masked(words: str) -> str:
    return PERSONAL.sub("…", words)


def _chain(error: BaseException) -> list[str]:
    """Oldest first, as Python prints it."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    places = [line.rstrip() for line in traceback.format_tb(error.__traceback__)]
    return [*(_chain(before) if before is not None else []), *places, in_words(error)]


def bind_actor(actor_id: Any) -> None:
    """Further lines of this request or job name who acts."""
    structlog.contextvars.bind_contextvars(actor_id=str(actor_id))


def begin_line() -> None:
    from flask import g

    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.get("request_id"))


def elapsed_ms() -> float:
    """How long the present request has taken so far."""
    from flask import g

    return (time.perf_counter() - g.started) * 1000 if "started" in g else 0.0


def route() -> str:
    """The pattern of the address that was asked for, never the address itself."""
    from flask import request

    return request.url_rule.rule if request.url_rule else "(none)"


def write_line(answer: Response) -> Response:
    from flask import request

    where = route()
    write = log.debug if where in QUIET_ROUTES else log.info
    write("request", method=request.method, route=where, status=answer.status_code, ms=round(elapsed_ms(), 1))
    return answer
