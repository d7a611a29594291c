"""What decides whether other teachers could give booked lessons at the booked times, read for many at once.

A handful of statements whatever the number of bookings and teachers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Interval, Select, Uuid, Values, and_, column, func, literal, select, values
from sqlalchemy.orm import Session

from guitaronline.booking import facts
from guitaronline.booking.models import Booking
from guitaronline.booking.rules import ActiveBooking, Place
from guitaronline.db import UtcDateTime
from guitaronline.errors import NotFound
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import BUFFER_MINUTES_MAX, SLOT_MINUTES_MAX
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import ACTIVE_TEACHER

TO_BE_MADE = UUID(int=0)  # stands for a slot that is not there yet
BUSY_LONGEST = timedelta(minutes=SLOT_MINUTES_MAX + BUFFER_MINUTES_MAX)  # a slot with its pause
LONGEST_DAY = timedelta(hours=26)  # the night the clocks go back
Pair = tuple[UUID, UUID]  # booking, teacher


@dataclass(frozen=True)
class Teacher:
    user_id: UUID
    name: str
    tags: tuple[str, ...]
    zone: str
    is_active: bool


@dataclass(frozen=True)
class Standing:
    """A slot of a teacher that touches the time of a booking, its pause included."""

    slot_id: UUID
    reference: str
    start_at: datetime
    end_at: datetime
    status: SlotStatus
    kept_until: datetime | None
    occupant: ActiveBooking | None  # a lapsed hold is told as well

    def is_at(self, booking: Booking) -> bool:
        return (self.start_at, self.end_at) == (booking.start_at, booking.end_at)


@dataclass(frozen=True)
class Stage:
    """One teacher at the time of one booking: the slot there (or the one to be made), and what lies across it."""

    place: Place
    teacher: Teacher
    slot: Standing | None  # theirs at exactly these times
    across: list[Standing]

    @property
    def active(self) -> list[ActiveBooking]:
        occupant = self.slot.occupant if self.slot else None
        return [occupant] if occupant else []


@dataclass(frozen=True)
class Around:
    """The facts about some bookings' times. A teacher who is not in `teachers` is none."""

    teachers: dict[UUID, Teacher]
    standing: dict[Pair, list[Standing]]
    away: set[Pair]
    closed: dict[UUID, str]  # by booking: the name of the closure
    days: dict[Pair, int] = field(default_factory=dict)  # live bookings on that day of the teacher's calendar

    def stage(self, booking: Booking, teacher_id: UUID, *, more_that_day: int = 0) -> Stage:
        """Raises NotFound for somebody who never taught."""
        teacher, pair = self.teachers.get(teacher_id), (booking.id, teacher_id)
        if teacher is None:
            raise NotFound()
        standing = self.standing.get(pair, [])
        slot = next((each for each in standing if each.is_at(booking)), None)
        place = Place(
            slot.slot_id if slot else TO_BE_MADE,
            teacher_id,
            booking.start_at,
            booking.end_at,
            slot.status if slot else SlotStatus.OPEN,
            teacher.is_active,
            slot.kept_until if slot else None,
            pair in self.away,
            self.closed.get(booking.id),
            self.days.get(pair, 0) + more_that_day,
        )
        return Stage(place, teacher, slot, [each for each in standing if each is not slot])


def read_around(session: Session, bookings: Sequence[Booking], now: datetime, teacher_ids: Collection[UUID]) -> Around:
    """The facts about these teachers, days counted."""
    found = read_all(session, bookings, teacher_ids)
    return replace(found, days=read_days(session, found, bookings, teacher_ids, now))


def read_all(session: Session, bookings: Sequence[Booking], teacher_ids: Collection[UUID] | None = None) -> Around:
    """The facts about these teachers, or all active ones; days are not counted."""
    people = select(
        User.id, TeacherProfile.display_name, TeacherProfile.tags, User.timezone, ACTIVE_TEACHER.label("is_active")
    ).join(TeacherProfile, TeacherProfile.user_id == User.id)
    people = people.where(ACTIVE_TEACHER) if teacher_ids is None else people.where(User.id.in_(teacher_ids))
    teachers = {row.id: Teacher(row[0], row[1], tuple(row[2]), row[3], row[4]) for row in session.execute(people)}
    if not bookings:
        return Around(teachers, {}, set(), {})
    return Around(
        teachers,
        _standing(session, bookings, teacher_ids),
        _away(session, bookings, teacher_ids),
        _closed(session, bookings),
    )


