"""What teachers get: dated rates, other work and deductions, and a statement a month that nobody changes any more."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.identity.models import User


class RateUnit(StrEnum):
    LESSON = "lesson"
    HOUR = "hour"


class TeacherRate(Timestamps, Versioned, Base):
    """What a teacher gets for lessons on these days of the school. Two for the same lessons cannot hold on one day."""

    __tablename__ = "teacher_rates"
    __table_args__ = (
        CheckConstraint("amount_minor BETWEEN 0 AND 1000000000000", name="amount_range"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name="lesson_minutes_plausible"),
        CheckConstraint("valid_until > valid_from", name="some_days"),
        ExcludeConstraint(
            (text("teacher_id"), "="),
            (text("coalesce(lesson_minutes, 0)"), "="),
            (text("daterange(valid_from, valid_until)"), "&&"),
            using="gist",
            name="teacher_rates_no_overlap",
        ),
        Index("ix_teacher_rates_teacher", "teacher_id", "valid_from"),
    )

    id: Mapped[Id]
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    unit: Mapped[RateUnit] = mapped_column(choice(RateUnit, "unit_known"))
    lesson_minutes: Mapped[int | None]  # None: lessons of any length that has no rate of its own
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)  # the first day on which it holds no more
    teacher: Mapped[User] = relationship(viewonly=True)


class TeacherStatement(Timestamps, Base):
    """What a teacher gets for a month, approved by another person; the month is locked, and corrections land in a later one."""

    __tablename__ = "teacher_statements"
    __table_args__ = (
        UniqueConstraint("teacher_id", "month", name="uq_teacher_statements_month"),
        CheckConstraint("extract(day FROM month) = 1", name="first_of_month"),
        CheckConstraint("approved_by <> teacher_id", name="four_eyes"),
        Index("ix_teacher_statements_month", "month", "id"),
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('TST'::text, 'statement_reference'::text)"), unique=True
    )
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    month: Mapped[date] = mapped_column(Date)  # its first day, in the school's zone
    approved_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    approved_at: Mapped[datetime]
    teacher: Mapped[User] = relationship(foreign_keys=[teacher_id], viewonly=True)


class LineKind(StrEnum):
    LESSON = "lesson"
    CORRECTION = "correction"  # of a lesson in a month that is locked
    WORK = "work"
    DEDUCTION = "deduction"


class StatementExtra(Timestamps, Base):
    """Other work or a deduction for a month that is not locked yet; becomes a line of its statement. Append-only."""

    __tablename__ = "statement_extras"
    __table_args__ = (
        CheckConstraint("kind IN ('work', 'deduction')", name="no_lesson"),
        CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_range"),
        CheckConstraint("extract(day FROM month) = 1", name="first_of_month"),
        CheckConstraint("made_by <> teacher_id", name="by_another"),
        Index("ix_statement_extras_teacher", "teacher_id", "month", "id"),
    )

    id: Mapped[Id]
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    month: Mapped[date] = mapped_column(Date)
    kind: Mapped[LineKind] = mapped_column(choice(LineKind, "kind_known"))
    amount_minor: Mapped[Minor]  # positive; the kind says whether it is added or taken off
    currency: Mapped[Currency]
    reason: Mapped[str]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))


class StatementLine(Base):
    """One line of a statement, as it was approved. Append-only.

    The lines of a lesson, over all statements, add up to what it is paid with; the newest says for which outcome."""

    __tablename__ = "statement_lines"
    __table_args__ = (
        UniqueConstraint("statement_id", "position", name="uq_statement_lines_position"),
        UniqueConstraint("lesson_id", "revision", name="uq_statement_lines_revision"),
        CheckConstraint("(lesson_id IS NULL) = (kind IN ('work', 'deduction'))", name="lesson_or_other"),
        CheckConstraint("(lesson_id IS NULL) = (revision IS NULL)", name="revision_of_lesson"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        Index("uq_statement_lines_extra", "extra_id", unique=True),
    )

    id: Mapped[Id]
    statement_id: Mapped[UUID] = mapped_column(ForeignKey("teacher_statements.id"))
    position: Mapped[int]
    kind: Mapped[LineKind] = mapped_column(choice(LineKind, "kind_known"))
    day: Mapped[date | None] = mapped_column(Date)  # of the lesson, in the school's zone
    lesson_id: Mapped[UUID | None] = mapped_column(ForeignKey("lessons.id"))
    revision: Mapped[int | None]  # 1, 2, 3 … of the lesson
    outcome: Mapped[str | None]  # for which the lesson is paid from here on
    minutes: Mapped[int | None]
    rate_id: Mapped[UUID | None] = mapped_column(ForeignKey("teacher_rates.id"))
    extra_id: Mapped[UUID | None] = mapped_column(ForeignKey("statement_extras.id"))
    words: Mapped[str]
    amount_minor: Mapped[Minor]  # negative: taken off
    currency: Mapped[Currency]
    created_at: Mapped[datetime]
