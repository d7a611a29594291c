"""The one gate of the portal: teachers only, every route names what it needs, and what is shown is their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flask
from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue
from flask_login import current_user

from guitaronline.actor import Role
from guitaronline.errors import NotAllowed
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.signed_in import viewer

PREFIX = "/teacher"
View = TypeVar("View", bound=Callable[..., Any])

blueprint = Blueprint("portal", __name__, url_prefix=PREFIX)


def page(path: str, permission: Permission, *methods: str) -> Callable[[View], View]:
    """Decorator: where the view function is found, and what it needs."""

    def add(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        blueprint.add_url_rule(path, view.__name__, view, methods=methods or ("GET",))
        return view

    return add


def permission_of(app: Flask, endpoint: str) -> Permission | None:
    found: Permission | None = getattr(app.view_functions[endpoint], "permission", None)
    return found


def portal_endpoints(app: Flask) -> list[str]:
    rules = app.url_map.iter_rules()
    return sorted({rule.endpoint for rule in rules if rule.rule == PREFIX or rule.rule.startswith(f"{PREFIX}/")})


def guard(app: Flask) -> None:
    """Called when all routes stand. Start-up fails for a portal route that names no permission."""
    nameless = [endpoint for endpoint in portal_endpoints(app) if permission_of(app, endpoint) is None]
    if nameless:
        raise RuntimeError(f"portal routes without a permission: {', '.join(nameless)}")
    needed = {endpoint: permission_of(app, endpoint) for endpoint in portal_endpoints(app)}

    def check() -> ResponseReturnValue | None:
        permission = needed.get(flask.request.endpoint or "")
        if permission is None:
            return None
        if not current_user.is_authenticated:
            return _ask_to_sign_in()
        if viewer().role is not Role.TEACHER:
            return _wrong_door()
        if not access.may(viewer().actor, permission, own=True):
            raise NotAllowed()
        return None

    app.before_request(check)


def _wrong_door() -> ResponseReturnValue:
    words = "The teacher portal shows a teacher their own lessons. You work in the console, where every teacher's are."
    url = flask.url_for("desk_today.index")
    return flask.render_template("wrong_door.html", sentence=words, url=url, link="To the console"), 403


def _ask_to_sign_in() -> ResponseReturnValue:
    if flask.request.method not in ("GET", "HEAD"):
        return flask.render_template("signed_out.html", typed=dict(flask.request.form)), 401
    wanted = flask.request.full_path.rstrip("?")
    return flask.redirect(flask.url_for("auth.sign_in", next=wanted), 303)
