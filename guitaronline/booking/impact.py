"""What an absence touches: the bookings inside it, and why a booking waits for a decision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, joinedload

from guitaronline.booking import facts
from guitaronline.booking.absence_models import KeptBooking
from guitaronline.booking.models import Booking, CancelCause
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import ACTIVE_TEACHER

AFFECTED_MAX = 500  # lessons of one teacher in eight weeks at nine a day


@dataclass(frozen=True)
class Why:
    """One thing that stands against a booking ahead: its teacher is not active (`absence` None), away, or the school closed."""

    absence: TimeOff | Closure | None
    is_kept: bool = False  # it was decided to give the lesson all the same

    @property
    def cause(self) -> CancelCause:
        return CancelCause.SCHOOL if isinstance(self.absence, Closure) else CancelCause.TEACHER

    @property
    def words(self) -> str:
        if isinstance(self.absence, Closure):
            return f"The school is closed: {self.absence.name}."
        return "The teacher is away." if self.absence else "The teacher is not active any more."


def inside(start: datetime, end: datetime, now: datetime) -> ColumnElement[bool]:
    """SQL, over Booking: live, ahead, and some of it lies in `[start, end)`."""
    return and_(
        facts.live(now),
        Booking.start_at > now,
        Booking.start_at > start - facts.LONGEST,
        Booking.start_at < end,
        Booking.end_at > start,
    )


def affected(
    session: Session,
    teacher_id: UUID | None,
    start: datetime,
    end: datetime,
    now: datetime,
    *,
    limit: int = AFFECTED_MAX,
) -> list[Booking]:
    """Bookings ahead that an absence in `[start, end)` touches, soonest first: the teacher's, or with None the school's."""
    query = select(Booking).where(inside(start, end, now))  # ix_bookings_start
    if teacher_id is not None:
        query = query.where(Booking.teacher_id == teacher_id)  # ix_bookings_teacher_start
    query = query.order_by(Booking.start_at, Booking.id).limit(limit)
    people = (joinedload(Booking.student), joinedload(Booking.teacher))
    return list(session.scalars(query.options(*people), execution_options=facts.FRESH))


def count_affected(
    session: Session, teacher_id: UUID | None, start: datetime, end: datetime, now: datetime, *, up_to: int = 1000
) -> int:
    """How many there are; `up_to` and one more when there are more."""
    query = select(Booking.id).where(inside(start, end, now))
    if teacher_id is not None:
        query = query.where(Booking.teacher_id == teacher_id)
    return session.scalar(select(func.count()).select_from(query.limit(up_to + 1).subquery())) or 0


def whys(session: Session, bookings: Sequence[Booking], now: datetime) -> dict[UUID, list[Why]]:
    """For each of these bookings all that stands against it, whether decided or not; four statements for all of them.

    The twin of `waiting.needs_decision`: a live booking ahead waits when one of these is not kept."""
    if not bookings:
        return {}
    start, end = min(each.start_at for each in bookings), max(each.end_at for each in bookings)
    teachers = {each.teacher_id for each in bookings}
    kept = _kept(session, [each.id for each in bookings])
    active = _active(session, teachers)
    absences: list[TimeOff | Closure] = [*_time_off(session, teachers, start, end), *_closures(session, start, end)]
    found: dict[UUID, list[Why]] = defaultdict(list)
    for booking in bookings:
        if booking.teacher_id not in active:
            found[booking.id].append(Why(None))
        found[booking.id] += [
            Why(each, each.id in kept[booking.id]) for each in absences if stands_against(each, booking)
        ]
    return found


def stands_against(absence: TimeOff | Closure, booking: Booking) -> bool:
    """A rule: whether the booking lies, in part at least, inside the planned absence."""
    if absence.status is not AbsenceStatus.PLANNED:
        return False
    if isinstance(absence, TimeOff) and absence.teacher_id != booking.teacher_id:
        return False
    return absence.start_at < booking.end_at and booking.start_at < absence.end_at


def undecided(found: Iterable[Why]) -> list[Why]:
    return [each for each in found if not each.is_kept]


def cause_of(found: Sequence[Why]) -> CancelCause:
    """Whose doing it is when the booking is called off: the school's where it is closed, else the teacher's."""
    return CancelCause.SCHOOL if any(each.cause is CancelCause.SCHOOL for each in found) else CancelCause.TEACHER


def _kept(session: Session, booking_ids: Sequence[UUID]) -> dict[UUID, set[UUID]]:
    """The absences in spite of which each stands. ix_kept_bookings_booking_id"""
    absence = func.coalesce(KeptBooking.time_off_id, KeptBooking.closure_id)
    found: dict[UUID, set[UUID]] = defaultdict(set)
    query = select(KeptBooking.booking_id, absence).where(KeptBooking.booking_id.in_(booking_ids))
    for booking_id, absence_id in session.execute(query):
        found[booking_id].add(absence_id)
    return found


def _active(session: Session, teachers: Iterable[UUID]) -> set[UUID]:
    query = select(TeacherProfile.user_id).join(User, User.id == TeacherProfile.user_id)
    return set(session.scalars(query.where(ACTIVE_TEACHER, TeacherProfile.user_id.in_(teachers))))


def _time_off(session: Session, teachers: Iterable[UUID], start: datetime, end: datetime) -> list[TimeOff]:
    """ix_time_off_teacher_end"""
    query = select(TimeOff).where(
        TimeOff.teacher_id.in_(teachers),
        TimeOff.status == AbsenceStatus.PLANNED,
        TimeOff.end_at > start,
        TimeOff.start_at < end,
    )
    return list(session.scalars(query.order_by(TimeOff.start_at, TimeOff.id), execution_options=facts.FRESH))


def _closures(session: Session, start: datetime, end: datetime) -> list[Closure]:
    """ix_closures_end"""
    query = select(Closure).where(
        Closure.status == AbsenceStatus.PLANNED, Closure.end_at > start, Closure.start_at < end
    )
    return list(session.scalars(query.order_by(Closure.start_at, Closure.id), execution_options=facts.FRESH))
