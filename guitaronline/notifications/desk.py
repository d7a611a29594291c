"""What the console asks about messages: those about a record, those of a person, their attempts, and why the dead are dead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, union
from sqlalchemy.orm import Session, joinedload

from guitaronline.notifications.models import Channel, Message, MessageAttempt, MessageBody, MessageStatus

DEAD_STATES = (MessageStatus.FAILED, MessageStatus.UNCERTAIN)
CAUSES_SHOWN = 100
ATTEMPTS_SHOWN = 50
LOOKED_THROUGH = 20_000  # newest messages among which one of a kind is looked for


@dataclass(frozen=True)
class Cause:
    """Dead letters that died alike."""

    channel: Channel
    status: MessageStatus
    error: str | None
    kind: str
    number: int
    first_at: datetime
    last_at: datetime


def dead_causes(session: Session) -> list[Cause]:
    """The most frequent first. Reads all that is dead: few, or the first thing to be looked at. ix_messages_dead"""
    number = func.count()
    query = (
        select(
            Message.channel,
            Message.status,
            Message.last_error,
            Message.kind,
            number,
            func.min(Message.happened_at),
            func.max(Message.happened_at),
        )
        .where(Message.status.in_(DEAD_STATES))
        .group_by(Message.channel, Message.status, Message.last_error, Message.kind)
        .order_by(number.desc(), Message.kind, Message.channel)
        .limit(CAUSES_SHOWN)
    )
    return [Cause(*row) for row in session.execute(query)]


def of_record(session: Session, record_type: str, record_id: UUID, *, limit: int) -> list[Message]:
    """The newest about this record, to whomever. ix_messages_record"""
    query = select(Message).where(Message.record_type == record_type, Message.record_id == record_id)
    return _newest(session, query, limit)


def to_person(session: Session, person_id: UUID, *, limit: int) -> list[Message]:
    """The newest to this person. ix_messages_person"""
    return _newest(session, select(Message).where(Message.person_id == person_id), limit)


def _newest(session: Session, query: Select[Message], limit: int) -> list[Message]:
    found = query.order_by(Message.id.desc()).limit(limit).options(joinedload(Message.person))
    return list(session.scalars(found))


def told_about(
    session: Session, subjects: Any, person_id: UUID | None, *, before: UUID | None, limit: int
) -> list[Message]:
    """The newest, before that id, about any of `subjects` (a select of table_name, row_id) or to the person.

    ix_messages_record, ix_messages_person"""
    own = subjects.cte("told_about")
    about = select(Message.id).join(
        own, (Message.record_type == own.c.table_name) & (Message.record_id == own.c.row_id)
    )
    parts = [about] if person_id is None else [about, select(Message.id).where(Message.person_id == person_id)]
    if before is not None:
        parts = [part.where(Message.id < before) for part in parts]
    ids = union(*(part.order_by(Message.id.desc()).limit(limit).subquery().select() for part in parts)).subquery()
    return _newest(session, select(Message).where(Message.id.in_(select(ids.c.id))), limit)


def attempts_of(session: Session, message_ids: Collection[UUID]) -> dict[UUID, list[MessageAttempt]]:
    """In their order. ix_message_attempts_message"""
    found: dict[UUID, list[MessageAttempt]] = defaultdict(list)
    if not message_ids:
        return found
    query = select(MessageAttempt).where(MessageAttempt.message_id.in_(list(message_ids)))
    for each in session.scalars(query.order_by(MessageAttempt.message_id, MessageAttempt.id)):
        found[each.message_id].append(each)
    return found


def body_of(session: Session, message_id: UUID) -> MessageBody | None:
    """As it was sent; None before, and after its time."""
    return session.get(MessageBody, message_id)


def newest_of_kind(session: Session, kind: str) -> Message | None:
    """One to show the template with; None: none among the newest."""
    newest = select(Message.id, Message.kind).order_by(Message.id.desc()).limit(LOOKED_THROUGH).subquery()
    wanted = select(newest.c.id).where(newest.c.kind == kind).order_by(newest.c.id.desc()).limit(1)
    return session.scalars(
        select(Message).where(Message.id == wanted.scalar_subquery()).options(joinedload(Message.person))
    ).one_or_none()
