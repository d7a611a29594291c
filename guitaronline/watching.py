"""What is going on in this process, for those who watch: which command runs, how each ended, which statement took long.

Stands below everything and knows nobody: who wants to hear of commands puts itself into `listeners`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from enum import StrEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import psycopg2.extensions
import structlog

from guitaronline.errors import Busy, DomainError

P = ParamSpec("P")
R = TypeVar("R")
LONGEST_TEXT = 600  # characters of a statement in the log

log = structlog.get_logger("guitaronline.slow")
running: ContextVar[str | None] = ContextVar("running", default=None)  # the command that runs here


class Ending(StrEnum):
    DONE = "done"
    REFUSED = "refused"  # a rule said no
    BUSY = "busy"  # it waited too long for a row, or met the same deadlock again and again
    REPEATED = "repeated"  # the same request once more: it got its first answer
    FAILED = "failed"  # a fault of the program, or the database went away
    AGAIN = "again"  # not an end: a deadlock made it start once more


class AnsweredBefore(Exception):
    """No fault: the answer is there already, and nothing was done now."""


Listener = Callable[[str, Ending, float], None]  # a command's name, how it ended, and after how many seconds
listeners: list[Listener] = []


def tell(name: str, ending: Ending, seconds: float = 0.0) -> None:
    for listener in listeners:
        listener(name, ending, seconds)


def watched(name: str, command: Callable[P, R]) -> Callable[P, R]:
    """`command`, of whose runs the listeners are told; while it runs, whoever asks knows its name."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        before, began, ending = running.set(name), time.perf_counter(), Ending.FAILED
        try:
            result = command(*args, **kwargs)
        except DomainError as refusal:
            ending = Ending.BUSY if isinstance(refusal, Busy) else Ending.REFUSED
            raise
        except AnsweredBefore:
            ending = Ending.REPEATED
            raise
        else:
            ending = Ending.DONE
            return result
        finally:
            running.reset(before)
            tell(name, ending, time.perf_counter() - began)

    return run


def cursor_that_tells(slower_than_ms: int) -> type[psycopg2.extensions.cursor]:
    """A cursor whose statements are logged when they take longer: their text with its placeholders, never the values."""

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  # its name there
            began = time.perf_counter()
            try:
                super().execute(query, vars)
            finally:
                _tell_if_slow(query, time.perf_counter() - began, slower_than_ms)

        def executemany(self, query: Any, vars_list: Any) -> None:
            began = time.perf_counter()
            try:
                super().executemany(query, vars_list)
            finally:
                _tell_if_slow(query, time.perf_counter() - began, slower_than_ms)

    return Cursor


def _tell_if_slow(query: Any, seconds: float, slower_than_ms: int) -> None:
    if seconds * 1000 >= slower_than_ms:
        text = " ".join(query.split())[:LONGEST_TEXT] if isinstance(query, str) else "(composed)"
        log.warning("slow query", ms=round(seconds * 1000, 1), command=running.get(), statement=text)
