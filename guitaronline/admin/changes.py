"""What happened to a record since somebody opened it: for the page that shows a stale version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, select

from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.db import session
from guitaronline.identity.models import User

UNSAID = {"version", "updated_at"}
SHOWN = 10


@dataclass(frozen=True)
class Change:
    """One action of somebody: which fields it changed, from what to what (None: personal, not shown from the history)."""

    at: datetime
    who: str
    reason: str | None
    fields: list[tuple[str, Any, Any]]


def changes_since(record: Any, seen_version: int) -> list[Change]:
    """Changes of the record after the version that was seen, oldest first."""
    version = AuditChange.before["version"].astext.cast(Integer)
    query = (
        select(AuditChange, AuditAction, User.full_name)
        .join(AuditAction, AuditAction.id == AuditChange.action_id)
        .outerjoin(User, User.id == AuditAction.actor_id)
        .where(AuditChange.table_name == record.__tablename__, AuditChange.row_id == record.id, version >= seen_version)
        .order_by(AuditChange.id)
        .limit(SHOWN)
    )
    return [
        Change(action.at, name or action.actor_kind, action.reason, _fields(change))
        for change, action, name in session().execute(query)
    ]


def _fields(change: AuditChange) -> list[tuple[str, Any, Any]]:
    before, after = change.before or {}, change.after or {}
    return [(name, _plain(before.get(name)), _plain(value)) for name, value in after.items() if name not in UNSAID]


def _plain(value: Any) -> Any:
    """A digest stands for a personal value and says nothing to people."""
    return "(personal)" if isinstance(value, str) and value.startswith(("sha256:", "***")) else value
