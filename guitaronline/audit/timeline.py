"""What happened to several records together, newest first: a booking with its lesson, or all that belongs to a person.

`subjects` is a select of (table_name, row_id): the records whose life is told. An action belongs to it when it was meant for
one of them or changed one of them; the page is cut by the action's id, so that pages together are the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Select, exists, select, union
from sqlalchemy.orm import Session

from guitaronline.audit import queries
from guitaronline.audit.models import AuditAction, AuditChange, OutboxEvent
from guitaronline.audit.queries import Change, Entry

Subjects = Select[Any] | Any
EVENTS_SHOWN = 500  # of one page


@dataclass(frozen=True)
class Told:
    """One action as these records saw it: the changes in them, and the events that it sent out about them."""

    entry: Entry
    events: list[OutboxEvent]


@dataclass(frozen=True)
class Page:
    items: list[Told]
    before: UUID | None  # give it to get what is older; None: that was all


def page(session: Session, subjects: Subjects, *, before: UUID | None, limit: int, is_whole: bool = True) -> Page:
    """Actions on `subjects`. `is_whole`: of an action meant for one of them show all that it changed, elsewhere too.

    Reads all changes of the subjects (ix_audit_changes_row, ix_audit_actions_record): as many as their own life has."""
    own = subjects.cte("subject")
    touched = select(AuditChange.action_id.label("id")).join(own, _is(own, AuditChange.table_name, AuditChange.row_id))
    meant = select(AuditAction.id).join(own, _is(own, AuditAction.record_type, AuditAction.record_id))
    return _page(session, own, union(touched, meant), before=before, limit=limit, is_whole=is_whole)


def events_page(session: Session, subjects: Subjects, *, before: UUID | None, limit: int) -> Page:
    """Actions that sent out events about `subjects`, with the events alone. ix_outbox_events_record"""
    own = subjects.cte("subject")
    sent = select(OutboxEvent.action_id.label("id")).join(own, _is(own, OutboxEvent.record_type, OutboxEvent.record_id))
    found = _page(session, own, sent, before=before, limit=limit, is_whole=False)
    return replace(found, items=[replace(each, entry=replace(each.entry, changes=[])) for each in found.items])


def _page(session: Session, own: CTE, ids: Any, *, before: UUID | None, limit: int, is_whole: bool) -> Page:
    is_meant = exists().where(_is(own, AuditAction.record_type, AuditAction.record_id))
    query = select(AuditAction, is_meant).where(AuditAction.id.in_(select(ids.subquery().c.id)))
    if before is not None:
        query = query.where(AuditAction.id < before)
    rows = session.execute(query.order_by(AuditAction.id.desc()).limit(limit + 1)).all()
    actions = [action for action, _ in rows[:limit]]
    whole = [action.id for action, meant in rows[:limit] if meant and is_whole]
    changes = queries.changes_of(session, whole) | _changes_in(session, own, {each.id for each in actions} - set(whole))
    events = _events_of(session, own, [each.id for each in actions])
    items = [Told(queries.entry_of(each, changes.get(each.id, [])), events[each.id]) for each in actions]
    return Page(items, actions[-1].id if len(rows) > limit else None)


def _changes_in(session: Session, own: CTE, action_ids: set[UUID]) -> dict[UUID, list[Change]]:
    """What these actions changed in the subjects alone. ix_audit_changes_action_id"""
    if not action_ids:
        return {}
    query = (
        select(AuditChange)
        .where(
            AuditChange.action_id.in_(action_ids), exists().where(_is(own, AuditChange.table_name, AuditChange.row_id))
        )
        .order_by(AuditChange.id)
    )
    found: dict[UUID, list[Change]] = defaultdict(list)
    for each in session.scalars(query):
        found[each.action_id].append(Change(each.id, each.table_name, each.row_id, each.before, each.after))
    return found


def _events_of(session: Session, own: CTE, action_ids: Sequence[UUID]) -> dict[UUID, list[OutboxEvent]]:
    """By action; only events about the subjects can be found by an index. ix_outbox_events_record"""
    found: dict[UUID, list[OutboxEvent]] = defaultdict(list)
    if not action_ids:
        return found
    about = _is(own, OutboxEvent.record_type, OutboxEvent.record_id)
    query = select(OutboxEvent).join(own, about).where(OutboxEvent.action_id.in_(action_ids))
    for each in session.scalars(query.order_by(OutboxEvent.id).limit(EVENTS_SHOWN)):
        found[each.action_id].append(each)
    return found


def _is(own: CTE, table_name: Any, row_id: Any) -> Any:
    return (table_name == own.c.table_name) & (row_id == own.c.row_id)
