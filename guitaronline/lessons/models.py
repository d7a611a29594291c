"""What was, or will be, taught. Bookings stand above lessons: they make and cancel them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class LessonStatus(StrEnum):
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELED = "canceled"


class NoShowSide(StrEnum):
    STUDENT = "student"
    TEACHER = "teacher"
    TECHNICAL = "technical"


@guard_status
class Lesson(Timestamps, Versioned, Base):
    __tablename__ = "lessons"
    __table_args__ = (
        CheckConstraint("(status = 'no_show') = (no_show_side IS NOT NULL)", name="no_show_has_side"),
        Index("ix_lessons_student_start", "student_id", "scheduled_start_at", "id"),
        Index("ix_lessons_teacher_start", "teacher_id", "scheduled_start_at", "id"),
        Index("ix_lessons_start", "scheduled_start_at", "id"),
        Index(
            "ix_lessons_not_given",
            "status",
            "scheduled_start_at",
            "id",
            postgresql_where=text("status IN ('no_show', 'canceled')"),
        ),
        Index(
            "ix_lessons_side",
            "no_show_side",
            "scheduled_start_at",
            "id",
            postgresql_where=text("no_show_side IS NOT NULL"),
        ),
        Index("ix_lessons_open_end", "scheduled_end_at", postgresql_where=text("status = 'scheduled'")),
    )
    states: ClassVar[StateTable] = StateTable(
        "lessons",
        {
            LessonStatus.SCHEDULED: "will be given, or its outcome is not yet recorded",
            LessonStatus.COMPLETED: "was given",
            LessonStatus.NO_SHOW: "somebody did not come; `no_show_side` says who",
            LessonStatus.CANCELED: "its booking was called off",
        },
        [
            Move(None, LessonStatus.SCHEDULED, "lesson.created"),
            Move(LessonStatus.SCHEDULED, LessonStatus.COMPLETED, "lesson.completed"),
            Move(LessonStatus.SCHEDULED, LessonStatus.NO_SHOW, "lesson.no_show"),
            Move(LessonStatus.SCHEDULED, LessonStatus.CANCELED, "lesson.canceled"),
            Move(LessonStatus.COMPLETED, LessonStatus.NO_SHOW, "lesson.outcome_corrected"),
            Move(LessonStatus.NO_SHOW, LessonStatus.COMPLETED, "lesson.outcome_corrected"),
            Move(LessonStatus.NO_SHOW, LessonStatus.NO_SHOW, "lesson.outcome_corrected"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('LES'::text, 'lesson_reference'::text)"), unique=True
    )
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))  # the one that pays for it
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    scheduled_start_at: Mapped[datetime]
    scheduled_end_at: Mapped[datetime]
    status: Mapped[LessonStatus] = mapped_column(choice(LessonStatus, "status_known"))
    no_show_side: Mapped[NoShowSide | None] = mapped_column(choice(NoShowSide, "side_known"))
    outcome_at: Mapped[datetime | None]
    settlement: Mapped[int] = mapped_column(
        default=1, server_default=text("1")
    )  # n in the ledger's `settle:<booking>:<n>`
    is_returned: Mapped[bool] = mapped_column(
        default=False, server_default=text("false")
    )  # settlement n was given back
    join_url: Mapped[str | None]  # its own; else the teacher's meeting_url is shown
    topic: Mapped[str | None]
    notes: Mapped[str | None]  # for the student
    private_note: Mapped[str | None]  # for teacher and staff
    homework: Mapped[str | None]
    links: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    student: Mapped[User] = relationship(foreign_keys=[student_id], viewonly=True)
    teacher: Mapped[User] = relationship(foreign_keys=[teacher_id], viewonly=True)
