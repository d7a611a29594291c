"""Saved views: what somebody wants to see of a list, under a name."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.actor import Role
from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User


class SavedView(Timestamps, Versioned, Base):
    """A selection of one list. Its owner's alone, shared with all staff, or what a role sees first."""

    __tablename__ = "saved_views"
    __table_args__ = (
        CheckConstraint("default_for IS NULL OR is_shared", name="default_is_shared"),
        CheckConstraint("length(name) BETWEEN 1 AND 60", name="name_length"),
        UniqueConstraint("owner_id", "desk", "name", name="uq_saved_views_name"),
        Index("ix_saved_views_shared", "desk", "name", postgresql_where=text("is_shared")),
        Index(
            "uq_saved_views_default",
            "desk",
            "default_for",
            unique=True,
            postgresql_where=text("default_for IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    desk: Mapped[str]  # the list's path
    name: Mapped[str]
    selection: Mapped[dict[str, Any]]  # search, filters, sort, is_descending: as typed, read anew each time
    columns: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))  # empty: the usual ones
    is_shared: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    default_for: Mapped[Role | None] = mapped_column(choice(Role, "default_for_known"))
    owner: Mapped[User] = relationship(viewonly=True)
