"""The audit desk: who did what, when, why, and what changed. Nobody can write here."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import flask
from sqlalchemy import Select, select
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import exported, gate, show
from guitaronline.admin.base import Column, Desk, ListFilter
from guitaronline.admin.filters import Choice, Days, Whose, people_matching
from guitaronline.admin.history import TABLES, title_of, whole_action
from guitaronline.admin.notes import MODELS
from guitaronline.admin.record_page import facts
from guitaronline.audit.models import AuditAction
from guitaronline.db import session
from guitaronline.identity import access
from guitaronline.identity.access import Permission

MONEY_TABLES = ("packages", "payments", "refunds", "approvals", "plans")


class Name(ListFilter):
    """The action's name or its beginning: `booking.cancel`, `payment`."""

    def clause(self, value: str) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = AuditAction.name.startswith(value.lower(), autoescape=True)
        return condition


def scoped(query: Select[Any], actor: Any) -> Select[Any]:
    """What the actor's role may read: all, money and their own actions, or their own only."""
    if access.may(actor, Permission.READ_AUDIT):
        return query
    own = AuditAction.actor_id == actor.id
    if access.may(actor, Permission.READ_MONEY_AUDIT):
        return query.where(own | AuditAction.record_type.in_(MONEY_TABLES))
    return query.where(own)


def who(action: AuditAction) -> Any:
    if action.actor_id is None:
        return "the system" if action.actor_kind == "system" else "a stranger"
    return show.link_to("users", action.actor_id, flask.g.names.get(action.actor_id) or action.actor_kind)


def record_of(action: AuditAction) -> Any:
    if action.record_type is None or action.record_id is None:
        return show.NOTHING
    noun = TABLES.get(action.record_type, show.word(action.record_type))
    label = flask.g.labels.get(action.record_id) or f"…{str(action.record_id)[-6:]}"
    return show.link_to(action.record_type, action.record_id, f"{noun} {label}")


class AuditDesk(Desk):
    model_of = AuditAction
    path = "audit"
    title = "Audit"
    one = "Action"
    permission = Permission.READ_OWN_ACTIONS
    empty = "Nothing was done yet."
    search_words = "Who"
    columns: ClassVar[Any] = (
        Column("id", "When", lambda each: show.when(each.at), sort=AuditAction.id),
        Column("name", "What", lambda each: show.link_to("audit_actions", each.id, title_of(each.name))),
        Column("actor_id", "Who", who),
        Column("record_id", "Record", record_of),
        Column("reason", "Why", lambda each: show.text(each.reason)),
    )
    filters = (
        Name("action", "Action"),
        Days("day", "Day", AuditAction.at),
        Choice(
            "record",
            "Kind of record",
            ("users", "availability_slots", "bookings", "lessons", *MONEY_TABLES, "tasks", "notes"),
            lambda value: AuditAction.record_type == value,
        ),
        Whose("actor", "Who", AuditAction.actor_id),
    )
    exported = exported.AUDIT
    default_order = (AuditAction.id, True)
    page_title = staticmethod(lambda action: title_of(action.name))

    @property
    def intro(self) -> str:  # type: ignore[override]
        actor = gate.viewer().actor
        if access.may(actor, Permission.READ_AUDIT):
            return ""
        return (
            "You see your own actions and those about money."
            if access.may(actor, Permission.READ_MONEY_AUDIT)
            else "You see your own actions."
        )

    def scope(self, query: Select[Any]) -> Select[Any]:
        return scoped(query, gate.viewer().actor)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [AuditAction.actor_id.in_(people_matching(words))]

    def prepare_rows(self, rows: list[Any]) -> None:
        """Names of the people and records of the page, one statement a kind."""
        flask.g.names = labels("users", {row.actor_id for row in rows if row.actor_id})
        kinds = {row.record_type for row in rows if row.record_type in MODELS}
        flask.g.labels = {
            each.id: show.label_of(each)
            for kind in kinds
            for each in _records(kind, {row.record_id for row in rows if row.record_type == kind})
        }

    def record_page(self, action: Any) -> dict[str, Any]:
        self.prepare_rows([action])
        lines = facts(
            ("Who", who(action)),
            ("As", action.actor_kind),
            ("When", show.when(action.at)),
            ("Written down", show.when(action.recorded_at)),
            ("Record", record_of(action)),
            ("Reason", action.reason),
            ("Request", action.request_id),
            ("Address", action.address),
        )
        return {"facts": lines, "history": whole_action(action)}


def labels(kind: str, ids: set[UUID]) -> dict[UUID, str]:
    return {each.id: show.label_of(each) for each in _records(kind, ids)} if ids else {}


def _records(kind: str, ids: set[UUID]) -> Any:
    return session().scalars(select(MODELS[kind]).where(MODELS[kind].id.in_(ids)))
