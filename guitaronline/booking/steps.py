"""What bookings do, inside somebody's transaction. The callers have locked what is touched and asked the rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from guitaronline import db, policy
from guitaronline.billing import ledger
from guitaronline.billing.models import Package
from guitaronline.booking import rules
from guitaronline.booking.cancellation import Decision, Outcome
from guitaronline.booking.facts import Scene
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.rules import Purse
from guitaronline.booking.waitlist_line import keep_for_line
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import cancel_lesson, create_lesson, keep_report
from guitaronline.unit_of_work import Work


def release_lapsed(work: Work, scene: Scene) -> None:
    """The lapsed holds in the way are expired and their lessons free: the act of `system`, whoever comes by."""
    packages = {each.id: each for each in scene.packages}
    ids = [each.id for each in scene.lapsed if each.package_id in packages]
    if not ids:
        return
    for booking in work.lock_all(Booking, ids):
        if rules.is_lapsed(booking, work.now):
            expire(work, booking, packages[booking.package_id], taken=scene.place.slot_id)
    work.session.flush()  # the constraints must see them gone before the new booking comes


def expire(work: Work, booking: Booking, package: Package, *, taken: UUID | None = None) -> None:
    """The lapsed hold is over; its lesson is back in the (locked) package, and its slot is for those who wait for it,
    unless it is `taken` in the same breath."""
    work.move(booking, BookingStatus.EXPIRED, cause="system", **parties(booking))
    ledger.release(work, package, booking.id)
    if booking.slot_id != taken:
        keep_for_line(work, booking.slot_id)


def make_hold(
    work: Work, scene: Scene, purse: Purse, *, booking_id: UUID, expires_at: datetime, override: bool = False
) -> Booking:
    """The slot is kept for the student until `expires_at`; one lesson of the package is reserved."""
    booking = made(scene, purse, booking_id, override=override)
    booking.hold_expires_at = expires_at
    work.create(booking, **parties(booking))
    ledger.reserve(work, _package(scene, purse), booking.id)
    return booking


def make_successor(
    work: Work, scene: Scene, purse: Purse, *, moved: Booking, booking_id: UUID, override: bool
) -> Booking:
    """The confirmed booking that takes the place of the one that `moved`, with its lesson, paid by the package."""
    package = _package(scene, purse)
    booking = made(scene, purse, booking_id, override=override, status=BookingStatus.CONFIRMED)
    booking.confirmed_at = work.now
    booking.rescheduled_from_booking_id = moved.id
    booking.series_id, booking.series_day = moved.series_id, moved.series_day
    work.create(booking, event="booking.rescheduled", rescheduled_from=str(moved.id), **parties(booking))
    ledger.reserve(work, package, booking.id)
    ledger.consume(work, package, booking.id)
    work.session.flush()  # the lesson's foreign key: a flush does not order tables that no relationship joins
    create_lesson(work, booking)
    return booking


def confirm(work: Work, booking: Booking, package: Package) -> None:
    """The (live, locked) hold is confirmed, its lesson used and the lesson to be given exists."""
    booking.confirmed_at = work.now
    work.move(booking, BookingStatus.CONFIRMED, **parties(booking))
    ledger.consume(work, package, booking.id)
    create_lesson(work, booking)


def make_restored(work: Work, scene: Scene, purse: Purse, *, canceled: Booking, lesson: Lesson | None) -> Booking:
    """The canceled booking stands again as a new one, on its old terms: a hold until its old moment, else confirmed with
    a lesson that has the old one's report. A forfeited lesson is given back first, so that it is used once."""
    package = _package(scene, purse)
    if lesson is not None and canceled.refund_returned is False:
        ledger.give_back(work, package, canceled.id, lesson.settlement, students_fault=True)  # prolongs nothing
        canceled.refund_returned = lesson.is_returned = True
    booking = made(scene, purse, db.new_id(), override=True, status=canceled.status_before)
    booking.policy = dict(canceled.policy)
    booking.restored_from_booking_id = canceled.id
    original = canceled.substituted_from_id
    booking.substituted_from_id = original if original != booking.teacher_id else None
    booking.series_id, booking.series_day = canceled.series_id, canceled.series_day
    canceled.decision = _taken_back(canceled.decision, booking.id)
    news = {"restored_from": str(canceled.id), **parties(booking)}
    if booking.status is BookingStatus.HOLD:
        booking.hold_expires_at = canceled.hold_expires_at
        work.create(booking, **news)
        ledger.reserve(work, package, booking.id)
        return booking
    booking.confirmed_at = work.now
    work.create(booking, event="booking.restored", **news)
    ledger.reserve(work, package, booking.id)
    ledger.consume(work, package, booking.id)
    work.session.flush()
    keep_report(create_lesson(work, booking), lesson)
    return booking


def _taken_back(decision: dict[str, Any] | None, restored_as: UUID) -> dict[str, Any]:
    """The decision as it was, and that it does not hold any more."""
    before = decision or {}
    sentence = f"{before.get('sentence', '')} This was taken back: the booking stands again.".strip()
    return {**before, "sentence": sentence, "restored_as": str(restored_as)}


def call_off(
    work: Work,
    booking: Booking,
    lesson: Lesson | None,
    package: Package,
    decision: Decision,
    *,
    reason: str | None,
    successor_id: UUID | None = None,
) -> None:
    """The booking is canceled, its decision stored, its lesson canceled and where the decision says so given back."""
    if decision.outcome is Outcome.RELEASED:
        ledger.release(work, package, booking.id)
    elif decision.is_returned:
        settlement = lesson.settlement if lesson else 1
        ledger.give_back(work, package, booking.id, settlement, students_fault=decision.is_students_fault)
    booking.canceled_at = work.now
    booking.cancel_cause = decision.cause
    booking.cancellation_reason = (reason or "").strip() or None
    booking.refund_returned = decision.is_returned
    booking.decision = decision.as_stored(work.actor, booking.policy)
    news: dict[str, Any] = {"cause": decision.cause.value, "outcome": decision.outcome.value, **parties(booking)}
    if booking.status is BookingStatus.HOLD:
        work.move(booking, BookingStatus.CANCELED, **news)
    elif successor_id is None:
        work.move(booking, BookingStatus.CANCELED, event="booking.canceled", **news)
    else:
        work.move(booking, BookingStatus.CANCELED, event="booking.rescheduled", successor=str(successor_id), **news)
    if lesson is not None:
        cancel_lesson(work, lesson, is_returned=decision.is_returned)
    keep_for_line(work, booking.slot_id)


def parties(booking: Booking) -> dict[str, str]:
    """Whom the news of a booking is for."""
    return {"student_id": str(booking.student_id), "teacher_id": str(booking.teacher_id)}


def made(
    scene: Scene, purse: Purse, booking_id: UUID, *, override: bool, status: BookingStatus = BookingStatus.HOLD
) -> Booking:
    """The student's booking of the scene's slot, paid by the package; not yet added to anything."""
    place = scene.place
    return Booking(
        id=booking_id,
        slot_id=place.slot_id,
        student_id=scene.student.id,
        teacher_id=place.teacher_id,
        package_id=purse.id,
        start_at=place.start_at,
        end_at=place.end_at,
        status=status,
        revision=1,
        policy=rules.policy_snapshot(policy.current(), override=override),
    )


def _package(scene: Scene, purse: Purse) -> Package:
    return next(each for each in scene.packages if each.id == purse.id)
