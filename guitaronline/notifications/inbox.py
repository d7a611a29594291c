"""What one person was told: one item an event, whatever channels it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from guitaronline.identity.models import User
from guitaronline.notifications import languages
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Channel, Message, MessageBody, MessageStatus

DEAD = (MessageStatus.FAILED, MessageStatus.UNCERTAIN)


@dataclass(frozen=True)
class Told:
    """`place` orders them; `subject` as it was sent, where it was."""

    place: UUID
    event_id: UUID
    kind: str
    messages: Sequence[Message]
    subject: str | None
    language: str

    @property
    def event(self) -> str:
        """The event's topic; of what no event tells, the kind of message."""
        kind = KINDS.get(self.kind)
        return kind.topic if kind is not None and kind.topic is not None else self.kind

    @property
    def title(self) -> str:
        kind = KINDS.get(self.kind)
        title = languages.words_of(self.language).gettext(kind.title) if kind is not None else ""
        return self.subject or title or self.kind.replace("_", " ").capitalize()

    @property
    def channels(self) -> list[str]:
        return [message.channel.value for message in self.messages]

    @property
    def status(self) -> str:
        """The best that became of it; the list itself counts only where there is nothing else."""
        outside = [each.status for each in self.messages if each.channel is not Channel.IN_APP]
        states = set(outside or [each.status for each in self.messages])
        order = [
            (MessageStatus.SENT in states, "sent"),
            (MessageStatus.QUEUED in states, "queued"),
            (not states.isdisjoint(DEAD), "failed"),
        ]
        return next((word for applies, word in order if applies), "suppressed")

    @property
    def created_at(self) -> datetime:
        return min(each.created_at for each in self.messages)

    @property
    def sent_at(self) -> datetime | None:
        return min((each.sent_at for each in self.messages if each.sent_at is not None), default=None)


def told_to(
    session: Session, person_id: UUID, *, after: UUID | None = None, offset: int = 0, limit: int = 20
) -> list[Told]:
    """Newest first; `after` is the `place` of the last one seen. ix_messages_person, uq_messages_once"""
    earlier = aliased(Message)
    first = ~exists().where(
        earlier.event_id == Message.event_id, earlier.person_id == Message.person_id, earlier.id < Message.id
    )
    query = select(Message.id, Message.event_id, Message.kind).where(Message.person_id == person_id, first)
    if after is not None:
        query = query.where(Message.id < after)
    heads = session.execute(query.order_by(Message.id.desc()).offset(offset).limit(limit)).all()
    events = [head.event_id for head in heads]
    rows = select(Message).where(Message.event_id.in_(events), Message.person_id == person_id).order_by(Message.id)
    messages = list(session.scalars(rows))
    subjects = select(MessageBody.id, MessageBody.subject).where(MessageBody.id.in_([each.id for each in messages]))
    said = dict(session.execute(subjects).all())
    person = session.get(User, person_id)
    language = languages.language_of(person) if person is not None else languages.SOURCE
    found = []
    for head in heads:
        own = [each for each in messages if each.event_id == head.event_id]
        subject = next((said[each.id] for each in own if each.id in said), None)
        found.append(Told(head.id, head.event_id, head.kind, own, subject, language))
    return found
