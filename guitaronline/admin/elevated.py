"""Who has more than a student or teacher: since when, by whom, and whether the account is used at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import STAFF_ROLES
from guitaronline.admin import exported_rights, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import button_of, commands
from guitaronline.admin.filters import Choice, people_matching, reference_is
from guitaronline.admin.person_commands import DeactivatePerson, SetRole
from guitaronline.admin.record_page import actions_of, facts
from guitaronline.db import session
from guitaronline.identity import elevated
from guitaronline.identity.access import Permission
from guitaronline.identity.elevated import Granted, Used
from guitaronline.identity.models import User

UNUSED = timedelta(days=90)
GRANTS = Ahead[UUID, Granted]("grants_of_roles", lambda ids: elevated.grants(session(), ids))
USES = Ahead[UUID, Used]("uses_of_accounts", lambda ids: elevated.uses(session(), ids, gate.now()))


def granted_at(person: User) -> Any:
    found = GRANTS.of(person.id)
    return show.stamp(found.at) if found else "before the audit began"


def granted_by(person: User) -> Any:
    found = GRANTS.of(person.id)
    if found is None:
        return show.NOTHING
    return show.link_to("users", found.by, found.name or "somebody") if found.by else show.word(found.kind)


def last_seen(person: User) -> Any:
    found = USES.of(person.id)
    return show.stamp(found.last) if found and found.last else "never, as far as is known"


def open_now(person: User) -> int:
    found = USES.of(person.id)
    return found.open if found else 0


class ElevatedDesk(Desk):
    model_of = User
    is_home = False  # a person's page is where people are
    path = "elevated-accounts"
    title = "Elevated accounts"
    one = "Account of"
    permission = Permission.READ_SETTINGS
    intro = "Everybody who may more than a student or teacher. An account that nobody uses for 90 days should go."
    empty = "Nobody works here yet."
    search_words = "Name or USR-…"
    columns: ClassVar[Any] = (
        Column("full_name", "Name", show.link, sort=User.full_name),
        Column("role", "Role", lambda person: show.word(person.role)),
        Column("is_active", "State", lambda person: show.chip("active" if person.is_active else "deactivated")),
        Column("granted_at", "Since", granted_at),
        Column("granted_by", "Given by", granted_by),
        Column("last_seen", "Last seen", last_seen),
        Column("open", "Signed in", open_now, is_number=True),
        Column("totp", "Authenticator", lambda person: show.yes(bool(person.totp_secret))),
    )
    filters = (
        Choice("role", "Role", sorted(STAFF_ROLES), lambda value: User.role == value),
        Choice("active", "State", ["active", "deactivated"], lambda value: User.is_active.is_(value == "active")),
        Choice("used", "Used", ["not_for_90_days"], lambda value: elevated.unused(gate.now() - UNUSED)),
        Choice(
            "authenticator", "Authenticator", ["yes", "no"], lambda value: User.totp_secret.is_(None) == (value == "no")
        ),
    )
    exported = exported_rights.ELEVATED
    default_order = (User.full_name, False)

    def scope(self, query: Select[Any]) -> Select[Any]:
        """ix_users_role_name"""
        return query.where(User.role.in_(STAFF_ROLES))

    def prepare_rows(self, rows: list[Any]) -> None:
        GRANTS.look(each.id for each in rows)
        USES.look(each.id for each in rows)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return reference_is(User.reference, words) or [User.id.in_(people_matching(words))]

    def record_page(self, person: Any) -> dict[str, Any]:
        found = facts(*((column.label, column.cell(person)) for column in self.columns))
        buttons = [button_of(commands.named(kind), person) for kind in (SetRole, DeactivatePerson)]
        return {"facts": found, "actions": actions_of(buttons)}
