"""Who did what, newest first. Names are put to ids by the doors; personal values are clear only when asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select, union
from sqlalchemy.orm import Session

from guitaronline.audit.models import AuditAction, AuditChange, AuditPersonal, CheckRun, JobTick

CHANGES_SHOWN = 100  # of one action; a bulk action has many


@dataclass(frozen=True)
class Change:
    """One row that changed; `before` None: it was made, `after` None: it was removed."""

    id: int
    table_name: str
    row_id: UUID
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def columns(self) -> list[tuple[str, Any, Any]]:
        """(column, before, after) of what differs, in the order of the names."""
        before, after = self.before or {}, self.after or {}
        return [(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]


@dataclass(frozen=True)
class Entry:
    """One action with its changes. `at` is the school's clock, `recorded_at` the real one."""

    id: UUID
    at: datetime
    recorded_at: datetime
    actor_id: UUID | None
    actor_kind: str
    name: str
    reason: str | None
    record_type: str | None
    record_id: UUID | None
    request_id: str | None
    address: str | None
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Filters:
    """Which actions; None: all. `names` are beginnings (`payment.`), of which one must fit."""

    actor_id: UUID | None = None
    record_type: str | None = None
    record_id: UUID | None = None
    names: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    entries: list[Entry]
    cursor: UUID | None  # give it to get what is older; None: that was all


def history_of(
    session: Session, record_type: str, record_id: UUID, *, limit: int = 50, clear: bool = False
) -> list[Entry]:
    """What happened to the record: actions on it with all they changed, and of other actions what they changed in it.

    Two index scans (ix_audit_actions_record, ix_audit_changes_row), then one lookup of at most `limit` actions."""
    touched = select(AuditChange.action_id).where(
        AuditChange.table_name == record_type, AuditChange.row_id == record_id
    )
    meant = select(AuditAction.id).where(AuditAction.record_type == record_type, AuditAction.record_id == record_id)
    newest = union(
        touched.order_by(AuditChange.id.desc()).limit(limit).subquery().select(),
        meant.order_by(AuditAction.id.desc()).limit(limit).subquery().select(),
    )
    query = select(AuditAction).where(AuditAction.id.in_(newest))
    entries = _entries(session, query.order_by(AuditAction.id.desc()).limit(limit), clear=clear)
    return [_seen_from(entry, record_type, record_id) for entry in entries]


def mover_of(session: Session, table_name: str, row_id: UUID, status: str) -> AuditAction | None:
    """The action that brought the row to this status first. Index: ix_audit_changes_row, then the key."""
    found = (
        select(AuditAction)
        .join(AuditChange, AuditChange.action_id == AuditAction.id)
        .where(
            AuditChange.table_name == table_name,
            AuditChange.row_id == row_id,
            AuditChange.after["status"].astext == status,
        )
    )
    return session.scalars(found.order_by(AuditChange.id).limit(1)).one_or_none()


def _seen_from(entry: Entry, record_type: str, record_id: UUID) -> Entry:
    if (entry.record_type, entry.record_id) == (record_type, record_id):
        return entry
    own = [change for change in entry.changes if (change.table_name, change.row_id) == (record_type, record_id)]
    return Entry(**{**vars(entry), "changes": own})


def actions_page(
    session: Session, filters: Filters, *, cursor: UUID | None = None, limit: int = 50, clear: bool = False
) -> Page:
    """Actions that fit, newest first, older than `cursor`, with what they changed."""
    query = select(AuditAction).order_by(AuditAction.id.desc()).limit(limit + 1)
    for condition in _conditions(filters, cursor):
        query = query.where(condition)
    entries = _entries(session, query, clear=clear)
    return Page(entries[:limit], entries[limit - 1].id if len(entries) > limit else None)


