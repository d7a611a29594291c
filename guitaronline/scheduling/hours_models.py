"""When a teacher gives lessons, week after week, and when not: weekly hours, time off, the school's closures."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class WeeklyHours(Timestamps, Base):
    """A stretch of the teacher's wall clock on one weekday, cut into lessons. A teacher's rows are replaced as a whole."""

    __tablename__ = "weekly_hours"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_known"),
        CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name="lesson_length"),
        CheckConstraint("buffer_minutes BETWEEN 0 AND 240", name="buffer_length"),
        CheckConstraint("valid_until >= valid_from", name="validity_in_order"),
        Index("ix_weekly_hours_teacher_id", "teacher_id", "weekday", "start_local"),
    )

    id: Mapped[Id]
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    weekday: Mapped[int] = mapped_column(SmallInteger)  # 0 is Monday
    start_local: Mapped[time]
    end_local: Mapped[time]  # at or before the start: on the next day; 00:00 is midnight
    lesson_minutes: Mapped[int] = mapped_column(SmallInteger)
    buffer_minutes: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    valid_from: Mapped[date | None]  # the first day, in the teacher's calendar
    valid_until: Mapped[date | None]  # the last day


class Horizon(Base):
    """How far a teacher's hours have been turned into slots, and when that is to be looked at again. Bookkeeping."""

    __tablename__ = "horizons"
    __table_args__ = (Index("ix_horizons_due_at", "due_at"),)

    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    zone: Mapped[str]  # of the teacher when it was done; another one now means: do it again
    until: Mapped[date]  # the last day, in the teacher's calendar, that was turned into slots
    due_at: Mapped[datetime]


class AbsenceStatus(StrEnum):
    PLANNED = "planned"
    CANCELED = "canceled"


@guard_status
class TimeOff(Timestamps, Versioned, Base):
    """A teacher is away during `[start_at, end_at)`; nothing of theirs is offered then."""

    __tablename__ = "time_off"
    __table_args__ = (
        CheckConstraint("end_at > start_at AND end_at - start_at <= interval '366 days'", name="in_order"),
        CheckConstraint("isfinite(start_at) AND isfinite(end_at) AND end_at < '9999-01-01'", name="finite"),
        Index("ix_time_off_teacher_end", "teacher_id", "end_at", postgresql_where=text("status = 'planned'")),
        Index("ix_time_off_end", "end_at", postgresql_where=text("status = 'planned'")),
    )
    states: ClassVar[StateTable] = StateTable(
        "time_off",
        {AbsenceStatus.PLANNED: "the teacher is away then", AbsenceStatus.CANCELED: "called off"},
        [
            Move(None, AbsenceStatus.PLANNED, "time_off.created"),
            Move(AbsenceStatus.PLANNED, AbsenceStatus.CANCELED, "time_off.canceled"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('OFF'::text, 'time_off_reference'::text)"), unique=True
    )
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    reason: Mapped[str | None]  # the teacher's words; personal
    status: Mapped[AbsenceStatus] = mapped_column(choice(AbsenceStatus, "status_known"))
    teacher: Mapped[User] = relationship(viewonly=True)


@guard_status
class Closure(Timestamps, Versioned, Base):
    """The school gives no lessons on these days of its own calendar (SCHOOL_TIMEZONE)."""

    __tablename__ = "closures"
    __table_args__ = (
        CheckConstraint("last_day >= first_day AND last_day - first_day < 366", name="days_in_order"),
        CheckConstraint("end_at > start_at", name="in_order"),
        Index("ix_closures_end", "end_at", postgresql_where=text("status = 'planned'")),
        Index("uq_closures_uid", "uid", unique=True, postgresql_where=text("status = 'planned'")),
    )
    states: ClassVar[StateTable] = StateTable(
        "closures",
        {AbsenceStatus.PLANNED: "the school is closed then", AbsenceStatus.CANCELED: "called off"},
        [
            Move(None, AbsenceStatus.PLANNED, "closure.created"),
            Move(AbsenceStatus.PLANNED, AbsenceStatus.CANCELED, "closure.canceled"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('CLO'::text, 'closure_reference'::text)"), unique=True
    )
    name: Mapped[str]
    first_day: Mapped[date]
    last_day: Mapped[date]
    start_at: Mapped[datetime]  # the first day's midnight in the school's zone
    end_at: Mapped[datetime]  # the midnight after the last day
    uid: Mapped[str | None]  # of the calendar event it was imported from
    status: Mapped[AbsenceStatus] = mapped_column(choice(AbsenceStatus, "status_known"))
