"""Somebody else gives a booked lesson: the booking keeps its id, its slot and teacher change, and the student may decline.

Lock order: teacher → packages of lapsed holds on the slot → slot → bookings → lesson. The student is not locked: neither
the time nor the student changes. The old slot is not locked either: nothing is written to it, and whoever wants it looks for
the booking on it. See docs/locks.md."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.audit.models import AuditChange
from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, facts, refusals, rules, steps
from guitaronline.booking.around import read_around
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.refusals import CancellationInvalid, NotTheirsBefore, SubstitutionInvalid
from guitaronline.booking.substitutes import (
    BACK,
    booking_problems,
    decline_decision,
    decline_problems,
    substitute_problems,
)
from guitaronline.booking.waitlist_line import keep_for_line
from guitaronline.errors import DomainError, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import change_teacher, lock_lesson_of
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.service import SlotOverlap, make_slot
from guitaronline.unit_of_work import Work, command

REFUSALS: dict[str, type[DomainError]] = refusals.HOLD_REFUSALS | {
    "booking_canceled": refusals.BookingCanceled,
    "booking_not_confirmed": refusals.BookingNotConfirmed,
    "not_substituted": refusals.NotSubstituted,
    "same_person": refusals.SamePerson,
    "slot_overlap": SlotOverlap,
}


@command("booking.substitute", on="bookings")
def substitute_booking(work: Work, booking_id: UUID, *, teacher_id: UUID, reason: str) -> Booking:
    """That teacher gives the lesson: in their open slot at exactly these times, or in one that is made.

    The old slot is free again, and the student may decline until the start. The same teacher: no-op. Locks teacher,
    package of a lapsed hold, slot, bookings, lesson. Raises what `substitute_problems` finds, all at once."""
    _require(work, reason)
    return _give_to(work, booking_id, teacher_id, excused=frozenset())


@command("booking.substitute_back", on="bookings")
def take_back_substitution(work: Work, booking_id: UUID, *, teacher_id: UUID, reason: str) -> Booking:
    """The booking is with that teacher again, who had it before: away or not, as it was. The same teacher: no-op.

    Raises NotTheirsBefore, and what `substitute_problems` finds, absences aside."""
    _require(work, reason)
    if not had_it_before(work.session, booking_id, teacher_id):
        raise NotTheirsBefore()
    return _give_to(work, booking_id, teacher_id, excused=BACK)


@command("booking.decline_substitute", on="bookings")
def decline_substitute(work: Work, booking_id: UUID, *, reason: str | None = None) -> Booking:
    """The student does not want the substitute: the booking is canceled and the lesson returns whatever the notice.

    By the student, or by staff for them with a reason, until the start. Repeat: no-op. Locks package, booking, lesson.
    Raises NotSubstituted, CancellationWindowClosed, CancellationInvalid."""
    access.require(work.actor, Permission.BOOK, own=True)
    known = work.find(Booking, booking_id)
    access.require(work.actor, Permission.BOOK, own=known.student_id == work.actor.id)
    problems = cancellation.cause_problems(work.actor, cause=None, waive=False, reason=reason)
    if problems:
        raise CancellationInvalid(reasons=problems)
    package = work.lock(Package, known.package_id)
    booking = work.lock(Booking, booking_id)
    if booking.status is BookingStatus.CANCELED:
        return booking
    lesson = lock_lesson_of(work, booking_id)
    _refuse(decline_problems(booking, lesson, work.now))
    steps.call_off(work, booking, lesson, package, decline_decision(booking, package, work.now), reason=reason)
    return booking


def had_it_before(session: Session, booking_id: UUID, teacher_id: UUID) -> bool:
    """Whether the booking was once with that teacher; the audit knows. ix_audit_changes_row"""
    query = select(AuditChange.id).where(
        AuditChange.table_name == Booking.__tablename__,
        AuditChange.row_id == booking_id,
        AuditChange.before["teacher_id"].astext == str(teacher_id),
    )
    return session.scalar(query.limit(1)) is not None


def _require(work: Work, reason: str) -> None:
    """Staff, who say why: it moves a booking and takes time of a teacher."""
    access.require(work.actor, Permission.MANAGE_SLOTS)
    access.require(work.actor, Permission.CANCEL)
    problems = cancellation.cause_problems(work.actor, cause=None, waive=False, reason=reason)
    if problems:
        raise SubstitutionInvalid(reasons=problems)


def _give_to(work: Work, booking_id: UUID, teacher_id: UUID, *, excused: frozenset[str]) -> Booking:
    """Ids are read first, then everything is locked in the one order and looked at again."""
    known = work.find(Booking, booking_id)
    work.lock(User, teacher_id)  # nobody else makes slots of theirs, books their day full or sends them away
    slot_id = _slot_at(work.session, known, teacher_id)
    lapsed = _lapsed_on(work, slot_id) if slot_id else {}
    packages = {each.id: each for each in work.lock_all(Package, lapsed.values())}
    slot = work.lock(Slot, slot_id) if slot_id else None
    bookings = {each.id: each for each in work.lock_all(Booking, [booking_id, *lapsed])}
    booking = bookings.pop(booking_id)
    lesson = lock_lesson_of(work, booking_id)
    if booking.status is BookingStatus.CONFIRMED and booking.teacher_id == teacher_id:
        return booking
    _refuse(booking_problems(booking, lesson, work.now))
    stage = read_around(work.session, [booking], work.now, {teacher_id}).stage(booking, teacher_id)
    _refuse(substitute_problems(booking, stage, work.now, excused=excused))
    for hold in bookings.values():
        if rules.is_lapsed(hold, work.now):
            steps.expire(work, hold, packages[hold.package_id])
    work.session.flush()  # the constraints must see it gone before the booking comes
    _hand_over(work, booking, lesson, slot or _make(work, booking, teacher_id))
    return booking


def _hand_over(work: Work, booking: Booking, lesson: Lesson | None, slot: Slot) -> None:
    """Booking and lesson are the teacher's whose slot it is, and both teachers and the student hear of it."""
    before, vacated = booking.teacher_id, booking.slot_id
    original = booking.substituted_from_id or before
    booking.slot_id, booking.teacher_id = slot.id, slot.teacher_id
    booking.substituted_from_id = None if slot.teacher_id == original else original
    booking.revision += 1
    if lesson is not None:
        change_teacher(work, lesson, slot.teacher_id)
    work.emit(TEACHER_CHANGED, booking, old_teacher_id=str(before), **steps.parties(booking))
    keep_for_line(work, vacated)


