"""What is the teacher's own: each question names the teacher, so that nobody else's record can come out of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, joinedload

from guitaronline.booking import facts
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.errors import NotFound
from guitaronline.finance.statement_models import TeacherStatement
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.scheduling.hours_models import TimeOff
from guitaronline.scheduling.models import Slot

OVERDUE_SHOWN = 20
LESSONS_SHOWN = 400  # of a month, or of a student
MONTHS_SHOWN = 13
ZONES_SHOWN = 6
R = TypeVar("R")


@dataclass(frozen=True)
class StudentZone:
    """Where students of the teacher live."""

    zone: str
    students: int


@dataclass(frozen=True)
class Month:
    first_day: date
    taken: int
    missed: int  # the student did not come
    returned: int  # not given, and not the student's doing
    open: int  # no outcome yet


def own_booking(session: Session, teacher_id: UUID, booking_id: UUID) -> Booking:
    """With its student and lesson. Raises NotFound."""
    query = select(Booking).where(Booking.id == booking_id, Booking.teacher_id == teacher_id)
    query = query.options(joinedload(Booking.student), joinedload(Booking.lesson))
    return _found(session.scalars(query).one_or_none())


def own_slot(session: Session, teacher_id: UUID, slot_id: UUID) -> Slot:
    return _found(session.scalars(select(Slot).where(Slot.id == slot_id, Slot.teacher_id == teacher_id)).one_or_none())


def own_statement(session: Session, teacher_id: UUID, statement_id: UUID) -> TeacherStatement:
    query = select(TeacherStatement).where(
        TeacherStatement.id == statement_id, TeacherStatement.teacher_id == teacher_id
    )
    return _found(session.scalars(query).one_or_none())


def own_time_off(session: Session, teacher_id: UUID, time_off_id: UUID) -> TimeOff:
    query = select(TimeOff).where(TimeOff.id == time_off_id, TimeOff.teacher_id == teacher_id)
    return _found(session.scalars(query).one_or_none())


def own_student(session: Session, teacher_id: UUID, student_id: UUID) -> User:
    """Somebody who has, or had, a confirmed booking with the teacher. Raises NotFound. ix_bookings_student_start"""
    taught = select(Booking.id).where(
        Booking.student_id == student_id, Booking.teacher_id == teacher_id, Booking.confirmed_at.is_not(None)
    )
    return _found(session.scalars(select(User).where(User.id == student_id, taught.exists())).one_or_none())


def live_booking_of(session: Session, slot_id: UUID, now: datetime) -> Booking | None:
    """Who has the slot. bookings_one_active_per_slot"""
    query = select(Booking).where(Booking.slot_id == slot_id, facts.live(now)).options(joinedload(Booking.student))
    return session.scalars(query).one_or_none()


def lessons_between(session: Session, teacher_id: UUID, start: datetime, end: datetime) -> list[Lesson]:
    """Not canceled, soonest first, with their students. ix_lessons_teacher_start"""
    query = _lessons(teacher_id).where(Lesson.scheduled_start_at >= start, Lesson.scheduled_start_at < end)
    query = query.order_by(Lesson.scheduled_start_at, Lesson.id)
    return list(session.scalars(query.limit(LESSONS_SHOWN)))


def lessons_with(session: Session, teacher_id: UUID, student_id: UUID, *, limit: int = 60) -> list[Lesson]:
    """The teacher's lessons with that student, the latest first. ix_lessons_student_start"""
    query = _lessons(teacher_id).where(Lesson.student_id == student_id)
    return list(session.scalars(query.order_by(Lesson.scheduled_start_at.desc(), Lesson.id.desc()).limit(limit)))


def lessons_without_outcome(session: Session, teacher_id: UUID, *, before: datetime) -> list[Lesson]:
    """Started before then and still without an outcome, the oldest first."""
    query = _lessons(teacher_id).where(Lesson.status == LessonStatus.SCHEDULED, Lesson.scheduled_start_at < before)
    return list(session.scalars(query.order_by(Lesson.scheduled_start_at, Lesson.id).limit(OVERDUE_SHOWN)))


def next_lesson(session: Session, teacher_id: UUID, *, after: datetime) -> Lesson | None:
    """ix_lessons_teacher_start"""
    query = _lessons(teacher_id).where(Lesson.status == LessonStatus.SCHEDULED, Lesson.scheduled_start_at >= after)
    return session.scalars(query.order_by(Lesson.scheduled_start_at, Lesson.id).limit(1)).one_or_none()


def months_taught(session: Session, teacher_id: UUID, *, zone: str, now: datetime) -> list[Month]:
    """The last months of the teacher's calendar in which there were lessons, the latest first."""
    month = func.date_trunc("month", func.timezone(zone, Lesson.scheduled_start_at))
    query = (
        select(
            month,
            _count(Lesson.status == LessonStatus.COMPLETED),
            _count(Lesson.no_show_side == "student"),
            _count(Lesson.no_show_side.in_(["teacher", "technical"])),
            _count(Lesson.status == LessonStatus.SCHEDULED),
        )
        .where(Lesson.teacher_id == teacher_id, Lesson.scheduled_start_at <= now)
        .where(Lesson.status != LessonStatus.CANCELED)
        .group_by(month)
        .order_by(month.desc())
        .limit(MONTHS_SHOWN)
    )
    return [Month(row[0].date(), *row[1:]) for row in session.execute(query)]


def zones_of_students(session: Session, teacher_id: UUID, *, since: datetime) -> list[StudentZone]:
    """Where the students live who have lessons with the teacher since then, most first. ix_bookings_teacher_start"""
    number = func.count(Booking.student_id.distinct())
    query = (
        select(User.timezone, number)
        .join(Booking, Booking.student_id == User.id)
        .where(Booking.teacher_id == teacher_id, Booking.start_at > since, Booking.status == BookingStatus.CONFIRMED)
        .group_by(User.timezone)
        .order_by(number.desc(), User.timezone)
        .limit(ZONES_SHOWN)
    )
    return [StudentZone(*row) for row in session.execute(query)]


def times_off(session: Session, teacher_id: UUID, *, ends_after: datetime, limit: int = 50) -> list[TimeOff]:
    """Of any state, soonest first."""
    query = select(TimeOff).where(TimeOff.teacher_id == teacher_id, TimeOff.end_at > ends_after)
    return list(session.scalars(query.order_by(TimeOff.start_at, TimeOff.id).limit(limit)))


def _lessons(teacher_id: UUID) -> Select[Lesson]:
    query = select(Lesson).where(Lesson.teacher_id == teacher_id, Lesson.status != LessonStatus.CANCELED)
    return query.options(joinedload(Lesson.student))


def _count(those: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(those)


def _found(record: R | None) -> R:
    if record is None:
        raise NotFound()
    return record
