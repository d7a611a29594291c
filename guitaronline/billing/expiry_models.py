"""What the end of packages leaves behind: breakage, and whom it was told to in time. Append-only."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Currency, Id, Minor


class BreakageEntry(Base):
    """What a ledger entry earned the school, because lessons expired whose plan says so; negative when they came back.

    The entries of a package add up to what its expired lessons are worth (`worth.py`)."""

    __tablename__ = "breakage_entries"
    __table_args__ = (
        UniqueConstraint("entry_id", name="uq_breakage_entries_entry"),
        CheckConstraint("lessons <> 0", name="of_some_lessons"),
        CheckConstraint("(lessons > 0) = (amount_minor >= 0) OR amount_minor = 0", name="same_direction"),
        Index("ix_breakage_entries_package", "package_id", "id"),
        Index("ix_breakage_entries_created_at", "created_at"),
    )

    id: Mapped[Id]
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("credit_entries.id"))
    lessons: Mapped[int]
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    created_at: Mapped[datetime]


class PackageWarning(Base):
    """That a package expires in so many days was told; once for each day on which it would expire."""

    __tablename__ = "package_warnings"
    __table_args__ = (UniqueConstraint("package_id", "expires_at", "days", name="uq_package_warnings_once"),)

    id: Mapped[Id]
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))
    expires_at: Mapped[datetime]
    days: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]
