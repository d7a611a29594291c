"""The audit desk: who did what, when, why, and what changed. Nobody can write here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

import flask
from sqlalchemy import Select, func, select
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.audit_filters import About, Name, SameRequest, group, request_of
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.filters import Choice, Days, Whose, people_matching
from guitaronline.admin.history import TABLES, readable, title_of, whole_action
from guitaronline.admin.notes import MODELS
from guitaronline.admin.record_page import Section, actions_of, facts
from guitaronline.audit import queries
from guitaronline.audit.models import AuditAction, AuditChange, AuditPersonal
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.office import reveals
from guitaronline.office.reveals import MONEY_TABLES

KINDS = ("users", "availability_slots", "bookings", "lessons", *MONEY_TABLES, "tasks", "notes", "audit_actions")
PERSONAL_SHOWN = 200  # values of one action
OF_A_REQUEST = 20


def who(action: AuditAction) -> Any:
    if action.actor_id is None:
        return "the system" if action.actor_kind == "system" else "a stranger"
    if action.actor_kind == "service":
        return show.link_to("service_keys", action.actor_id, "a service key")
    return show.link_to("users", action.actor_id, flask.g.names.get(action.actor_id) or action.actor_kind)


def record_of(action: AuditAction) -> Any:
    if action.record_type is None or action.record_id is None:
        return show.NOTHING
    noun = "action" if action.record_type == "audit_actions" else TABLES.get(action.record_type)
    label = flask.g.labels.get(action.record_id) or f"…{str(action.record_id)[-6:]}"
    return show.link_to(action.record_type, action.record_id, f"{noun or show.word(action.record_type)} {label}")


class AuditDesk(Desk):
    model_of = AuditAction
    path = "audit"
    title = "Audit"
    one = "Action"
    permission = Permission.READ_OWN_ACTIONS
    empty = "Nothing was done yet."
    search_words = "Who did it: name or e-mail"
    columns: ClassVar[Any] = (
        Column("id", "When", lambda each: show.when(each.at), sort=AuditAction.at),
        Column("name", "What", lambda each: show.link_to("audit_actions", each.id, title_of(each.name))),
        Column("actor_id", "Who", who),
        Column("record_id", "Record", record_of),
        Column("reason", "Why", lambda each: show.text(each.reason)),
    )
    filters = (
        group(),
        About("about", "Record, such as BK-7Q4M2"),
        Days("day", "Day", AuditAction.at, is_past=True),
        Choice("record", "Kind of record", KINDS, lambda value: AuditAction.record_type == value),
        Name("action", "Name, such as booking.cancel"),
        Whose("actor", "Who", AuditAction.actor_id),
        SameRequest("request", "Request", widget="hidden"),
    )
    has_personal_files = True
    exported = exported.AUDIT
    default_order = (AuditAction.at, True)  # ix_audit_actions_at; of one person: ix_audit_actions_actor
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
        return reveals.readable(query, gate.viewer().actor)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [AuditAction.actor_id.in_(people_matching(words))]

    def prepare_rows(self, rows: list[Any]) -> None:
        """Names of the people and records of the page, one statement a kind."""
        flask.g.names = labels("users", {row.actor_id for row in rows if row.actor_id})
        kinds = {row.record_type for row in rows if row.record_type in MODELS}
        flask.g.labels = {
            each.id: title_of(each.name) if kind == "audit_actions" else show.label_of(each)
            for kind in kinds
            for each in _records(kind, {row.record_id for row in rows if row.record_type == kind})
        }

    def record_page(self, action: Any) -> dict[str, Any]:
        self.prepare_rows([action])
        lines = facts(
            ("Who", _whose(action)),
            ("As", action.actor_kind),
            ("When", show.when(action.at)),
            ("Written down", show.when(action.recorded_at)),
            ("Record", _about(action)),
            ("Reason", action.reason),
            *(
                [("Facts", show.joined(f"{name}: {value}" for name, value in action.facts.items()))]
                if action.facts
                else []
            ),
            ("Request", _request(action)),
            ("Address", action.address),
        )
        has_personal = _personal(action) is not None
        return {
            "facts": lines,
            "sections": [_rows_changed(action), *_personal_values(action, has_personal), *_same_request(action)],
            "history": whole_action(action),
            **({"actions": actions_of([button_of(commands.named(RevealAction), action)])} if has_personal else {}),
        }


def _more(words: str, **query: Any) -> Any:
    return show.html(
        ' · <a class="among-words" href="{}">{}</a>', flask.url_for("desk_audit.index_view", **query), words
    )


def _whose(action: AuditAction) -> Any:
    return who(action) + _more("all they did", actor=action.actor_id) if action.actor_id else who(action)


def _about(action: AuditAction) -> Any:
    if action.record_type not in TABLES or action.record_id is None:
        return record_of(action)
    about = f"{action.record_type}/{action.record_id}"
    return show.html("{}", record_of(action)) + _more("all that was done to it", about=about)


def _request(action: AuditAction) -> Any:
    if action.request_id is None:
        return None
    return show.html("<code>{}</code>", action.request_id) + _more("all it did", request=action.id)


def _rows_changed(action: AuditAction) -> Section:
    """How many rows of which kind; the first hundred stand below with what changed in them. ix_audit_changes_action_id"""
    made, removed = AuditChange.before.is_(None), AuditChange.after.is_(None)
    query = select(
        AuditChange.table_name,
        func.count().filter(made),
        func.count().filter(~made & ~removed),
        func.count().filter(removed),
    ).where(AuditChange.action_id == action.id)
    found = session().execute(query.group_by(AuditChange.table_name).order_by(AuditChange.table_name)).all()
    table = [[TABLES.get(row[0], show.word(row[0])), *row[1:]] for row in found]
    words = "None: it changed no row of the school."
    return Section("Rows it changed", ("Kind", "Made", "Changed", "Removed"), table, words)


def _same_request(action: AuditAction) -> list[Section]:
    if action.request_id is None:
        return []
    query = reveals.readable(select(AuditAction), gate.viewer().actor).where(request_of(action))
    others = session().scalars(query.where(AuditAction.id != action.id).order_by(AuditAction.id).limit(OF_A_REQUEST))
    table = [
        [show.when(each.at), show.link_to("audit_actions", each.id, title_of(each.name)), show.text(each.reason)]
        for each in others
    ]
    more = flask.url_for("desk_audit.index_view", request=action.id)
    return [Section("By the same request", ("When", "What", "Why"), table, "Nothing else.", more)] if table else []


def _personal(action: AuditAction) -> int | None:
    """One change of the action that has personal values; erased ones are gone."""
    query = select(AuditPersonal.change_id).join(AuditChange, AuditChange.id == AuditPersonal.change_id)
    return session().scalar(query.where(AuditChange.action_id == action.id).limit(1))


def _personal_values(action: AuditAction, has_personal: bool) -> list[Section]:
    """In clear for whom the audit says that they asked, a few minutes long."""
    actor = gate.viewer().actor
    if not has_personal or not reveals.revealed(session(), actor, reveals.ACTION, [action.id], gate.now()):
        return []
    changes = list(
        session().scalars(
            select(AuditChange)
            .where(AuditChange.action_id == action.id)
            .order_by(AuditChange.id)
            .limit(queries.CHANGES_SHOWN)
        )
    )
    clear = queries.clear_values(session(), [change.id for change in changes])
    table = [
        [TABLES.get(change.table_name, show.word(change.table_name)), show.word(name), readable(old), readable(new)]
        for change in changes
        for name, old, new in _values(*clear.get(change.id, (None, None)))
    ]
    title = "Personal values in clear, for a few minutes"
    return [Section(title, ("Record", "Value", "Before", "After"), table[:PERSONAL_SHOWN])]


def _values(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[tuple[str, Any, Any]]:
    old, new = before or {}, after or {}
    return [(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys()) if name != "email_key"]


class RevealAction(CommandPage):
    record = AuditAction
    path = "audit/<uuid:id>/reveal"
    title = "Show personal values"
    button = "Show them"
    permission = Permission.READ_MASKED
    form = forms.ReasonForm

    def find(self, record_id: UUID | None) -> Any:
        query = reveals.readable(select(AuditAction), gate.viewer().actor).where(AuditAction.id == record_id)
        found = session().scalars(query).one_or_none()
        if found is None:
            raise NotFound("There is no such action, or your role does not show it.")
        return found

    def heading(self, record: Any) -> str:
        return f"{self.title}: {title_of(record.name)}"

    def back(self, record: Any) -> tuple[str, str]:
        return title_of(record.name), show.record_url("audit_actions", record.id) or ""

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        minutes = show.minutes(reveals.SHOWN_FOR)
        return Consequences(
            [
                ("Shown", f"Names, contacts and texts that this action changed, to you alone, for {minutes}."),
                ("Written down", "That you looked, when, and the reason that you give."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return reveals.reveal_action(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(
            "The personal values stand below for a few minutes.", show.record_url("audit_actions", result.id) or ""
        )


def labels(kind: str, ids: set[UUID]) -> dict[UUID, str]:
    return {each.id: show.label_of(each) for each in _records(kind, ids)} if ids else {}


def _records(kind: str, ids: set[UUID]) -> Any:
    return session().scalars(select(MODELS[kind]).where(MODELS[kind].id.in_(ids)))


commands.add(RevealAction)
