"""What students see of a teacher."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.actor import Role
from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class TeacherStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


@guard_status
class TeacherProfile(Timestamps, Versioned, Base):
    """A teacher is active when the user is active, has the role teacher, and this profile is active."""

    __tablename__ = "teacher_profiles"
    __table_args__ = (
        CheckConstraint("experience_years BETWEEN 0 AND 80", name="experience_plausible"),
        Index("ix_teacher_profiles_tags", "tags", postgresql_using="gin"),
    )
    states: ClassVar[StateTable] = StateTable(
        "teacher_profiles",
        {TeacherStatus.ACTIVE: "offered to students", TeacherStatus.DISABLED: "nothing of theirs is offered"},
        [
            Move(None, TeacherStatus.ACTIVE, "teacher.created"),
            Move(TeacherStatus.ACTIVE, TeacherStatus.DISABLED, "teacher.disabled"),
            Move(TeacherStatus.DISABLED, TeacherStatus.ACTIVE, "teacher.enabled"),
        ],
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), unique=True)
    display_name: Mapped[str]
    bio: Mapped[str] = mapped_column(server_default="")
    experience_years: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    meeting_url: Mapped[str | None]
    status: Mapped[TeacherStatus] = mapped_column(choice(TeacherStatus, "status_known"))
    user: Mapped[User] = relationship(viewonly=True)

    @property
    def is_teaching(self) -> bool:
        """Twin of `queries.ACTIVE_TEACHER`."""
        return self.user.is_active and self.user.role is Role.TEACHER and self.status is TeacherStatus.ACTIVE
