"""What the booking rules look at, read from the database: unlocked for `explain` and previews, locked for commands.

The statements stand ready-made: a hold is the hottest path of the product.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Interval,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import Role
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking import rules
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.rules import ActiveBooking, Liberties, Place, Purse, Student
from guitaronline.db import UtcDateTime
from guitaronline.errors import NotFound, Reason
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.scheduling.models import Slot
from guitaronline.scheduling.rules import SLOT_MINUTES_MAX
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import ACTIVE_TEACHER

ACTIVE = (BookingStatus.HOLD, BookingStatus.CONFIRMED)
LONGEST = timedelta(minutes=SLOT_MINUTES_MAX)  # nothing that started longer ago is still going on
FRESH = {"populate_existing": True}

SLOT: BindParameter[UUID] = bindparam("slot")
STUDENT: BindParameter[UUID] = bindparam("student")
PACKAGE: BindParameter[UUID] = bindparam("package")
NOW, RECENT = bindparam("now", type_=UtcDateTime()), bindparam("recent", type_=UtcDateTime())


def lapsed(now: Any) -> ColumnElement[bool]:
    """SQL twin of `rules.is_lapsed`."""
    return and_(Booking.status == BookingStatus.HOLD, Booking.hold_expires_at <= now)


def live(now: Any) -> ColumnElement[bool]:
    """SQL: occupies its slot: confirmed, or a hold that has not lapsed."""
    return and_(
        Booking.status.in_(ACTIVE), or_(Booking.status == BookingStatus.CONFIRMED, Booking.hold_expires_at > now)
    )


_people = select(User.id, User.is_active, User.role)
_had_lesson = select(exists().where(Lesson.student_id == STUDENT, Lesson.status == LessonStatus.COMPLETED))
_student = _people.where(User.id == STUDENT)
_student_locked = _student.with_for_update(key_share=True)

away = exists().where(  # ix_time_off_teacher_end
    TimeOff.teacher_id == Slot.teacher_id,
    TimeOff.status == AbsenceStatus.PLANNED,
    TimeOff.end_at > Slot.start_at,
    TimeOff.start_at < Slot.end_at,
)
closure = (  # ix_closures_end
    select(Closure.name)
    .where(Closure.status == AbsenceStatus.PLANNED, Closure.end_at > Slot.start_at, Closure.start_at < Slot.end_at)
    .order_by(Closure.end_at)
    .limit(1)
    .correlate(Slot)
    .scalar_subquery()
)

_places = (
    select(
        Slot.id,
        Slot.teacher_id,
        Slot.start_at,
        Slot.end_at,
        Slot.status,
        ACTIVE_TEACHER.label("is_active"),
        User.timezone,
        Slot.kept_until,
        away.correlate(Slot).label("away"),
        closure.label("closed"),
    )
    .join(User, User.id == Slot.teacher_id)
    .outerjoin(TeacherProfile, TeacherProfile.user_id == Slot.teacher_id)
)
_place = _places.where(Slot.id == SLOT)
_place_locked = _place.with_for_update(key_share=True, of=Slot)

_BOOKING = (
    Booking.id,
    Booking.slot_id,
    Booking.student_id,
    Booking.package_id,
    Booking.start_at,
    Booking.end_at,
    Booking.status,
    Booking.hold_expires_at,
)
_on_slot = select(*_BOOKING).where(Booking.slot_id == SLOT, Booking.status.in_(ACTIVE))  # bookings_one_active_per_slot
_ahead = select(*_BOOKING).where(  # ix_bookings_student_start
    Booking.student_id == STUDENT, Booking.status.in_(ACTIVE), Booking.start_at > RECENT
)
_held = select(*_BOOKING).where(Booking.student_id == STUDENT, Booking.status == BookingStatus.HOLD)
_active = union(_on_slot, _ahead, _held)


def _wallet(*own: Select[Any]) -> Select[Any]:
    """Packages of these ids, and of lapsed holds on the slot or of the student; in the order of their ids."""
    ids = union_all(
        *own,
        select(Booking.package_id).where(lapsed(NOW), Booking.slot_id == SLOT),
        select(Booking.package_id).where(lapsed(NOW), Booking.student_id == STUDENT),
    )
    return select(Package).where(Package.id.in_(ids)).order_by(Package.id)


_usable = select(Package.id).where(Package.student_id == STUDENT, Package.status == PackageStatus.ACTIVE)
_wallet_any = _wallet(_usable)
_wallet_one = _wallet(select(Package.id).where(Package.id == PACKAGE))
_wallet_moving = _wallet(_usable, select(Package.id).where(Package.id == PACKAGE))

package_of_booking = (
    select(Package)
    .where(Package.id == select(Booking.package_id).where(Booking.id == bindparam("booking")).scalar_subquery())
    .with_for_update(key_share=True)
)


@dataclass(frozen=True)
class Scene:
    """Everything that decides whether one student may have one slot, as it stood at one moment."""

    student: Student
    place: Place
    active: list[ActiveBooking]
    packages: list[Package]
    now: datetime

    @property
    def lapsed(self) -> list[ActiveBooking]:
        return [each for each in self.active if rules.is_lapsed(each, self.now)]

    def purses(self) -> list[Purse]:
        """The student's own packages as they stand once the lapsed holds are back in them."""
        own = [package for package in self.packages if package.student_id == self.student.id]
        return rules.purses(own, self.lapsed)

    def judge(
        self, purses: list[Purse], liberties: Liberties, *, to_confirm: bool = False
    ) -> tuple[Purse | None, list[Reason]]:
        """The rule's answer: the package that pays, and everything that says no."""
        return rules.hold_problems(
            self.place,
            self.student,
            self.active,
            purses,
            now=self.now,
            settings=policy.current(),
            liberties=liberties,
            to_confirm=to_confirm,
        )


