"""What is offered, whose bookings are whose, and what would happen: the questions behind every list and preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, tuple_
from sqlalchemy.orm import Session, joinedload

import config
from guitaronline import clock, policy
from guitaronline.actor import Actor, Role
from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, facts, rules, waiting
from guitaronline.booking.cancellation import Decision
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.moving import judge_move
from guitaronline.booking.rules import Liberties
from guitaronline.booking.service import is_own
from guitaronline.errors import NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import SLOT_MINUTES_MAX
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import ACTIVE_TEACHER

LONGEST = timedelta(minutes=SLOT_MINUTES_MAX)  # no booking is longer: lets the index find where to begin


@dataclass(frozen=True)
class OfferedSlot:
    id: UUID
    teacher_id: UUID
    teacher_name: str
    start_at: datetime
    end_at: datetime
    status: SlotStatus


@dataclass(frozen=True)
class Explanation:
    """Whether the slot can be booked, and everything that says no; by the very rule that decides."""

    bookable: bool
    reasons: list[Reason]
    package_id: UUID | None = None  # the one that would pay


@dataclass(frozen=True)
class CancelPreview:
    possible: bool
    reasons: list[Reason]
    decision: Decision | None


@dataclass(frozen=True)
class ReschedulePreview:
    possible: bool
    reasons: list[Reason]
    decision: Decision | None
    package_id: UUID | None  # the one that would pay for the new lesson


@dataclass(frozen=True)
class TaughtStudent:
    student_id: UUID
    full_name: str
    lessons: int  # booked, past and future
    next_start_at: datetime | None


def offered(now: datetime, settings: config.Settings) -> ColumnElement[bool]:
    """SQL twin of `rules.slot_problems`, over Slot.

    Written so that PostgreSQL asks slot by slot in the order of the list and stops when the page is full: as joins it
    would first build the whole eight weeks (measured: 28 ms against 4 ms at 2,000 slots)."""
    taken = select(Booking.id).where(Booking.slot_id == Slot.id, facts.live(now)).limit(1).scalar_subquery()
    active = select(TeacherProfile.user_id).join(User, User.id == TeacherProfile.user_id).where(ACTIVE_TEACHER)
    terms = [
        Slot.status == SlotStatus.OPEN,
        Slot.start_at > now + timedelta(minutes=settings.BOOKING_MIN_NOTICE_MINUTES),
        Slot.start_at <= now + timedelta(days=settings.BOOKING_HORIZON_DAYS),
        taken.is_(None),
        Slot.teacher_id.in_(active).is_(true()),
        or_(Slot.kept_until.is_(None), Slot.kept_until <= now),
        ~facts.away.correlate(Slot),
        facts.closure.is_(None),
    ]
    if settings.BOOKING_MAX_PER_TEACHER_DAY:
        that_day = facts.teacher_day_count(Slot.teacher_id, Slot.start_at, now).correlate(Slot).scalar_subquery()
        terms.append(that_day < settings.BOOKING_MAX_PER_TEACHER_DAY)
    return and_(*terms)


def offered_slots(
    session: Session,
    *,
    now: datetime,
    settings: config.Settings,
    teacher_id: UUID | None = None,
    start_from: datetime | None = None,
    start_to: datetime | None = None,
    after: tuple[datetime, UUID] | None = None,
    offset: int = 0,
    limit: int = 20,
) -> list[OfferedSlot]:
    """Slots that a student could book, soonest first; `after`: start and id of the last one seen. `[start_from, start_to)`."""
    query = select(Slot).where(offered(now, settings))
    if teacher_id is not None:
        query = query.where(Slot.teacher_id == teacher_id)  # ix_availability_slots_open_teacher_start
    if start_from is not None:
        query = query.where(Slot.start_at >= start_from)  # ix_availability_slots_open_start
    if start_to is not None:
        query = query.where(Slot.start_at < start_to)
    if after is not None:
        query = query.where(tuple_(Slot.start_at, Slot.id) > after)
    page = query.order_by(Slot.start_at, Slot.id).offset(offset).limit(limit).subquery().c
    rows = session.execute(
        select(page.id, page.teacher_id, TeacherProfile.display_name, page.start_at, page.end_at, page.status)
        .join(TeacherProfile, TeacherProfile.user_id == page.teacher_id)
        .order_by(page.start_at, page.id)
    )
    return [OfferedSlot(*row) for row in rows]


def explain_slot(
    session: Session, actor: Actor, slot_id: UUID, *, student_id: UUID | None = None, package_id: UUID | None = None
) -> Explanation:
    """Whether this caller could hold the slot (staff: for the named student; without one, whether it is offered at all).

    Raises NotFound."""
    now = clock.read(session)
    if not access.may(actor, Permission.BOOK, own=True):
        return Explanation(False, [*_place_problems(session, slot_id, now), MAY_NOT_BOOK])
    access.require(actor, Permission.BOOK, own=student_id in (None, actor.id))
    student_id = actor.id if actor.role is Role.STUDENT else student_id
    if student_id is None:
        reasons = _place_problems(session, slot_id, now)
        return Explanation(not reasons, reasons)
    scene = facts.read_scene(session, slot_id, student_id=student_id, now=now, package_id=package_id)
    purse, reasons = scene.judge(scene.purses(), Liberties())
    return Explanation(not reasons, reasons, purse.id if purse else None)


def visible_booking(session: Session, actor: Actor, booking_id: UUID) -> Booking:
    """The booking, if it is the actor's own as student or teacher, or they read any. Raises NotAllowed, NotFound."""
    access.require(actor, Permission.READ_BOOKINGS, own=True)
    booking = session.get(Booking, booking_id)
    if booking is None:
        raise NotFound()
    access.require(actor, Permission.READ_BOOKINGS, own=actor.id in (booking.student_id, booking.teacher_id))
    return booking


