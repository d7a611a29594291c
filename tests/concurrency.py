"""Two or more at once, for real: threads, each with an application context, a session and a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from flask import Flask
from sqlalchemy.exc import IntegrityError

from guitaronline.db import database
from guitaronline.errors import Conflict, DomainError


def at_once(app: Flask, *calls: Callable[[], Any]) -> list[Any]:
    """Starts all calls together; each one's result, or the refusal it raised."""
    barrier = Barrier(len(calls), timeout=30)

    def run(call: Callable[[], Any]) -> Any:
        with app.app_context():
            try:
                barrier.wait()
                return call()
            except DomainError as refusal:
                return refusal
            finally:
                database.session.remove()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result(timeout=60) for future in [threads.submit(run, call) for call in calls]]


def refused(results: list[Any]) -> list[str]:
    """The codes of those that were told no."""
    return sorted(each.code for each in results if isinstance(each, DomainError))


def done(results: list[Any]) -> list[Any]:
    return [each for each in results if not isinstance(each, DomainError)]


def politely(call: Callable[[], Any]) -> Callable[[], Any]:
    """A constraint that locks keep from ever being met (a package's sums) has no refusal of its own."""

    def run() -> Any:
        try:
            return call()
        except IntegrityError as error:
            raise Conflict(str(error.orig)) from error

    return run
