"""What providers of messages told afterwards, as it came."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id, choice
from guitaronline.notifications.models import Channel


class ReportStatus(StrEnum):
    RECEIVED = "received"
    APPLIED = "applied"
    IGNORED = "ignored"  # of a message that is not ours, or nothing that changes one
    DEAD = "dead"  # it cannot be read, or every attempt failed


class MessageReport(Base):
    """A report, its signature verified, and how far we are with it. The table is the queue."""

    __tablename__ = "message_reports"
    __table_args__ = (
        UniqueConstraint("channel", "event_id", name="uq_message_reports_once"),
        Index("ix_message_reports_due", "available_at", "id", postgresql_where=text("status = 'received'")),
        Index("ix_message_reports_received_at", "received_at"),
    )

    id: Mapped[Id]
    channel: Mapped[Channel] = mapped_column(choice(Channel, "channel_known"))
    event_id: Mapped[str]  # theirs, else made of the content
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    received_at: Mapped[datetime]
    status: Mapped[ReportStatus] = mapped_column(choice(ReportStatus, "status_known"), server_default="received")
    message_id: Mapped[UUID | None]  # ours, once it is found
    attempts: Mapped[int] = mapped_column(server_default="0")
    available_at: Mapped[datetime]
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    closed_at: Mapped[datetime | None]