def read_days(
    session: Session, around: Around, bookings: Sequence[Booking], teacher_ids: Collection[UUID], now: datetime
) -> dict[Pair, int]:
    """As `facts.teacher_day_count` says, for each of these bookings and teachers. ix_bookings_teacher_start"""
    if not bookings or not teacher_ids:
        return {}
    first, last = min(each.start_at for each in bookings), max(each.start_at for each in bookings)
    query = select(Booking.id, Booking.teacher_id, Booking.start_at).where(
        Booking.teacher_id.in_(teacher_ids),
        Booking.start_at > first - LONGEST_DAY,
        Booking.start_at < last + LONGEST_DAY,
        facts.live(now),
    )
    by_day: dict[tuple[UUID, object], set[UUID]] = defaultdict(set)
    for row in session.execute(query):
        if row.teacher_id in around.teachers:
            by_day[row.teacher_id, day_of(around.teachers[row.teacher_id], row.start_at)].add(row.id)
    return {
        (booking.id, teacher.user_id): len(
            by_day.get((teacher.user_id, day_of(teacher, booking.start_at)), set()) - {booking.id}
        )
        for booking in bookings
        for teacher in (around.teachers[each] for each in teacher_ids if each in around.teachers)
    }


def day_of(teacher: Teacher, moment: datetime) -> object:
    """The day on the teacher's calendar."""
    return moment.astimezone(ZoneInfo(teacher.zone)).date()


def taught_before(session: Session, student_ids: Iterable[UUID], now: datetime) -> dict[Pair, int]:
    """Lessons that each student had with each teacher; canceled ones aside. ix_lessons_student_start"""
    query = (
        select(Lesson.student_id, Lesson.teacher_id, func.count())
        .where(Lesson.student_id.in_(set(student_ids)), Lesson.scheduled_start_at < now, Lesson.status != "canceled")
        .group_by(Lesson.student_id, Lesson.teacher_id)
    )
    return {(row[0], row[1]): row[2] for row in session.execute(query)}


def _wanted(bookings: Sequence[Booking]) -> Values:
    """The bookings' times as a table."""
    columns = (column("id", Uuid()), column("start_at", UtcDateTime()), column("end_at", UtcDateTime()))
    return values(*columns, name="wanted").data([(each.id, each.start_at, each.end_at) for each in bookings])


def _standing(
    session: Session, bookings: Sequence[Booking], teacher_ids: Collection[UUID] | None
) -> dict[Pair, list[Standing]]:
    """ix_availability_slots_start, or ix_availability_slots_teacher_start; bookings_one_active_per_slot"""
    wanted = _wanted(bookings)
    query = (
        select(
            wanted.c.id, Slot.teacher_id, Slot.id, Slot.reference, Slot.start_at, Slot.end_at, Slot.status,
            Slot.kept_until, *facts.BOOKING,
        )
        .select_from(wanted)
        .join(Slot, and_(Slot.start_at > wanted.c.start_at - literal(BUSY_LONGEST, Interval()), Slot.start_at < wanted.c.end_at))
        .outerjoin(Booking, and_(Booking.slot_id == Slot.id, Booking.status.in_(facts.ACTIVE)))
        .where(
            Slot.status != SlotStatus.WITHDRAWN,
            func.coalesce(Slot.busy_until, Slot.end_at) > wanted.c.start_at,
        )
    )  # fmt: skip
    if teacher_ids is not None:
        query = query.where(Slot.teacher_id.in_(teacher_ids))
    found: dict[Pair, list[Standing]] = defaultdict(list)
    for booking_id, teacher_id, slot_id, reference, start_at, end_at, status, kept_until, *on_it in session.execute(
        query
    ):
        occupant = ActiveBooking(*on_it) if on_it[0] is not None else None
        standing = Standing(slot_id, reference, start_at, end_at, status, kept_until, occupant)
        found[booking_id, teacher_id].append(standing)
    return found


def _away(session: Session, bookings: Sequence[Booking], teacher_ids: Collection[UUID] | None) -> set[Pair]:
    """ix_time_off_end"""
    wanted = _wanted(bookings)
    touches = and_(TimeOff.end_at > wanted.c.start_at, TimeOff.start_at < wanted.c.end_at)
    query = select(wanted.c.id, TimeOff.teacher_id).select_from(wanted).join(TimeOff, touches)
    query = query.where(TimeOff.status == AbsenceStatus.PLANNED)
    if teacher_ids is not None:
        query = query.where(TimeOff.teacher_id.in_(teacher_ids))
    return {(row[0], row[1]) for row in session.execute(query)}


def _closed(session: Session, bookings: Sequence[Booking]) -> dict[UUID, str]:
    """The closure that ends first, as a slot's place tells it. ix_closures_end"""
    wanted = _wanted(bookings)
    touches = and_(Closure.end_at > wanted.c.start_at, Closure.start_at < wanted.c.end_at)
    query: Select[UUID, str] = (
        select(wanted.c.id, Closure.name)
        .select_from(wanted)
        .join(Closure, touches)
        .where(Closure.status == AbsenceStatus.PLANNED)
        .order_by(Closure.end_at.desc())
    )
    return {row[0]: row[1] for row in session.execute(query)}
