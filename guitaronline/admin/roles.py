"""Roles: who works here, and what each role may do, read from the one permission table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import func, select

from guitaronline.actor import STAFF_ROLES, Actor, Role
from guitaronline.admin import gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.command_page import button_of, commands
from guitaronline.admin.person_commands import SetRole
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import KEY_SCOPES, TABLE, Permission, Scope
from guitaronline.identity.models import ConsoleSession, User

STAFF_SHOWN = 200
ROLES = tuple(next(iter(TABLE.values())))
REACH = {Scope.NO: "–", Scope.OWN: "own", Scope.ANY: "yes"}
ABOUT = {
    Role.STUDENT: "Learns: books lessons in the app.",
    Role.TEACHER: "Teaches: gives time, lessons and reports in the teacher portal.",
    Role.SUPPORT: "People, bookings and lessons; no money.",
    Role.FINANCE: "Payments, refunds and packages.",
    Role.AUDITOR: "Reads everything, changes nothing.",
    Role.ADMIN: "Everything.",
}


class Roles(ConsolePage):
    path = "roles"
    title = "Roles"
    permission = Permission.READ_SETTINGS

    def page(self) -> Any:
        asked = flask.request.args.get("role")
        if asked is None:
            shown = {"matrix": matrix(), "staff": _staff(), "scopes": scopes()}
            return self.render("admin/roles.html", roles=ROLES, about=ABOUT, **shown)
        role = next((role for role in ROLES if role == asked), None)
        if role is None:
            raise NotFound("There is no such role.")
        return self.render(
            "admin/role.html", role=role, about=ABOUT[role], may=_permissions(role), opens=_opened_by(role)
        )


def matrix() -> list[tuple[str, list[str]]]:
    """A line for each permission: its words, and how far each role reaches."""
    return [(permission.value, [REACH[row[role]] for role in ROLES]) for permission, row in TABLE.items()]


def scopes() -> list[tuple[str, str]]:
    """A line for each scope of a service key: what it opens."""
    return [(str(scope), ", ".join(sorted(given))) for scope, given in KEY_SCOPES.items()]


def _permissions(role: Role) -> list[tuple[str, str]]:
    """What the role may, and of whose records."""
    words = {Scope.OWN: "one's own only", Scope.ANY: "all"}
    return [(permission.value, words[row[role]]) for permission, row in TABLE.items() if row[role]]


@dataclass(frozen=True)
class Opened:
    """A page of the console that a role may open."""

    title: str
    path: str
    permission: str
    changes: bool


def _opened_by(role: Role) -> list[Opened]:
    """Pages and commands of the console, by the very rule of its gate. Others than staff find nothing here."""
    app = flask.current_app
    found = []
    for rule in app.url_map.iter_rules() if role in STAFF_ROLES else ():
        permission = gate.permission_of(app, rule.endpoint) if rule.rule.startswith(gate.PREFIX) else None
        if permission is None or "GET" not in (rule.methods or ()) or rule.endpoint.endswith(".details_view"):
            continue
        if access.may(Actor(None, role), permission, own=permission is Permission.OWN_PROFILE):
            found.append(_opened(rule.endpoint, rule.rule, permission))
    return sorted(found, key=lambda each: (each.changes, each.path))


def _opened(endpoint: str, path: str, permission: Permission) -> Opened:
    view: Any = flask.current_app.view_functions[endpoint]
    owner = getattr(view, "command_page", None) or getattr(view, "__self__", None)
    title = getattr(owner, "title", None) or show.word(endpoint.rpartition(".")[2])
    return Opened(title, path.replace("<uuid:id>", "…"), permission.value, endpoint.startswith("console."))


def _staff() -> list[list[Any]]:
    """Everybody who works here, by role and name. Index: ix_users_role_name."""
    query = select(User).where(User.role.in_(STAFF_ROLES)).order_by(User.role, User.full_name, User.id)
    people = list(session().scalars(query.limit(STAFF_SHOWN)))
    signed_in = _last_sign_ins([person.id for person in people])
    change = commands.named(SetRole)
    return [
        [
            show.link(person),
            show.html(
                '<a href="{}">{}</a>', flask.url_for("desk_roles.index", role=person.role), show.word(person.role)
            ),
            show.chip("active") if person.is_active else show.chip("deactivated"),
            "yes" if person.totp_secret else "no",
            show.when(signed_in[person.id]) if person.id in signed_in else "not in the last weeks",
            show.action_link(button_of(change, person)),
        ]
        for person in people
    ]


def _last_sign_ins(ids: list[UUID]) -> dict[UUID, datetime]:
    """To the console; sessions are kept for some weeks after they end. Index: ix_console_sessions_user_id."""
    query = select(ConsoleSession.user_id, func.max(ConsoleSession.created_at)).where(ConsoleSession.user_id.in_(ids))
    return {row[0]: row[1] for row in session().execute(query.group_by(ConsoleSession.user_id))}