def bookings_of_person(
    session: Session, user_id: UUID, *, after: tuple[datetime, UUID] | None = None, offset: int = 0, limit: int = 20
) -> list[Booking]:
    """Taken or given by the person, the latest start first; `after`: start and id of the last one seen."""

    def first(mine: ColumnElement[bool]) -> Select[UUID]:
        query = select(Booking.id).where(mine)
        if after is not None:
            query = query.where(tuple_(Booking.start_at, Booking.id) < after)
        return query.order_by(Booking.start_at.desc(), Booking.id.desc()).limit(offset + limit)

    ids = first(Booking.student_id == user_id).union(first(Booking.teacher_id == user_id))  # one index each
    query = select(Booking).where(Booking.id.in_(ids)).order_by(Booking.start_at.desc(), Booking.id.desc())
    return list(session.scalars(query.offset(offset).limit(limit)))


def students_of_teacher(
    session: Session,
    teacher_id: UUID,
    *,
    now: datetime,
    after: tuple[str, UUID] | None = None,
    offset: int = 0,
    limit: int = 20,
) -> list[TaughtStudent]:
    """Whoever has a confirmed booking with the teacher, by name; no contact data. Reads all of the teacher's bookings."""
    counted = (
        select(
            Booking.student_id,
            func.count().label("lessons"),
            func.min(Booking.start_at).filter(Booking.start_at > now).label("next_start_at"),
        )
        .where(Booking.teacher_id == teacher_id, Booking.status == BookingStatus.CONFIRMED)
        .group_by(Booking.student_id)
        .subquery()
    )
    query = select(User.id, User.full_name, counted.c.lessons, counted.c.next_start_at).join(
        counted, counted.c.student_id == User.id
    )
    if after is not None:
        query = query.where(tuple_(User.full_name, User.id) > after)
    rows = session.execute(query.order_by(User.full_name, User.id).offset(offset).limit(limit))
    return [TaughtStudent(*row) for row in rows]


def needs_decision(session: Session, now: datetime, *, limit: int = 100) -> list[Booking]:
    """Bookings ahead whose teacher is not active or away, or on whose day the school is closed; soonest first."""
    query = select(Booking).where(waiting.needs_decision(now))
    return list(session.scalars(query.order_by(Booking.start_at, Booking.id).limit(limit)))  # ix_bookings_start


def preview_cancel(
    session: Session, actor: Actor, booking_id: UUID, *, cause: str | None = None, waive: bool = False
) -> CancelPreview:
    """What `cancel_booking` would do now. Raises NotAllowed, NotFound."""
    now = clock.read(session)
    return judge_cancel(actor, *_to_change(session, actor, booking_id), now=now, cause=cause, waive=waive)


def judge_cancel(
    actor: Actor,
    booking: Booking,
    package: Package,
    lesson: Lesson | None,
    *,
    now: datetime,
    cause: str | None,
    waive: bool,
) -> CancelPreview:
    """A rule: what becomes of the booking and its lesson, or everything that says no."""
    reasons = _cannot_change(actor, booking, now, cause=cause, waive=waive)
    if reasons:
        return CancelPreview(False, reasons, None)
    problems = cancellation.cancel_problems(booking, lesson, now)
    decision = cancellation.cancel_decision(
        booking,
        package,
        cause=_chosen(actor, cause),
        waive=waive,
        now=now,
        reinstate_days=policy.current().PACKAGE_REINSTATE_DAYS,
    )
    return CancelPreview(not problems, problems, None if problems else decision)


