"""Who was erased, and who read whose contact data in clear."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id
from guitaronline.identity.models import User


class Erasure(Base):
    """A person was erased. Append-only, and exported: after a restore everybody in it is erased again."""

    __tablename__ = "erasures"
    __table_args__ = (
        UniqueConstraint("person_id", name="uq_erasures_person_id"),
        Index("ix_erasures_at", "at", "id"),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    erased_by: Mapped[UUID | None]  # no foreign key: a journal from another database may name whom this one has not
    at: Mapped[datetime]  # of the first erasure, also where it was done again
    digest: Mapped[str]  # of person, moment and who; a line of the journal is read against it
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB)  # table → rows
    person: Mapped[User] = relationship(viewonly=True)


class ContactReading(Base):
    """A member of staff saw a person's contact data in clear on that day (UTC). A technical table: written while pages are read."""

    __tablename__ = "contact_readings"
    __table_args__ = (
        UniqueConstraint("person_id", "reader_id", "day", name="uq_contact_readings_once"),
        Index("ix_contact_readings_last", "last_at", "id"),
        Index("ix_contact_readings_reader", "reader_id", "last_at", "id"),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    day: Mapped[date]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(server_default=text("1"))
    person: Mapped[User] = relationship(foreign_keys=[person_id], viewonly=True)
    reader: Mapped[User] = relationship(foreign_keys=[reader_id], viewonly=True)
