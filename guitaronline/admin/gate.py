"""The one gate of the console: every route names what it needs, and nobody passes without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import flask
from flask import Flask, g
from flask.typing import ResponseReturnValue
from flask_login import current_user

from guitaronline.actor import STAFF_ROLES, Role
from guitaronline.errors import NotAllowed
from guitaronline.identity import access
from guitaronline.identity.access import Permission, Scope
from guitaronline.signed_in import Viewer, acting_as, now, viewer

__all__ = ["Viewer", "acting_as", "now", "viewer"]
PREFIX = "/admin"
NO_RECORD = UUID(int=0)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_WHILE_VIEWING = frozenset(
    {"console.LeaveViewAs", "console.ViewAsPerson"}
)  # the latter refuses, or says it was done
OPEN_WHILE_ENROLLING = frozenset({"console.EnrollTotp"})
ENROLL_FIRST = "Set up your authenticator app first: your role needs one, and nothing else is open until it works."
VIEWING = "You are viewing as somebody: nothing can be changed until you leave that view."
View = TypeVar("View", bound=Callable[..., Any])


def address(endpoint: str, record_id: UUID | str) -> str:
    """The page of one record. Like `flask.url_for`, which takes longer than the rest of a link, but asks that once a request."""
    if not isinstance(record_id, UUID):
        return flask.url_for(endpoint, id=record_id)
    known: dict[str, str] = g.setdefault("addresses", {})
    if endpoint not in known:
        known[endpoint] = flask.url_for(endpoint, id=NO_RECORD)
    return known[endpoint].replace(str(NO_RECORD), str(record_id))


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
            return _wrong_door()
        if viewer().must_enroll and endpoint not in OPEN_WHILE_ENROLLING:
            return _ask_to_enroll()
        permission = needed[endpoint]
        if permission is None or not may(permission):
            raise NotAllowed(why_not_allowed(permission) if permission else None)
        if viewer().looking and flask.request.method not in READING and endpoint not in OPEN_WHILE_VIEWING:
            raise NotAllowed(VIEWING)
        return None

    app.before_request(check)


def _wrong_door() -> ResponseReturnValue:
    words = "The console is for staff. Your lessons, your calendar and your hours are in the teacher portal."
    url = flask.url_for("portal.today")
    return flask.render_template("wrong_door.html", sentence=words, url=url, link="To the teacher portal"), 403


def _ask_to_enroll() -> ResponseReturnValue:
    if flask.request.method not in READING:
        raise NotAllowed(ENROLL_FIRST)
    return flask.redirect(flask.url_for("console.EnrollTotp"), 303)


def _ask_to_sign_in() -> ResponseReturnValue:
    if flask.request.method != "GET":
        return flask.render_template("signed_out.html", typed=dict(flask.request.form)), 401
    wanted = flask.request.full_path.rstrip("?")
    return flask.redirect(flask.url_for("auth.sign_in", next=wanted), 303)