def preview_reschedule(
    session: Session,
    actor: Actor,
    booking_id: UUID,
    *,
    new_slot_id: UUID,
    cause: str | None = None,
    waive: bool = False,
    override: bool = False,
) -> ReschedulePreview:
    """What `reschedule_booking` would do now. Raises NotAllowed, NotFound."""
    now = clock.read(session)
    booking, package, lesson = _to_change(session, actor, booking_id)
    reasons = _cannot_change(actor, booking, now, cause=cause, waive=waive)
    if booking.status is BookingStatus.HOLD and not reasons:
        reasons = [NOT_CONFIRMED]
    if booking.slot_id == new_slot_id and not reasons:
        reasons = [SAME_SLOT]
    scene = facts.read_scene(session, new_slot_id, student_id=booking.student_id, now=now, moving=booking)
    if reasons:
        return ReschedulePreview(False, reasons, None, None)
    move = judge_move(scene, booking, lesson, package, cause=_chosen(actor, cause), waive=waive, override=override)
    if move.reasons or move.purse is None:
        return ReschedulePreview(False, move.reasons, None, None)
    return ReschedulePreview(True, [], move.decision, move.purse.id)


def _to_change(session: Session, actor: Actor, booking_id: UUID) -> tuple[Booking, Package, Lesson | None]:
    access.require(actor, Permission.CANCEL, own=True)
    query = (
        select(Booking, Package, Lesson)
        .join(Package, Package.id == Booking.package_id)
        .outerjoin(Lesson, Lesson.booking_id == Booking.id)
        .where(Booking.id == booking_id)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound()
    access.require(actor, Permission.CANCEL, own=is_own(actor, found[0]))
    return found[0], found[1], found[2]


def _cannot_change(actor: Actor, booking: Booking, now: datetime, *, cause: str | None, waive: bool) -> list[Reason]:
    """What the actor may not say, and that the booking is over; the reason in words comes with the command."""
    said = cancellation.cause_problems(actor, cause=cause, waive=waive, reason="asked beforehand")
    status = rules.effective_status(booking, now)
    return said + {BookingStatus.CANCELED: [CANCELED], BookingStatus.EXPIRED: [EXPIRED]}.get(status, [])


def _chosen(actor: Actor, cause: str | None) -> CancelCause:
    return CancelCause(cause) if cause is not None else cancellation.own_cause(actor)


def _place_problems(session: Session, slot_id: UUID, now: datetime) -> list[Reason]:
    place = facts.read_place(session, slot_id, now=now)
    active = facts.read_active(session, slot_id=slot_id, student_id=None, now=now)
    live = [each for each in active if not rules.is_lapsed(each, now)]
    return rules.slot_problems(place, live, now=now, settings=policy.current())


MAY_NOT_BOOK = Reason("not_allowed", "Your role does not book lessons.", "Ask the school.")
CANCELED = Reason("booking_canceled", "The booking was canceled.", "Book again.")
EXPIRED = Reason("hold_expired", "The hold has lapsed.", "Book again.")
NOT_CONFIRMED = Reason("booking_not_confirmed", "Only a confirmed booking can be moved.", "Confirm it first.")
SAME_SLOT = Reason("same_slot", "The booking is on this slot already.", "Choose another slot.")


def bookings_ahead(
    session: Session, person: UUID, *, now: datetime, until: datetime | None = None, limit: int = 10
) -> list[Booking]:
    """Holds and confirmed bookings that the person takes or gives and that are not over, soonest first, with both people.

    Two index scans: ix_bookings_student_start, ix_bookings_teacher_start."""

    def first(mine: ColumnElement[bool]) -> Select[UUID]:
        query = select(Booking.id).where(mine, Booking.start_at > now - LONGEST, Booking.end_at > now, facts.live(now))
        if until is not None:
            query = query.where(Booking.start_at < until)
        return query.order_by(Booking.start_at, Booking.id).limit(limit)

    ids = first(Booking.student_id == person).union(first(Booking.teacher_id == person))
    query = select(Booking).where(Booking.id.in_(ids)).order_by(Booking.start_at, Booking.id).limit(limit)
    return list(session.scalars(query.options(joinedload(Booking.student), joinedload(Booking.teacher))))
