"""The same lesson, week after week. Each of its lessons is an ordinary booking that knows its series and its day."""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class SeriesStatus(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"
    CANCELED = "canceled"


@guard_status
class LessonSeries(Timestamps, Versioned, Base):
    """The rule by which its lessons were booked and by which more are booked; what each lesson is stands with its booking."""

    __tablename__ = "lesson_series"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_known"),
        CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name="lesson_length"),
        CheckConstraint("interval_weeks BETWEEN 1 AND 2", name="interval_known"),
        CheckConstraint("last_day >= first_day", name="days_in_order"),
        CheckConstraint("student_id <> teacher_id", name="two_people"),
        Index("ix_lesson_series_student", "student_id", "id"),
        Index("ix_lesson_series_teacher", "teacher_id", "id"),
        Index("ix_lesson_series_last_day", "last_day", "id"),
    )
    states: ClassVar[StateTable] = StateTable(
        "lesson_series",
        {
            SeriesStatus.ACTIVE: "its lessons are booked; more may follow",
            SeriesStatus.ENDED: "its last day is over, or it was ended earlier",
            SeriesStatus.CANCELED: "called off as a whole",
        },
        [
            Move(None, SeriesStatus.ACTIVE, "series.created"),
            Move(SeriesStatus.ACTIVE, SeriesStatus.ENDED, "series.ended"),
            Move(SeriesStatus.ACTIVE, SeriesStatus.CANCELED, "series.canceled"),
            Move(SeriesStatus.ENDED, SeriesStatus.CANCELED, "series.canceled"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('SER'::text, 'series_reference'::text)"), unique=True
    )
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    weekday: Mapped[int] = mapped_column(SmallInteger)  # 0 is Monday
    start_local: Mapped[time]
    zone: Mapped[str]  # the teacher's, whose wall clock counts
    lesson_minutes: Mapped[int] = mapped_column(SmallInteger)
    interval_weeks: Mapped[int] = mapped_column(SmallInteger)
    first_day: Mapped[date]  # of the very first lesson; stays when the series moves
    last_day: Mapped[date]  # more lessons are counted on from here
    package_ids: Mapped[list[UUID]] = mapped_column(
        ARRAY(Uuid()), server_default=text("'{}'")
    )  # in the order of their use; none: any that fits
    status: Mapped[SeriesStatus] = mapped_column(choice(SeriesStatus, "status_known"))
    student: Mapped[User] = relationship(foreign_keys=[student_id], viewonly=True)
    teacher: Mapped[User] = relationship(foreign_keys=[teacher_id], viewonly=True)