def _conditions(filters: Filters, cursor: UUID | None) -> Iterable[Any]:
    columns = {
        AuditAction.actor_id: filters.actor_id,
        AuditAction.record_type: filters.record_type,
        AuditAction.record_id: filters.record_id,
    }
    yield from (column == value for column, value in columns.items() if value is not None)
    if filters.names:
        yield or_(*(AuditAction.name.startswith(name, autoescape=True) for name in filters.names))
    if filters.since is not None:
        yield AuditAction.at >= filters.since
    if filters.until is not None:
        yield AuditAction.at < filters.until
    if cursor is not None:
        yield AuditAction.id < cursor


def _entries(session: Session, query: Select[AuditAction], *, clear: bool) -> list[Entry]:
    actions = list(session.scalars(query))
    changes = changes_of(session, [action.id for action in actions], clear=clear)
    return [entry_of(action, changes[action.id]) for action in actions]


def entry_of(action: AuditAction, changes: list[Change]) -> Entry:
    return Entry(
        id=action.id,
        at=action.at,
        recorded_at=action.recorded_at,
        actor_id=action.actor_id,
        actor_kind=action.actor_kind,
        name=action.name,
        reason=action.reason,
        record_type=action.record_type,
        record_id=action.record_id,
        request_id=action.request_id,
        address=action.address,
        changes=changes,
    )


def changes_of(session: Session, action_ids: Sequence[UUID], *, clear: bool = False) -> dict[UUID, list[Change]]:
    """At most CHANGES_SHOWN of each action, in the order in which they were made."""
    newest = (
        select(AuditChange)
        .where(AuditChange.action_id == AuditAction.id)
        .order_by(AuditChange.id)
        .limit(CHANGES_SHOWN)
        .lateral()
    )
    columns = (newest.c.action_id, newest.c.id, newest.c.table_name, newest.c.row_id, newest.c.before, newest.c.after)
    query = select(*columns).select_from(AuditAction).join(newest, onclause=AuditAction.id == newest.c.action_id)
    found: dict[UUID, list[Change]] = defaultdict(list)
    for action_id, *facts in session.execute(query.where(AuditAction.id.in_(action_ids)).order_by(newest.c.id)):
        found[action_id].append(Change(*facts))
    return _cleared(session, found) if clear else found


def _cleared(session: Session, found: dict[UUID, list[Change]]) -> dict[UUID, list[Change]]:
    values = clear_values(session, [change.id for changes in found.values() for change in changes])
    cleared: dict[UUID, list[Change]] = defaultdict(list)
    for action_id, changes in found.items():
        cleared[action_id] = [_with_clear(change, *values.get(change.id, (None, None))) for change in changes]
    return cleared


def _with_clear(change: Change, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Change:
    return Change(
        id=change.id,
        table_name=change.table_name,
        row_id=change.row_id,
        before=change.before and change.before | (before or {}),
        after=change.after and change.after | (after or {}),
    )


def clear_values(
    session: Session, change_ids: list[int]
) -> dict[int, tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """The personal values behind the digests of these changes, where they were not erased."""
    query = select(AuditPersonal.change_id, AuditPersonal.before, AuditPersonal.after)
    return {row[0]: (row[1], row[2]) for row in session.execute(query.where(AuditPersonal.change_id.in_(change_ids)))}


FAILED = "failed"  # how the outcome of a failed job begins; jobs/runtime.py
LATELY = timedelta(hours=24)


def state_of_tick(started_at: datetime | None, outcome: str | None) -> str:
    """How far one tick of the timetable is: scheduled, pending, failed or done."""
    if outcome is None:
        return "pending" if started_at else "scheduled"
    return "failed" if outcome.startswith(FAILED) else "done"


def failed_lately(now: datetime) -> ColumnElement[bool]:
    """SQL, over JobTick: jobs that failed within a day. uq_job_ticks_job_tick_at, skipping from job to job"""
    return and_(JobTick.tick_at > now - LATELY, JobTick.outcome.startswith(FAILED))


def last_check(session: Session) -> CheckRun | None:
    """The newest run of the invariants."""
    return session.scalars(select(CheckRun).order_by(CheckRun.id.desc()).limit(1)).one_or_none()