def _make(work: Work, booking: Booking, teacher_id: UUID) -> Slot:
    slot = make_slot(work, teacher_id=teacher_id, start_at=booking.start_at, end_at=booking.end_at)
    work.session.flush()  # the booking's foreign key: a flush does not order tables that no relationship joins
    return slot


def _slot_at(session: Session, booking: Booking, teacher_id: UUID) -> UUID | None:
    """The teacher's slot at exactly the booking's times, in whatever state. ix_availability_slots_teacher_start"""
    query = select(Slot.id).where(
        Slot.teacher_id == teacher_id,
        Slot.start_at == booking.start_at,
        Slot.end_at == booking.end_at,
        Slot.status != SlotStatus.WITHDRAWN,
    )
    return session.scalars(query).one_or_none()  # at most one: slots do not overlap


def _lapsed_on(work: Work, slot_id: UUID) -> dict[UUID, UUID]:
    """Lapsed holds on the slot, and their packages."""
    query = select(Booking.id, Booking.package_id).where(Booking.slot_id == slot_id, facts.lapsed(work.now))
    return {row.id: row.package_id for row in work.session.execute(query)}


def _refuse(problems: list[Reason]) -> None:
    if problems:
        raise REFUSALS[problems[0].code](reasons=problems)


TEACHER_CHANGED = "booking.teacher_changed"
