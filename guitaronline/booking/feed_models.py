"""The secret link at which a person's calendar asks for their lessons."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id, Timestamps


class CalendarFeed(Timestamps, Base):
    """Whoever knows the link reads the lessons; one works at a time a person. Kept as SHA-256 only."""

    __tablename__ = "calendar_feeds"
    __table_args__ = (
        CheckConstraint("octet_length(token_hash) = 32", name="is_sha256"),
        Index("uq_calendar_feeds_live", "user_id", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    revoked_at: Mapped[datetime | None]
