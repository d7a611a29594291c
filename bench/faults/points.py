"""Named points at which a process can be made to die: a wish is a file, and whoever comes to its point first takes it.

The processes of the product run unchanged but for this: their connections to the database, and a few functions of the jobs,
look whether somebody wishes their death.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import psycopg2.extensions
from sqlalchemy import Engine, event

from guitaronline import clock

WISHES = Path(os.environ.get("FAULTS_WISHES", "/nonexistent"))
STOPPED_AT = ("before commit", "after commit", "before a statement", "after a statement")
WEB = ("web: request arrived", "web: answer made", *(f"web: {each}" for each in STOPPED_AT))
WORKER = (
    "worker: tick begun",
    "worker: events claimed",
    "worker: told, not closed",
    "worker: event closed",
    "worker: tick ended",
    *(f"worker: {each}" for each in STOPPED_AT),
)
SCHEDULER = ("scheduler: before ticks", "scheduler: ticks written", "scheduler: worker rung")
POSTGRES = tuple(f"web: {each}" for each in STOPPED_AT)  # the server dies there, and not who asked it

VICTIMS = ("self", "session", "postgres")


class Points:
    """`role` goes before the names of the points of this process."""

    role = ""


def reach(name: str) -> None:
    """This process is at that point; a wish for it is taken by one process only."""
    wish = WISHES / name
    if not wish.exists():
        return
    taken = wish.with_suffix(f".{os.getpid()}")
    try:
        wish.rename(taken)
    except FileNotFoundError:  # another was quicker
        return
    victim = taken.read_text()
    taken.rename(WISHES.parent / "taken" / name)
    if victim.startswith("postgres"):
        os.kill(int(victim.split()[1]), signal.SIGKILL)
        return
    if victim == "session":
        os.kill(os.getsid(0), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def move_clock() -> None:
    """The clock of this process is off by what the file `clock` says; of every other process in the other direction."""
    try:
        seconds = int((WISHES.parent / "clock").read_text())
    except FileNotFoundError:
        clock._shift.clear()
        return
    clock._shift[:] = [timedelta(seconds=seconds if os.getpid() % 2 else -seconds)]


class Connection(psycopg2.extensions.connection):
    def commit(self) -> None:
        reach(f"{Points.role}: before commit")
        super().commit()
        reach(f"{Points.role}: after commit")


class Cursor(psycopg2.extensions.cursor):
    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  # the driver's name
        reach(f"{Points.role}: before a statement")
        super().execute(query, vars)
        reach(f"{Points.role}: after a statement")


def watch(role: str) -> None:
    """Every connection that this process opens from here on has its points."""
    Points.role = role

    @event.listens_for(Engine, "do_connect")
    def wounded(dialect: Any, record: Any, args: Any, options: dict[str, Any]) -> None:
        options["connection_factory"], options["cursor_factory"] = Connection, Cursor


def around(owner: Any, name: str, *, before: str | None = None, after: str | None = None) -> None:
    """The function of `owner` has points before and after it."""
    step: Callable[..., Any] = getattr(owner, name)

    @wraps(step)
    def passed(*args: Any, **more: Any) -> Any:
        if before:
            reach(before)
        result = step(*args, **more)
        if after:
            reach(after)
        return result

    setattr(owner, name, passed)
