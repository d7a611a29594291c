"""Bookings that were made before the school moved in: confirmed at once, on a slot that is made where there is none."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from guitaronline import db
from guitaronline.billing import ledger
from guitaronline.booking import facts, steps
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.refusals import refusal
from guitaronline.booking.rules import Liberties
from guitaronline.lessons.service import create_lesson
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.service import make_slot
from guitaronline.unit_of_work import Work

AGREED = Liberties(override=True, far_ahead=True)  # notice, horizon and length were agreed elsewhere


def bring_booking(
    work: Work, *, student_id: UUID, teacher_id: UUID, package_id: UUID, start_at: datetime, end_at: datetime
) -> Booking:
    """A step: the student's confirmed booking with its lesson, paid by that package. Nobody is told: they knew.

    Locks student, package, slot. Raises what `rules.hold_problems` finds, and what `make_slot` raises."""
    slot_id = _slot_at(work, teacher_id, start_at, end_at)
    scene = facts.read_scene(
        work.session, slot_id, student_id=student_id, now=work.now, package_id=package_id, lock=True
    )
    purse, reasons = scene.judge(scene.purses(), AGREED, to_confirm=True)
    if reasons or purse is None:
        raise refusal(reasons)
    steps.release_lapsed(work, scene)
    booking = steps.made(scene, purse, db.new_id(), override=True, status=BookingStatus.CONFIRMED)
    booking.confirmed_at = work.now
    work.create(booking, event="booking.confirmed", is_opening=True, **steps.parties(booking))
    package = next(each for each in scene.packages if each.id == purse.id)
    ledger.reserve(work, package, booking.id)
    ledger.consume(work, package, booking.id)
    work.session.flush()  # the lesson's foreign key
    create_lesson(work, booking)
    return booking


def _slot_at(work: Work, teacher_id: UUID, start_at: datetime, end_at: datetime) -> UUID:
    """The teacher's slot at exactly these times, or a new one. Raises SlotOverlap, SlotInvalid, TeacherNotActive."""
    standing = select(Slot.id).where(  # ix_availability_slots_teacher_start
        Slot.teacher_id == teacher_id,
        Slot.start_at == start_at,
        Slot.end_at == end_at,
        Slot.status != SlotStatus.WITHDRAWN,
    )
    known = work.session.scalar(standing)
    if known is not None:
        return known
    made = make_slot(work, teacher_id=teacher_id, start_at=start_at, end_at=end_at)
    work.session.flush()
    return made.id
