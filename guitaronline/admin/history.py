"""A record's history as people read it: who, when, what from → to, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.admin import show
from guitaronline.audit import queries
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.audit.queries import CHANGES_SHOWN, Change, Entry
from guitaronline.db import session
from guitaronline.identity.models import User

SHOWN = 50
UNSAID = {
    "id",
    "version",
    "updated_at",
    "created_at",
    "policy",
    "email_key",
    "digest",
    "settlement",
    "sequence",
    "op_key",
    "reference",
}
STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
DIGEST = ("sha256:", "***")
TABLES = {
    "availability_slots": "slot", "teacher_profiles": "teacher profile", "credit_entries": "ledger entry", "users": "person",
    "payment_transitions": "payment step", "bookings": "booking", "lessons": "lesson", "packages": "package", "payments": "payment",
    "refunds": "refund", "approvals": "approval", "guardians": "guardian", "plans": "plan", "plan_prices": "price", "tasks": "task",
    "notes": "note", "saved_views": "saved view", "exports": "export", "bulk_runs": "bulk action",
}  # fmt: skip
MADE_SAYS = {  # of a row that was made, what tells people something
    "credit_entries": ("kind", "d_available", "d_reserved", "d_consumed", "d_expired", "d_revoked"),
    "payment_transitions": ("from_status", "to_status", "cause"),
    "plan_prices": ("amount_minor", "currency"),
    "notes": (),
}


@dataclass(frozen=True)
class Told:
    """One line of history."""

    title: str
    who: Any
    when: Any
    reason: str | None
    changes: list[TableChange]


@dataclass(frozen=True)
class TableChange:
    what: Any
    fields: list[tuple[str, Any, Any]]


def history_of(record: Any) -> list[Told]:
    entries = queries.history_of(session(), record.__tablename__, record.id, limit=SHOWN)
    known = _names_of(entries)
    return [told(entry, known) for entry in entries]


def names(ids: set[UUID]) -> dict[UUID, str]:
    """Full names of these people."""
    query = select(User.id, User.full_name).where(User.id.in_(ids))
    return {row.id: row.full_name for row in session().execute(query)} if ids else {}


def _names_of(entries: Iterable[Entry]) -> dict[UUID, str]:
    return names({entry.actor_id for entry in entries if entry.actor_id})


def told(entry: Entry, known: dict[UUID, str]) -> Told:
    who = (
        show.link_to("users", entry.actor_id, known.get(entry.actor_id) or entry.actor_kind)
        if entry.actor_id
        else "the system"
    )
    changes = sorted(
        entry.changes, key=lambda each: (each.table_name, each.row_id) != (entry.record_type, entry.record_id)
    )
    return Told(title_of(entry.name), who, show.when(entry.at), entry.reason, [_table(change) for change in changes])


def title_of(name: str) -> str:
    """`booking.cancel` → `Booking: cancel`."""
    subject, _, verb = name.partition(".")
    return f"{subject.capitalize()}: {show.word(verb)}" if verb else subject.capitalize()


def _table(change: Change) -> TableChange:
    noun = TABLES.get(change.table_name, show.word(change.table_name))
    verb = "made" if change.before is None else "removed" if change.after is None else "changed"
    return TableChange(show.html("{} {}", show.link_to(change.table_name, change.row_id, noun), verb), _fields(change))


def _fields(change: Change) -> list[tuple[str, Any, Any]]:
    said = MADE_SAYS.get(change.table_name) if change.before is None else None
    columns = [each for each in change.columns if each[0] not in UNSAID and (said is None or each[0] in said)]
    if change.table_name == "credit_entries":
        return [
            (_bucket(name), None, f"{after:+d}" if isinstance(after, int) else after)
            for name, _, after in columns
            if after
        ]
    if change.before is None:
        columns = [
            (name, None, after)
            for name, _, after in columns
            if after not in (None, "", 0, [], False) and not _is_id(after)
        ]
        return [(show.word(name), None, readable(after)) for name, _, after in columns]
    return [(show.word(name), readable(before), readable(after)) for name, before, after in columns]


def _bucket(column: str) -> str:
    """`d_available` → `available`."""
    return column.removeprefix("d_")


def readable(value: Any) -> Any:
    """A stored value as people say it."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return show.yes(value)
    if isinstance(value, str) and value.startswith(DIGEST):
        return "(not shown)"
    if isinstance(value, str) and STAMP.match(value):
        return show.when(datetime.fromisoformat(value))
    if isinstance(value, dict):
        return value.get("sentence") or ", ".join(f"{key} {each}" for key, each in value.items())
    return show.word(value) if isinstance(value, str) and value.islower() else value


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36 and value.count("-") == 4


def whole_action(action: AuditAction) -> list[Told]:
    """One action with all that it changed, as far as a page can show it."""
    found = session().scalars(
        select(AuditChange).where(AuditChange.action_id == action.id).order_by(AuditChange.id).limit(CHANGES_SHOWN)
    )
    changes = [Change(each.id, each.table_name, each.row_id, each.before, each.after) for each in found]
    kept = (
        "id",
        "at",
        "recorded_at",
        "actor_id",
        "actor_kind",
        "name",
        "reason",
        "record_type",
        "record_id",
        "request_id",
        "address",
    )
    entry = Entry(**{name: getattr(action, name) for name in kept}, changes=changes)
    return [told(entry, _names_of([entry]))]
