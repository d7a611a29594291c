"""Reading from a standby: pages of numbers where DATABASE_READ_URL is set, and whatever only reads while the primary is away.

A request that only reads and finds the primary gone is asked once more, of the standby; for a few seconds the next ones go
there at once. Nothing is ever written there: what has to be answers as it does without a database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import flask
from flask import Flask

import config
from guitaronline import db

AWAY_SECONDS = 5.0  # then one request asks the primary again
READING = frozenset({"GET", "HEAD"})
AGAIN = "guitaronline.again"  # in the environment of a request that is to be asked once more
NEVER = "health"  # tells how this process and its primary are

_away_until = 0.0  # monotonic seconds; of this process


def init_standby(app: Flask) -> None:
    """Called last: the gates have let the request in when a page is read from the standby by wish."""
    app.jinja_env.globals["only_reading"] = only_reading
    settings: config.Settings = app.config["SETTINGS"]
    if not settings.DATABASE_READ_URL:
        return
    app.before_request_funcs.setdefault(None, []).insert(0, _while_the_primary_is_away)
    app.before_request(_by_wish)
    app.after_request(_ask_again)
    app.teardown_request(_back)
    app.wsgi_app = OnceMore(app.wsgi_app)  # type: ignore[method-assign]


def only_reading() -> bool:
    """Whether this page was read from the standby because the primary is away."""
    return bool(flask.g.get("primary_is_away"))


def primary_is_away() -> bool:
    return time.monotonic() < _away_until


def note_primary_is_away() -> None:
    global _away_until
    _away_until = time.monotonic() + AWAY_SECONDS


def note_primary_is_back() -> None:
    global _away_until
    _away_until = 0.0


def _only_reads() -> bool:
    return flask.request.method in READING and flask.request.blueprint != NEVER


def _while_the_primary_is_away() -> None:
    flask.g.primary_is_away = _only_reads() and (primary_is_away() or AGAIN in flask.request.environ)
    db.read_from_standby(flask.g.primary_is_away)


def _by_wish() -> None:
    """Pages that say so have no need of the last second."""
    view = flask.current_app.view_functions.get(flask.request.endpoint or "")
    if _only_reads() and getattr(getattr(view, "__self__", None), "reads_standby", False):
        db.read_from_standby(True)


def _ask_again(answer: flask.Response) -> flask.Response:
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and _only_reads() and not only_reading():
        note_primary_is_away()
        flask.request.environ[AGAIN] = True
    return answer


def _back(error: BaseException | None) -> None:
    db.read_from_standby(False)


class OnceMore:
    """A request that only reads and was not answered for want of the primary is asked once more; nobody sees the first answer."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self.inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("REQUEST_METHOD") not in READING:
            return self.inner(environ, start_response)
        second = dict(environ)
        said: list[Any] = []

        def hear(*arguments: Any) -> None:
            said[:] = arguments

        answer = self.inner(environ, hear)
        if not environ.get(AGAIN):
            start_response(*said)
            return answer
        if callable(close := getattr(answer, "close", None)):
            close()
        return self.inner(second | {AGAIN: True}, start_response)
