"""What series do, inside somebody's transaction. The callers have locked what is touched and asked the rules."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from guitaronline import db
from guitaronline.billing import ledger
from guitaronline.billing.models import Package
from guitaronline.booking import steps
from guitaronline.booking.cancellation import Decision
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.series_ground import Ground
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.series_walk import Judged
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import create_lesson
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.service import make_slot
from guitaronline.unit_of_work import Work


def book(
    work: Work, series: LessonSeries, ground: Ground, judged: Sequence[Judged], *, override: bool
) -> list[Booking]:
    """Every one of these (fine) dates is a confirmed booking with its lesson, paid by its package; missing slots are made.

    Table by table, because a flush orders nothing: slots, bookings, then entries and lessons."""
    make_slots(work, judged)
    bookings = [_booking(work, series, each, db.new_id(), override=override) for each in judged]
    for booking in bookings:
        work.create(booking, event="booking.confirmed", series_id=str(series.id), **steps.parties(booking))
    _settle(work, ground, bookings)
    return bookings


def move(
    work: Work,
    series: LessonSeries,
    ground: Ground,
    judged: Sequence[Judged],
    lessons: dict[UUID, Lesson],
    *,
    override: bool,
    reason: str,
) -> list[Booking]:
    """The booking of every one of these (fine) dates is canceled and followed by one on the new date.

    First all are called off, so that the constraints see them gone; own slots in the way of the new ones go with them."""
    packages = {each.id: each for each in ground.packages}
    successors = []
    for each in judged:
        old, decision = _moving(each)
        successor = _booking(work, series, each, db.new_id(), override=override)
        successor.rescheduled_from_booking_id = old.id
        steps.call_off(
            work, old, lessons.get(old.id), packages[old.package_id], decision,
            reason=reason, successor_id=successor.id,
        )  # fmt: skip
        successors.append(successor)
    work.session.flush()
    for vacated in [each.vacated for each in judged if each.vacated]:
        _withdraw(work, vacated)
    work.session.flush()
    make_slots(work, judged)
    for successor in successors:
        news = {"rescheduled_from": str(successor.rescheduled_from_booking_id), "series_id": str(series.id)}
        work.create(successor, event="booking.rescheduled", **news, **steps.parties(successor))
    _settle(work, ground, successors)
    return successors


def make_slots(work: Work, judged: Sequence[Judged]) -> None:
    """The slots that the dates found missing are there, under the ids that they were judged with."""
    for place in [each.scene.place for each in judged if each.scene and each.is_new_slot]:
        make_slot(
            work, teacher_id=place.teacher_id, start_at=place.start_at, end_at=place.end_at, slot_id=place.slot_id
        )
    work.session.flush()


def parties(series: LessonSeries) -> dict[str, str]:
    """Whom the news of a series is for."""
    return {"student_id": str(series.student_id), "teacher_id": str(series.teacher_id)}


def _booking(work: Work, series: LessonSeries, judged: Judged, booking_id: UUID, *, override: bool) -> Booking:
    if judged.scene is None or judged.purse is None:
        raise ValueError("only a fine date is booked")
    booking = steps.made(judged.scene, judged.purse, booking_id, override=override, status=BookingStatus.CONFIRMED)
    booking.confirmed_at = work.now
    booking.series_id, booking.series_day = series.id, judged.date.day
    return booking


def _settle(work: Work, ground: Ground, bookings: Sequence[Booking]) -> None:
    """The (new, confirmed) bookings' lessons are used and exist."""
    work.session.flush()
    packages: dict[UUID, Package] = {each.id: each for each in ground.packages}
    for booking in bookings:
        package = packages[booking.package_id]
        ledger.reserve(work, package, booking.id)
        ledger.consume(work, package, booking.id)
        create_lesson(work, booking)
    work.session.flush()


def _moving(judged: Judged) -> tuple[Booking, Decision]:
    if judged.booking is None or judged.decision is None:
        raise ValueError("only a booking that may move is moved")
    return judged.booking, judged.decision


def _withdraw(work: Work, slot: Slot) -> None:
    if slot.status is not SlotStatus.WITHDRAWN:
        work.move(slot, SlotStatus.WITHDRAWN, teacher_id=str(slot.teacher_id))
