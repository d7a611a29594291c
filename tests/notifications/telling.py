"""Events of the outbox are told here and now, whatever the clock says; what became of them in rows and words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import OutboxEvent
from guitaronline.db import technical_transaction
from guitaronline.identity.models import User
from guitaronline.notifications import rendering
from guitaronline.notifications.models import Channel, Message
from guitaronline.notifications.rendered import Rendered, Untrue
from jobs import outbox


def tell_all(db: Session) -> None:
    """Every event that waits, in order, once."""
    db.rollback()
    query = select(OutboxEvent).where(OutboxEvent.status == "pending").order_by(OutboxEvent.created_at, OutboxEvent.id)
    for event in list(db.scalars(query)):
        facts = (event.id, event.topic, event.record_type, event.record_id, dict(event.payload), 1, event.created_at)
        outbox.HANDLERS.get(event.topic, lambda _: None)([outbox.Event(*facts)])
    with technical_transaction() as session:
        session.execute(text("UPDATE outbox_events SET status = 'done', closed_at = now() WHERE status = 'pending'"))


def forget(db: Session) -> None:
    """What happened until now is nobody's news."""
    db.rollback()
    with technical_transaction() as session:
        session.execute(text("UPDATE outbox_events SET status = 'done', closed_at = now() WHERE status = 'pending'"))


def rows(db: Session, kind: str | None = None, channel: Channel | None = Channel.EMAIL) -> list[Message]:
    db.rollback()
    query = select(Message).order_by(Message.id)
    query = query.where(Message.kind == kind) if kind else query
    return list(db.scalars(query.where(Message.channel == channel) if channel else query))


def readers(db: Session, kind: str) -> list[str]:
    """Who gets a mail of that kind, by name."""
    return sorted(_person(db, row).full_name for row in rows(db, kind) if row.status == "queued")


def told(db: Session) -> list[tuple[str, str]]:
    """Every mail that waits: its kind and whom it is for."""
    return sorted((row.kind, _person(db, row).full_name) for row in rows(db) if row.status == "queued")


def mail_to(db: Session, person: User, kind: str) -> Message:
    return next(row for row in rows(db, kind) if row.person_id == person.id)


def answer(db: Session, message: Message, *, now: datetime | None = None) -> Rendered | Untrue:
    return rendering.render(db, message, _person(db, message), now or clock.read(db))


def words(db: Session, message: Message) -> Rendered:
    found = answer(db, message)
    assert isinstance(found, Rendered), found
    return found


def because(db: Session, message: Message, *, now: datetime | None = None) -> str:
    found = answer(db, message, now=now)
    assert isinstance(found, Untrue), found
    return found.because


def outcomes(db: Session, messages: Sequence[Message]) -> list[str]:
    """`true`, or why not."""
    return [found.because if isinstance(found, Untrue) else "true" for found in (answer(db, each) for each in messages)]


def _person(db: Session, message: Message) -> User:
    found = db.get(User, message.person_id)
    assert found is not None
    return found
