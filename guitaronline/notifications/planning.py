"""From what happened to messages. A stand-in: only what the console needs until the table of kinds is whole."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking
from guitaronline.db import new_id, session
from guitaronline.notifications.happened import Happened
from guitaronline.notifications.kinds import KINDS, Kind
from guitaronline.notifications.models import Message


def plan(happened: Happened, now: datetime) -> int:
    """Messages of the event are queued; how many."""
    current = session()
    return sum(
        queue(
            current,
            kind,
            event_id=happened.id,
            person_ids=_people(current, happened),
            record_type=happened.record_type,
            record_id=happened.record_id,
            facts=happened.payload,
            happened_at=happened.created_at,
        )
        for kind in KINDS.values()
        if kind.topic == happened.topic
    )


def queue(
    session: Session,
    kind: Kind,
    *,
    event_id: UUID,
    person_ids: Collection[UUID],
    record_type: str,
    record_id: UUID,
    facts: dict[str, Any],
    happened_at: datetime,
) -> int:
    """A row for each person and channel, once."""
    rows = [
        {
            "id": new_id(),
            "event_id": event_id,
            "kind": kind.name,
            "person_id": person_id,
            "channel": channel,
            "record_type": record_type,
            "record_id": record_id,
            "facts": facts,
            "happened_at": happened_at,
            "available_at": happened_at,
            "not_after": happened_at + kind.makes_sense_for if kind.makes_sense_for else None,
        }
        for person_id in person_ids
        for channel in kind.channels
    ]
    if not rows:
        return 0
    statement = insert(Message).values(rows).on_conflict_do_nothing(constraint="uq_messages_once")
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]


def _people(session: Session, happened: Happened) -> list[UUID]:
    booking = session.get(Booking, happened.record_id)
    return [booking.student_id, booking.teacher_id] if booking else []