def read_scene(
    session: Session,
    slot_id: UUID,
    *,
    student_id: UUID,
    now: datetime,
    package_id: UUID | None = None,
    moving: ActiveBooking | Booking | None = None,
    lock: bool = False,
) -> Scene:
    """The scene; with `lock`, in the one order: student (and teacher, if days are limited) → packages → slot, and only
    then, with all of that standing still, the bookings. Raises NotFound."""
    if policy.current().BOOKING_MAX_PER_TEACHER_DAY and lock:
        lock_people(session, student_id, teacher_of(session, slot_id))
    student = read_student(session, student_id, lock=lock)
    if student is None:
        raise NotFound()
    packages = read_wallet(
        session,
        slot_id=slot_id,
        student_id=student_id,
        now=now,
        only=package_id,
        also=moving.package_id if moving else None,
        lock=lock,
    )
    if package_id and not any(each.id == package_id and each.student_id == student_id for each in packages):
        raise NotFound()
    place = read_place(session, slot_id, now=now, moving=moving.id if moving else None, lock=lock)
    active = read_active(session, slot_id=slot_id, student_id=student_id, now=now)
    return Scene(student, place, active, packages, now)


def read_scenes(session: Session, bookings: Sequence[Booking], now: datetime) -> dict[UUID, Scene]:
    """The scene of each booking's own slot, student and package, unlocked: four statements for all of them."""
    people = {each.student_id for each in bookings}
    slots = {each.slot_id for each in bookings}
    own = select(Package).where(Package.id.in_({each.package_id for each in bookings}))
    packages = {each.id: each for each in session.scalars(own, execution_options=FRESH)}
    students = {row.id: _student_of(row) for row in session.execute(_people.where(User.id.in_(people)))}
    if policy.current().BOOKING_FIRST_LESSON_FIRST:
        students = {each: _with_first_lesson(session, student) for each, student in students.items()}
    places = {row.id: _place_of(row) for row in session.execute(_places.where(Slot.id.in_(slots)))}
    if policy.current().BOOKING_MAX_PER_TEACHER_DAY:
        places = {slot_id: _with_day(session, place, now) for slot_id, place in places.items()}
    on_slot: dict[UUID, list[ActiveBooking]] = defaultdict(list)
    of_student: dict[UUID, list[ActiveBooking]] = defaultdict(list)
    for active in _read_active_around(session, slots, people, now):
        on_slot[active.slot_id].append(active)
        of_student[active.student_id].append(active)
    return {
        each.id: Scene(
            students[each.student_id],
            places[each.slot_id],
            list(dict.fromkeys([*on_slot[each.slot_id], *of_student[each.student_id]])),
            [packages[each.package_id]],
            now,
        )
        for each in bookings
    }


def read_scenes_of_slots(
    session: Session, slot_ids: Sequence[UUID], moving: Booking, now: datetime
) -> dict[UUID, Scene]:
    """The scene of each slot for the student of the booking that would move there, unlocked: four statements for all."""
    student = read_student(session, moving.student_id)
    if student is None:
        raise NotFound()
    packages = read_wallet(
        session, slot_id=moving.slot_id, student_id=moving.student_id, now=now, also=moving.package_id
    )
    places = {row.id: _place_of(row) for row in session.execute(_places.where(Slot.id.in_(slot_ids)))}
    if policy.current().BOOKING_MAX_PER_TEACHER_DAY:
        places = {slot_id: _with_day(session, place, now, moving.id) for slot_id, place in places.items()}
    active = _read_active_around(session, set(slot_ids), {moving.student_id}, now)

    def around(slot_id: UUID) -> list[ActiveBooking]:
        return [each for each in active if each.slot_id == slot_id or each.student_id == moving.student_id]

    return {slot_id: Scene(student, place, around(slot_id), packages, now) for slot_id, place in places.items()}


def _read_active_around(session: Session, slots: set[UUID], people: set[UUID], now: datetime) -> list[ActiveBooking]:
    """As `read_active`, for many: bookings_one_active_per_slot, ix_bookings_student_start, ix_bookings_student_holds."""
    around = union(
        select(*_BOOKING).where(Booking.slot_id.in_(slots), Booking.status.in_(ACTIVE)),
        select(*_BOOKING).where(
            Booking.student_id.in_(people), Booking.status.in_(ACTIVE), Booking.start_at > now - LONGEST
        ),
        select(*_BOOKING).where(Booking.student_id.in_(people), Booking.status == BookingStatus.HOLD),
    )
    return [ActiveBooking(*row) for row in session.execute(around)]


