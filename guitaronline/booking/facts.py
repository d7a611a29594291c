"""What the booking rules look at, read from the database: unlocked for `explain` and lists, locked for commands.

The statements stand ready-made: a hold is the hottest path of the product.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, union, union_all
from sqlalchemy.orm import Session, aliased

from guitaronline.actor import Role
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.rules import ActiveBooking, Place, Student
from guitaronline.db import UtcDateTime
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot
from guitaronline.scheduling.rules import SLOT_MINUTES_MAX
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import ACTIVE_TEACHER

ACTIVE = (BookingStatus.HOLD, BookingStatus.CONFIRMED)
LONGEST = timedelta(minutes=SLOT_MINUTES_MAX)  # nothing that started longer ago is still going on
FRESH = {"populate_existing": True}

SLOT, STUDENT, PACKAGE = bindparam("slot"), bindparam("student"), bindparam("package")
NOW, RECENT = bindparam("now", type_=UtcDateTime()), bindparam("recent", type_=UtcDateTime())


def lapsed(now: Any) -> ColumnElement[bool]:
    """SQL twin of `rules.is_lapsed`."""
    return and_(Booking.status == BookingStatus.HOLD, Booking.hold_expires_at <= now)


def live(now: Any) -> ColumnElement[bool]:
    """SQL: occupies its slot: confirmed, or a hold that has not lapsed."""
    return and_(
        Booking.status.in_(ACTIVE), or_(Booking.status == BookingStatus.CONFIRMED, Booking.hold_expires_at > now)
    )


_student = select(User.id, User.is_active, User.role).where(User.id == STUDENT)
_student_locked = _student.with_for_update(key_share=True)

_place = (
    select(Slot.id, Slot.teacher_id, Slot.start_at, Slot.end_at, Slot.status, ACTIVE_TEACHER)
    .join(User, User.id == Slot.teacher_id)
    .outerjoin(TeacherProfile, TeacherProfile.user_id == Slot.teacher_id)
    .where(Slot.id == SLOT)
)
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

_lapsed_in_the_way = select(Booking.package_id).where(
    lapsed(NOW), or_(Booking.slot_id == SLOT, Booking.student_id == STUDENT)
)


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


def read_student(session: Session, student_id: UUID, *, lock: bool = False) -> Student | None:
    row = session.execute(_student_locked if lock else _student, {"student": student_id}).one_or_none()
    return Student(row.id, row.is_active and row.role is Role.STUDENT) if row else None


def read_place(session: Session, slot_id: UUID, *, lock: bool = False) -> Place | None:
    row = session.execute(_place_locked if lock else _place, {"slot": slot_id}).one_or_none()
    return Place(row[0], row[1], row[2], row[3], row[4], bool(row[5])) if row else None


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


def bookings_that_day(
    session: Session, place: Place, now: datetime, moving: UUID | None = None
) -> int:
    """Live bookings of the teacher on the slot's day of the teacher's calendar, the one that moves left out."""
    query = select(func.count()).select_from(Booking).join(User, User.id == Booking.teacher_id)
    query = query.where(same_teacher_day(place.teacher_id, place.start_at, User.timezone), live(now))
    if moving is not None:
        query = query.where(Booking.id != moving)
    return session.scalar(query) or 0


def same_teacher_day(teacher_id: Any, start_at: Any, zone: Any, booking: Any = Booking) -> ColumnElement[bool]:
    """SQL: the booking is the teacher's, on the calendar day (in `zone`) of `start_at`."""
    day = timedelta(days=1)
    return and_(
        booking.teacher_id == teacher_id,
        booking.start_at > start_at - day,  # for ix_bookings_teacher_start; days are not longer than this reaches
        booking.start_at < start_at + day,
        func.date(func.timezone(zone, booking.start_at)) == func.date(func.timezone(zone, start_at)),
    )
