"""What waits for people: for each kind of record, named conditions over its table. Lists filter by them, Today counts by them.

Each is bounded: it looks at records in a state that few are in, or at a stretch of time, so that it stays quick in a large
school; the index is named beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Interval,
    Select,
    and_,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased

from guitaronline.actor import Role
from guitaronline.billing.models import Package, PackageOrigin, PackageStatus, Payment, PaymentStatus
from guitaronline.billing.provider_models import PaymentAsk
from guitaronline.billing.rules import LIVING
from guitaronline.booking import facts
from guitaronline.booking.absence_models import KeptBooking
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import UtcDateTime
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.teachers.models import TeacherProfile, TeacherStatus
from guitaronline.teachers.queries import ACTIVE_TEACHER

Condition = Callable[[datetime], ColumnElement[bool]]

LAPSES_WITHIN = timedelta(hours=1)  # long enough to ring the student up
LINK_WITHIN = timedelta(hours=48)
PAYMENT_PATIENCE = timedelta(hours=24)
EXPIRES_SOON, EXPIRES_LATER = timedelta(days=7), timedelta(days=30)
WITHOUT_LESSON = timedelta(days=21)
GONE_AFTER = timedelta(days=90)  # a student or trial that was quiet for longer is history, not work
TOUCHED = aliased(Booking)
RUNNING_OUT_LEFT = 1
RUNNING_OUT_FOR = timedelta(days=30)  # afterwards the student shows as one without a lesson, or is gone


def about_to_lapse(now: datetime) -> ColumnElement[bool]:
    """ix_bookings_lapsing"""
    return and_(
        Booking.status == BookingStatus.HOLD,
        Booking.hold_expires_at > now,
        Booking.hold_expires_at <= now + LAPSES_WITHIN,
    )


def needs_decision(now: datetime) -> ColumnElement[bool]:
    """Live and ahead, and the teacher is not active, or away then, or the school closed; unless it was decided to keep it in
    spite of just that absence. The twin of `impact.whys`.

    Read from the absences, which are few: ix_time_off_end, ix_closures_end, then ix_bookings_teacher_start, ix_bookings_start."""
    waits = union_all(_of_inactive(now), _in_time_off(now), _in_closure(now))
    return and_(facts.live(now), Booking.start_at > now, Booking.id.in_(waits))


def _of_inactive(now: datetime) -> Select[UUID]:
    """Asked as one OR, the planner takes most teachers to be inactive. ix_users_teaching"""
    teaching = exists().where(User.id == TeacherProfile.user_id, User.is_active, User.role == Role.TEACHER)
    profiles = select(TeacherProfile.user_id)
    inactive = profiles.where(TeacherProfile.status != TeacherStatus.ACTIVE).union_all(profiles.where(~teaching))
    return select(TOUCHED.id).where(TOUCHED.start_at > now, TOUCHED.teacher_id.in_(inactive))


def _in_time_off(now: datetime) -> Select[UUID]:
    kept = exists().where(KeptBooking.time_off_id == TimeOff.id, KeptBooking.booking_id == TOUCHED.id)
    query = select(TOUCHED.id).join(TimeOff, TimeOff.teacher_id == TOUCHED.teacher_id)
    return query.where(TimeOff.status == AbsenceStatus.PLANNED, *_inside(TimeOff, now), ~kept)


def _in_closure(now: datetime) -> Select[UUID]:
    kept = exists().where(KeptBooking.closure_id == Closure.id, KeptBooking.booking_id == TOUCHED.id)
    query = select(TOUCHED.id).join(Closure, TOUCHED.start_at < Closure.end_at)
    return query.where(Closure.status == AbsenceStatus.PLANNED, *_inside(Closure, now), ~kept)


def _inside(absence: type[TimeOff | Closure], now: datetime) -> Sequence[ColumnElement[bool]]:
    """That an absence that is not over touches a booking ahead."""
    return (
        absence.end_at > now,
        TOUCHED.start_at > now,
        TOUCHED.start_at > absence.start_at - literal(facts.LONGEST, Interval()),
        TOUCHED.start_at < absence.end_at,
        TOUCHED.end_at > absence.start_at,
    )


def undecided_since() -> Any:
    """SQL, over Booking: since when its teacher has not been active (the profile's last change), or the first of the absences
    that it lies in was known."""
    inactive = select(TeacherProfile.updated_at).join(User, User.id == TeacherProfile.user_id)
    inactive = inactive.where(TeacherProfile.user_id == Booking.teacher_id, not_(ACTIVE_TEACHER))
    away = select(func.min(TimeOff.created_at)).where(
        TimeOff.teacher_id == Booking.teacher_id,
        TimeOff.status == AbsenceStatus.PLANNED,
        TimeOff.end_at > Booking.start_at,
        TimeOff.start_at < Booking.end_at,
    )
    closed = select(func.min(Closure.created_at)).where(
        Closure.status == AbsenceStatus.PLANNED, Closure.end_at > Booking.start_at, Closure.start_at < Booking.end_at
    )
    return func.least(*(each.correlate(Booking).scalar_subquery() for each in (inactive, away, closed)))


def without_join_link(now: datetime) -> ColumnElement[bool]:
    """Starts soon, and neither it nor its teacher has a place to meet. ix_lessons_start"""
    room = exists().where(TeacherProfile.user_id == Lesson.teacher_id, TeacherProfile.meeting_url.is_not(None))
    return and_(
        Lesson.status == LessonStatus.SCHEDULED,
        Lesson.scheduled_start_at > now,
        Lesson.scheduled_start_at <= now + LINK_WITHIN,
        Lesson.join_url.is_(None),
        ~room,
    )


def awaited(now: datetime) -> ColumnElement[bool]:
    """Not for too long yet. ix_payments_status"""
    return and_(Payment.status == PaymentStatus.PENDING, Payment.created_at > now - PAYMENT_PATIENCE)


def awaited_too_long(now: datetime) -> ColumnElement[bool]:
    """ix_payments_status"""
    return and_(Payment.status == PaymentStatus.PENDING, Payment.created_at <= now - PAYMENT_PATIENCE)


def failed_for_good(now: datetime) -> ColumnElement[bool]:
    """The money did not come, not by another payment either, and its package still stands. ix_payments_status, ix_payments_package_id"""
    other = aliased(Payment)
    instead = exists().where(
        other.package_id == Payment.package_id, other.status.in_((PaymentStatus.SUCCEEDED, PaymentStatus.PENDING))
    )
    revoked = exists().where(Package.id == Payment.package_id, Package.status == PackageStatus.REVOKED)
    return and_(Payment.status == PaymentStatus.FAILED, ~instead, ~revoked)


def provider_silent(now: datetime) -> ColumnElement[bool]:
    """ix_payment_asks_unknown"""
    return Payment.id.in_(select(PaymentAsk.payment_id).where(PaymentAsk.unknown_since.is_not(None)))


def used_unpaid(now: datetime) -> ColumnElement[bool]:
    """On account, lessons of it are booked or given, and less was paid than it costs. ix_packages_on_account, ix_payments_package_id"""
    paid = (
        select(func.coalesce(func.sum(Payment.amount_minor), 0))
        .where(Payment.package_id == Package.id, Payment.status == PaymentStatus.SUCCEEDED)
        .correlate(Package)
        .scalar_subquery()
    )
    return and_(
        Package.origin == PackageOrigin.ON_ACCOUNT,
        Package.status != PackageStatus.REVOKED,
        Package.reserved + Package.consumed > 0,
        Package.price_minor > paid,
    )


def expires_soon(now: datetime) -> ColumnElement[bool]:
    return _expires(now, now + EXPIRES_SOON)


def expires_later(now: datetime) -> ColumnElement[bool]:
    return _expires(now + EXPIRES_SOON, now + EXPIRES_LATER)


def expiring_since(window: timedelta) -> Any:
    """SQL, over Package: since when its end has been within the window."""
    return type_coerce(Package.expires_at - literal(window, Interval()), UtcDateTime())


def _expires(after: datetime, until: datetime) -> ColumnElement[bool]:
    """With lessons that would be lost. ix_packages_due"""
    return and_(
        Package.status.in_(LIVING),
        Package.frozen_at.is_(None),
        Package.available > 0,
        Package.expires_at > after,
        Package.expires_at <= until,
    )


def running_out(now: datetime) -> ColumnElement[bool]:
    """One lesson left at most, used lately, and the student has no newer package; trials have a queue of their own.

    ix_packages_little_left"""
    newer = aliased(Package)
    followed = exists().where(  # ix_packages_student
        newer.student_id == Package.student_id, newer.id > Package.id, newer.status != PackageStatus.REVOKED
    )
    return and_(
        Package.status.in_(LIVING),
        Package.available + Package.reserved <= RUNNING_OUT_LEFT,
        Package.little_left_at > now - RUNNING_OUT_FOR,
        not_(Package.is_trial),
        or_(Package.expires_at.is_(None), Package.expires_at > now),
        ~followed,
    )


def trial_without_purchase(now: datetime) -> ColumnElement[bool]:
    """The trial lesson was given, and the student has no other package.

    ix_packages_little_left, ix_packages_student"""
    other = aliased(Package)
    bought = exists().where(
        other.student_id == Package.student_id, not_(other.is_trial), other.status != PackageStatus.REVOKED
    )
    given = exists().where(  # ix_lessons_student_start
        Lesson.student_id == Package.student_id,
        Lesson.package_id == Package.id,
        Lesson.status == LessonStatus.COMPLETED,
    )
    return and_(Package.is_trial, Package.little_left_at > now - GONE_AFTER, given, ~bought)


def without_lesson(now: datetime) -> ColumnElement[bool]:
    """An active student whose last lesson is a while ago, though not so long that they are gone, and none is ahead.

    ix_lessons_student_start, once for either side."""
    taken = exists().where(Lesson.student_id == User.id, Lesson.status != LessonStatus.CANCELED)
    lately = taken.where(Lesson.scheduled_start_at > now - WITHOUT_LESSON)
    before = taken.where(
        Lesson.scheduled_start_at > now - GONE_AFTER, Lesson.scheduled_start_at <= now - WITHOUT_LESSON
    )
    return and_(User.role == Role.STUDENT, User.is_active, ~lately, before)


def address_problem(now: datetime) -> ColumnElement[bool]:
    """ix_users_address_problem"""
    return User.address_problem.is_not(None)


def last_lesson() -> Any:
    """SQL, over User: start of the student's last lesson that was not called off. ix_lessons_student_start"""
    query = select(Lesson.scheduled_start_at).where(
        Lesson.student_id == User.id, Lesson.status != LessonStatus.CANCELED
    )
    return query.order_by(Lesson.scheduled_start_at.desc()).limit(1).correlate(User).scalar_subquery()


BOOKINGS: Mapping[str, Condition] = {"about_to_lapse": about_to_lapse, "needs_a_decision": needs_decision}
LESSONS: Mapping[str, Condition] = {"no_join_link": without_join_link}
PAYMENTS: Mapping[str, Condition] = {
    "awaited": awaited,
    "awaited_too_long": awaited_too_long,
    "failed": failed_for_good,
    "provider_silent": provider_silent,
}
PACKAGES: Mapping[str, Condition] = {
    "used_but_unpaid": used_unpaid,
    "expires_within_7_days": expires_soon,
    "expires_in_8_to_30_days": expires_later,
    "running_out": running_out,
    "trial_and_nothing_bought": trial_without_purchase,
}
PEOPLE: Mapping[str, Condition] = {"no_lesson_for_21_days": without_lesson, "address_problem": address_problem}