def read_standing(session: Session, slot_ids: Sequence[UUID]) -> dict[UUID, list[ActiveBooking]]:
    """The bookings in state hold or confirmed, lapsed or not, by slot. bookings_one_active_per_slot"""
    found: dict[UUID, list[ActiveBooking]] = defaultdict(list)
    query = select(*_BOOKING).where(Booking.slot_id.in_(slot_ids), Booking.status.in_(ACTIVE))
    for row in session.execute(query):
        found[row.slot_id].append(ActiveBooking(*row))
    return found


def active_like(booking: Booking) -> ActiveBooking:
    """The canceled booking as it would stand again."""
    values = (getattr(booking, column.key) for column in _BOOKING)
    return replace(ActiveBooking(*values), status=booking.status_before)


def teacher_of(session: Session, slot_id: UUID) -> UUID | None:
    return session.scalar(select(Slot.teacher_id).where(Slot.id == slot_id))


def lock_people(session: Session, *user_ids: UUID | None) -> None:
    """Rows of `users`, locked in the order of their ids."""
    ids = [each for each in user_ids if each is not None]
    session.execute(select(User.id).where(User.id.in_(ids)).order_by(User.id).with_for_update(key_share=True))


def read_student(session: Session, student_id: UUID, *, lock: bool = False) -> Student | None:
    row = session.execute(_student_locked if lock else _student, {"student": student_id}).one_or_none()
    if row is None:
        return None
    return (
        _with_first_lesson(session, _student_of(row))
        if policy.current().BOOKING_FIRST_LESSON_FIRST
        else _student_of(row)
    )


def _student_of(row: Any) -> Student:
    return Student(row.id, row.is_active and row.role is Role.STUDENT)


def _with_first_lesson(session: Session, student: Student) -> Student:
    return replace(student, had_lesson=bool(session.scalar(_had_lesson, {"student": student.id})))


def read_place(
    session: Session, slot_id: UUID, *, now: datetime, moving: UUID | None = None, lock: bool = False
) -> Place:
    """The slot and its teacher. Raises NotFound."""
    row = session.execute(_place_locked if lock else _place, {"slot": slot_id}).one_or_none()
    if row is None:
        raise NotFound()
    place = _place_of(row)
    if policy.current().BOOKING_MAX_PER_TEACHER_DAY == 0:
        return place
    return _with_day(session, place, now, moving)


def _place_of(row: Any) -> Place:
    return Place(row[0], row[1], row[2], row[3], row[4], bool(row[5]), row.kept_until, row.away, row.closed)


def _with_day(session: Session, place: Place, now: datetime, moving: UUID | None = None) -> Place:
    that_day = teacher_day_count(place.teacher_id, place.start_at, now).where(Booking.id != moving)
    return replace(place, teacher_bookings_that_day=session.scalar(that_day) or 0)


def read_active(session: Session, *, slot_id: UUID, student_id: UUID | None, now: datetime) -> list[ActiveBooking]:
    """Bookings in state hold or confirmed, lapsed or not: on the slot, the student's ahead, the student's holds."""
    facts = {"slot": slot_id, "student": student_id, "recent": now - LONGEST}
    rows = session.execute(_active, facts) if student_id else session.execute(_on_slot, {"slot": slot_id})
    return [ActiveBooking(*row) for row in rows]


def read_wallet(
    session: Session,
    *,
    slot_id: UUID,
    student_id: UUID,
    now: datetime,
    only: UUID | None = None,
    also: UUID | None = None,
    lock: bool = False,
) -> list[Package]:
    """The packages a booking may touch: the student's active ones (or `only` that one), `also` the one of a booking that
    moves, and those into which lapsed holds in the way go back."""
    query = _wallet_one if only else _wallet_moving if also else _wallet_any
    facts = {"slot": slot_id, "student": student_id, "now": now, "package": only or also}
    if lock:
        query = query.with_for_update(key_share=True)
    return list(session.scalars(query, facts, execution_options=FRESH))


def teacher_day_count(teacher_id: Any, start_at: Any, now: Any) -> Select[int]:
    """Live bookings of the teacher on the day of `start_at` in the teacher's calendar; arguments are values or columns."""
    start = literal(start_at, UtcDateTime()) if isinstance(start_at, datetime) else start_at
    longest_day = literal(timedelta(hours=26), Interval())  # the night the clocks go back; ix_bookings_teacher_start
    return (
        select(func.count())
        .select_from(Booking)
        .join(User, User.id == Booking.teacher_id)
        .where(
            Booking.teacher_id == teacher_id,
            Booking.start_at > start - longest_day,
            Booking.start_at < start + longest_day,
            func.date(func.timezone(User.timezone, Booking.start_at)) == func.date(func.timezone(User.timezone, start)),
            live(now),
        )
    )
