"""Whose browser this is, for the console and the teacher portal alike; and the moment at which they look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import g
from flask_login import UserMixin, current_user

from guitaronline import clock
from guitaronline.actor import Actor, Role
from guitaronline.db import session
from guitaronline.identity.sessions import Looking


@dataclass(frozen=True)
class Viewer(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """The person who looks; plain values, so that no rollback takes them away."""

    id: UUID
    role: Role
    full_name: str
    email: str
    timezone: str
    session_id: UUID
    session_seconds: int = 0  # until the browser is signed out when nothing more is done
    looking: Looking | None = None  # as whom they are viewing just now
    is_confirmed: bool = False  # they proved a moment ago that it is them
    must_enroll: bool = False  # nothing but setting up an authenticator app is open to them

    @property
    def actor(self) -> Actor:
        return Actor(self.id, self.role)


_acting: ContextVar[Viewer | None] = ContextVar("acting", default=None)


def viewer() -> Viewer:
    """Who is signed in. The gate of the console or portal has made sure that somebody is."""
    acting = _acting.get()
    if acting is not None:
        return acting
    known: Viewer | None = g.get("viewer")  # a list asks hundreds of times
    if known is not None:
        return known
    found: Viewer = current_user._get_current_object()  # noqa: SLF001  # flask_login's proxy has no public way
    if isinstance(found, Viewer):
        g.viewer = found
    return found


@contextmanager
def acting_as(somebody: Viewer) -> Iterator[None]:
    """For a while everything is seen as `somebody` sees it: a job that works for the person who asked for it."""
    token = _acting.set(somebody)
    try:
        yield
    finally:
        _acting.reset(token)


def now() -> datetime:
    """The database's time, read once a request."""
    if "now" not in g:
        g.now = clock.read(session())
    moment: datetime = g.now
    return moment
