"""The one gate of the console: every route names what it needs, and nobody passes without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import flask
from flask import Flask, g
from flask.typing import ResponseReturnValue
from flask_login import UserMixin, current_user

from guitaronline import clock
from guitaronline.actor import STAFF_ROLES, Actor, Role
from guitaronline.db import session
from guitaronline.errors import NotAllowed
from guitaronline.identity import access
from guitaronline.identity.access import Permission, Scope
from guitaronline.identity.sessions import Looking

PREFIX = "/admin"
NO_RECORD = UUID(int=0)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_WHILE_VIEWING = frozenset(
    {"console.LeaveViewAs", "console.ViewAsPerson"}
)  # the latter refuses, or says it was done
VIEWING = "You are viewing as somebody: nothing can be changed until you leave that view."
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Viewer(UserMixin):
    """The member of staff who looks; plain values, so that no rollback takes them away."""

    id: UUID
    role: Role
    full_name: str
    email: str
    timezone: str
    session_id: UUID
    session_seconds: int = 0  # until the browser is signed out when nothing more is done
    looking: Looking | None = None  # as whom they are viewing just now

    @property
    def actor(self) -> Actor:
        return Actor(self.id, self.role)


_acting: ContextVar[Viewer | None] = ContextVar("acting", default=None)


def viewer() -> Viewer:
    """Who is signed in. The gate has made sure that somebody is."""
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


def address(endpoint: str, record_id: UUID | str) -> str:
    """The page of one record. Like `flask.url_for`, which takes longer than the rest of a link, but asks that once a request."""
    if not isinstance(record_id, UUID):
        return flask.url_for(endpoint, id=record_id)
    known: dict[str, str] = g.setdefault("addresses", {})
    if endpoint not in known:
        known[endpoint] = flask.url_for(endpoint, id=NO_RECORD)
    return known[endpoint].replace(str(NO_RECORD), str(record_id))


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


def may(permission: Permission) -> bool:
    """Whether the viewer's role reaches everything under `permission`; only their profile is their own."""
    return access.may(viewer().actor, permission, own=permission is Permission.OWN_PROFILE)


def roles_that_may(permission: Permission) -> list[Role]:
    return [role for role, reach in access.TABLE[permission].items() if reach is Scope.ANY]


def why_not_allowed(permission: Permission) -> str | None:
    """None when the viewer may; else who may, read from the permission table."""
    if may(permission):
        return None
    names = [str(role) for role in roles_that_may(permission)]
    return f"Your role does not allow this; {' and '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)} may."


def why_not_while_viewing() -> str | None:
    return VIEWING if viewer().looking else None


def needs(permission: Permission) -> Callable[[View], View]:
    """Decorator: what the view function needs."""

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def permission_of(app: Flask, endpoint: str) -> Permission | None:
    """What the route needs: stands on the view function, or on the object that it is a method of."""
    view = app.view_functions[endpoint]
    found: Permission | None = getattr(view, "permission", None) or getattr(
        getattr(view, "__self__", None), "permission", None
    )
    return found


def view_of(endpoint: str) -> Any:
    """The desk, page or command page behind a route of the console."""
    function: Any = flask.current_app.view_functions[endpoint]
    return getattr(function, "command_page", None) or function.__self__


def console_endpoints(app: Flask) -> list[str]:
    rules = app.url_map.iter_rules()
    return sorted({rule.endpoint for rule in rules if rule.rule == PREFIX or rule.rule.startswith(f"{PREFIX}/")})


def guard(app: Flask) -> None:
    """Called when all routes stand. Start-up fails for a console route that names no permission."""
    nameless = [endpoint for endpoint in console_endpoints(app) if permission_of(app, endpoint) is None]
    if nameless:
        raise RuntimeError(f"console routes without a permission: {', '.join(nameless)}")
    needed = {endpoint: permission_of(app, endpoint) for endpoint in console_endpoints(app)}

    def check() -> ResponseReturnValue | None:
        endpoint = flask.request.endpoint
        if endpoint not in needed:
            return None
        if not current_user.is_authenticated:
            return _ask_to_sign_in()
        if viewer().role not in STAFF_ROLES:
            raise NotAllowed(not_for_you(viewer().role))
        permission = needed[endpoint]
        if permission is None or not may(permission):
            raise NotAllowed(why_not_allowed(permission) if permission else None)
        if viewer().looking and flask.request.method not in READING and endpoint not in OPEN_WHILE_VIEWING:
            raise NotAllowed(VIEWING)
        return None

    app.before_request(check)


def not_for_you(role: Role) -> str:
    """Why somebody who is not staff finds nothing here."""
    return {
        Role.TEACHER: "The console is for staff. The teacher portal is not part of this installation yet.",
        Role.STUDENT: "The console is for staff. Lessons are booked in the student app.",
    }.get(role, "The console is for staff.")


def _ask_to_sign_in() -> ResponseReturnValue:
    if flask.request.method != "GET":
        return flask.render_template("signed_out.html", typed=dict(flask.request.form)), 401
    wanted = flask.request.full_path.rstrip("?")
    return flask.redirect(flask.url_for("auth.sign_in", next=wanted), 303)
