"""Messages, every attempt to deliver one, and what people want to be told. The message table is the queue of delivery."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, choice
from guitaronline.identity.models import User


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    TELEGRAM = "telegram"
    IN_APP = "in_app"  # the list of the API; nothing is handed over


class MessageStatus(StrEnum):
    """A queue's states, moved by who holds the lease (as those of the outbox), so not by `Work.move`."""

    QUEUED = "queued"
    SENT = "sent"  # the channel took it
    FAILED = "failed"  # dead: no further attempt by itself
    SUPPRESSED = "suppressed"  # not true any more, too late, not wanted, nowhere to send it
    UNCERTAIN = "uncertain"  # about money, and its worker died between handing over and writing it down


WAITING = "status = 'queued'"
DEAD = "status IN ('failed', 'uncertain')"


class Message(Base):
    """One event told to one person by one channel. Never twice: the constraint is the guard (I9)."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("event_id", "person_id", "channel", name="uq_messages_once"),
        CheckConstraint("(status = 'queued') = (closed_at IS NULL)", name="closed_unless_queued"),
        CheckConstraint("(status = 'suppressed') = (suppressed_because IS NOT NULL)", name="suppressed_with_words"),
        Index("ix_messages_due", "channel", "available_at", "id", postgresql_where=text(WAITING)),
        Index("ix_messages_oldest", "happened_at", postgresql_where=text(WAITING)),
        Index("ix_messages_person", "person_id", "id"),
        Index("ix_messages_record", "record_type", "record_id", "id"),
        Index("ix_messages_dead", "last_error", "kind", "id", postgresql_where=text(DEAD)),
        Index("ix_messages_sent_at", "sent_at", postgresql_where=text("sent_at IS NOT NULL")),
        Index(
            "ix_messages_happened_at", "happened_at", postgresql_using="brin"
        ),  # rows come in its order: days are found for nothing
        Index("ix_messages_reference", "reference", postgresql_where=text("reference IS NOT NULL")),
    )

    id: Mapped[Id]
    event_id: Mapped[UUID]  # the outbox event's, or made of what was found (reminders)
    kind: Mapped[str]  # key of `kinds.KINDS`
    person_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    channel: Mapped[Channel] = mapped_column(choice(Channel, "channel_known"))
    record_type: Mapped[str]  # a table's name
    record_id: Mapped[UUID]
    facts: Mapped[dict[str, Any]] = mapped_column(
        JSONB
    )  # ids, revisions and plain facts of the event; no personal data
    status: Mapped[MessageStatus] = mapped_column(choice(MessageStatus, "status_known"), server_default="queued")
    happened_at: Mapped[datetime]  # when the event was committed, or the reminder became due
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    available_at: Mapped[datetime]  # not before: quiet hours, back-off
    not_after: Mapped[datetime | None]  # later it makes no sense
    attempts: Mapped[int] = mapped_column(server_default="0")  # counted at the claim
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    handed_at: Mapped[datetime | None]  # about money: written before the channel is given it
    sent_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    reference: Mapped[str | None]  # Message-ID, or the provider's id
    last_error: Mapped[str | None]  # a code, no values
    suppressed_because: Mapped[str | None]  # a code of `truth` or `planning`
    person: Mapped[User] = relationship(viewonly=True)


class MessageBody(Base):
    """The message as it was sent, for who asks what the person was told. Personal: goes with erasure and after its time."""

    __tablename__ = "message_bodies"

    id: Mapped[UUID] = mapped_column(ForeignKey("messages.id"), primary_key=True)  # the message's
    sent_to: Mapped[str]
    language: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str | None]
    calendar: Mapped[str | None]  # an attached .ics
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"  # no answer after it was handed over
    BOUNCED = "bounced"  # told later, through the inbox


class MessageAttempt(Base):
    """What one attempt came to. Append-only."""

    __tablename__ = "message_attempts"
    __table_args__ = (Index("ix_message_attempts_message", "message_id", "id"),)

    id: Mapped[Id]
    message_id: Mapped[UUID] = mapped_column(ForeignKey("messages.id"))
    number: Mapped[int]
    outcome: Mapped[Outcome] = mapped_column(choice(Outcome, "outcome_known"))
    code: Mapped[str | None]  # such as 550 or timeout
    answer: Mapped[str | None]  # what the other side said, cut, without the address
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class ChannelState(Base):
    """How a channel fares: its circuit breaker and its pace, shared by all workers."""

    __tablename__ = "channel_states"

    channel: Mapped[Channel] = mapped_column(choice(Channel, "channel_known"), primary_key=True)
    failures: Mapped[int] = mapped_column(server_default="0")  # in a row, of the channel itself
    open_until: Mapped[datetime | None]  # nothing is handed over until then
    next_at: Mapped[datetime | None]  # when the pace allows the next one
    last_sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


class Preference(StrEnum):
    """What a person may switch off. Account, money and changes of lessons are always told."""

    REMINDERS = "reminders"
    PACKAGES = "packages"  # low and expiring
    OFFERS = "offers"  # freed times, news written by staff


class MessagePreference(Timestamps, Base):
    """What a person said about one of them; without a row it is on."""

    __tablename__ = "message_preferences"
    __table_args__ = (UniqueConstraint("person_id", "preference", name="uq_message_preferences_once"),)

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    preference: Mapped[Preference] = mapped_column(choice(Preference, "preference_known"))
    is_on: Mapped[bool]
