"""People who were two records and are one: the merge, every row that changed hands, and pairs that look alike."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User


class PersonMerge(Timestamps, Versioned, Base):
    """The loser is a pointer to the winner from `created_at` until it is undone."""

    __tablename__ = "person_merges"
    __table_args__ = (
        CheckConstraint("winner_id <> loser_id", name="two_records"),
        CheckConstraint("(undone_at IS NULL) = (rows_back IS NULL)", name="undone_as_a_whole"),
        CheckConstraint("rows_back <= rows_moved", name="no_more_back_than_moved"),
        CheckConstraint("undone_at <= created_at + interval '30 days'", name="undone_within_a_month"),
        Index("uq_person_merges_standing", "loser_id", unique=True, postgresql_where=text("undone_at IS NULL")),
        Index("ix_person_merges_winner", "winner_id", "id"),
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('MRG'::text, 'merge_reference'::text)"), unique=True
    )
    winner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    loser_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    fields: Mapped[dict[str, Any]] = mapped_column(JSONB)  # name → what the winner and the loser had before
    loser_was_active: Mapped[bool]
    rows_moved: Mapped[int]
    undone_at: Mapped[datetime | None]
    rows_back: Mapped[int | None]  # of those that moved; what changed since stays
    winner: Mapped[User] = relationship(foreign_keys=[winner_id], viewonly=True)
    loser: Mapped[User] = relationship(foreign_keys=[loser_id], viewonly=True)


class MergedRow(Base):
    """A row that belonged to the loser and belongs to the winner since. Append-only."""

    __tablename__ = "merged_rows"
    __table_args__ = (UniqueConstraint("merge_id", "table_name", "column_name", "row_id", name="uq_merged_rows_once"),)

    id: Mapped[Id]
    merge_id: Mapped[UUID] = mapped_column(ForeignKey("person_merges.id"))
    table_name: Mapped[str]
    column_name: Mapped[str]
    row_id: Mapped[UUID]
    created_at: Mapped[datetime]


class Likeness(StrEnum):
    PHONE = "phone"  # the same name and the same telephone number
    GUARDIAN = "guardian"  # the same name and the same guardian


class DuplicatePair(Timestamps, Versioned, Base):
    """Two students who may be one; `first_id` is the older record."""

    __tablename__ = "duplicate_pairs"
    __table_args__ = (
        CheckConstraint("first_id < second_id", name="in_order"),
        UniqueConstraint("first_id", "second_id", name="uq_duplicate_pairs_once"),
        Index("ix_duplicate_pairs_second", "second_id"),
        Index("ix_duplicate_pairs_open", "id", postgresql_where=text("dismissed_at IS NULL")),
    )

    id: Mapped[Id]
    first_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    second_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    why: Mapped[Likeness] = mapped_column(choice(Likeness, "why_known"))
    dismissed_at: Mapped[datetime | None]  # somebody looked: they are two people
    first: Mapped[User] = relationship(foreign_keys=[first_id], viewonly=True)
    second: Mapped[User] = relationship(foreign_keys=[second_id], viewonly=True)
