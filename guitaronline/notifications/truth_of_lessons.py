"""Whether messages about bookings, lessons, series, offers and time off are still true. Each answer is a code; None: it is."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.booking import rules as booking_rules
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.booking.waitlist_models import WaitlistEntry, WaitStatus
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.notifications import lookups
from guitaronline.notifications.asked import Asked
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff


def _booking_stands(asked: Asked) -> str | None:
    """Confirmed, ahead, unchanged since, and still the reader's or their child's."""
    booking = asked.record(Booking)
    if booking is None:
        return "gone"
    if booking.status is not BookingStatus.CONFIRMED:
        return "moved" if _successor(asked.session, booking.id) else "canceled"
    found = [
        (booking.start_at <= asked.now, "too_late"),
        (asked.facts.get("revision", booking.revision) != booking.revision, "changed"),
        (not _is_of(asked, booking), "not_theirs"),
    ]
    return next((code for applies, code in found if applies), None)


def _reminder(asked: Asked) -> str | None:
    """A substitute gives the lesson at the same time: the reminder is as true as before, only not for who gave it away."""
    booking = asked.record(Booking)
    if booking is None:
        return "gone"
    if booking.status is not BookingStatus.CONFIRMED:
        return "moved" if _successor(asked.session, booking.id) else "canceled"
    return "too_late" if booking.start_at <= asked.now else None if _is_of(asked, booking) else "not_theirs"


def _booking_canceled(asked: Asked) -> str | None:
    booking = asked.record(Booking)
    if booking is None or booking.status is not BookingStatus.CANCELED:
        return "gone"
    restored = select(Booking.id).where(Booking.restored_from_booking_id == booking.id)
    return "restored" if asked.session.scalar(restored) else None


def _moved_away(asked: Asked) -> str | None:
    """Unless it came back to the teacher meanwhile."""
    successor = _successor(asked.session, asked.message.record_id)
    if successor is None:
        return "gone"
    is_back = successor.teacher_id == asked.person.id and successor.status is BookingStatus.CONFIRMED
    return "changed" if is_back else None


def _given_away(asked: Asked) -> str | None:
    booking = asked.record(Booking)
    if booking is None:
        return "gone"
    return "changed" if booking.teacher_id == asked.person.id else None


def _hold_lapsed(asked: Asked) -> str | None:
    """Not when the student has the lesson after all."""
    booking = asked.record(Booking)
    if booking is None or booking.status is not BookingStatus.EXPIRED:
        return "gone"
    again = select(Booking.id).where(
        Booking.slot_id == booking.slot_id,
        Booking.student_id == booking.student_id,
        Booking.status.in_((BookingStatus.HOLD, BookingStatus.CONFIRMED)),
    )
    return "booked_again" if asked.session.scalar(again.limit(1)) else None


def _series_stands(asked: Asked) -> str | None:
    series = asked.record(LessonSeries)
    return None if series is not None and series.status is not SeriesStatus.CANCELED else "canceled"


def _series_over(asked: Asked) -> str | None:
    return None if asked.facts.get("lessons", 1) else "nothing_changed"


def _offer(asked: Asked) -> str | None:
    """The time is still kept for them."""
    entry = asked.record(WaitlistEntry)
    if entry is None or entry.status is not WaitStatus.OFFERED or entry.booking_id is None:
        return "taken"
    booking = asked.session.get(Booking, entry.booking_id, populate_existing=True)
    is_kept = booking is not None and booking_rules.effective_status(booking, asked.now) is BookingStatus.HOLD
    is_same = asked.facts.get("booking_id", str(entry.booking_id)) == str(entry.booking_id)
    return None if is_kept and is_same else "too_late"


def _away(asked: Asked) -> str | None:
    off = asked.record(TimeOff)
    return None if off is not None and off.status is AbsenceStatus.PLANNED else "canceled"


def _not_away(asked: Asked) -> str | None:
    off = asked.record(TimeOff)
    return None if off is not None and off.status is AbsenceStatus.CANCELED else "changed"


def _no_outcome(asked: Asked) -> str | None:
    lesson = asked.record(Lesson)
    if lesson is None or lesson.status is not LessonStatus.SCHEDULED:
        return "done"
    return None if lesson.teacher_id == asked.person.id else "not_theirs"


def _report(asked: Asked) -> str | None:
    lesson = asked.record(Lesson)
    return None if lesson is not None and lesson.status is LessonStatus.COMPLETED else "changed"


def _successor(session: Session, booking_id: UUID) -> Booking | None:
    """bookings_one_successor"""
    return session.scalars(select(Booking).where(Booking.rescheduled_from_booking_id == booking_id)).one_or_none()


def _is_of(asked: Asked, booking: Booking) -> bool:
    """The reader's own lesson, or their child's."""
    if asked.person.id in (booking.student_id, booking.teacher_id):
        return True
    return lookups.stands_for(asked.session, asked.person.id, booking.student_id)


TRUTHS: dict[str, Callable[[Asked], str | None]] = {
    "booking_canceled": _booking_canceled,
    "booking_confirmed": _booking_stands,
    "booking_moved": _booking_stands,
    "booking_restored": _booking_stands,
    "hold_lapsed": _hold_lapsed,
    "lesson_given_away": _given_away,
    "lesson_moved_away": _moved_away,
    "lesson_reminder": _reminder,
    "outcome_missing": _no_outcome,
    "report_ready": _report,
    "series_booked": _series_stands,
    "series_canceled": _series_over,
    "series_ended": _series_over,
    "series_extended": _series_stands,
    "series_moved": _series_stands,
    "teacher_changed": _booking_stands,
    "time_off_canceled": _not_away,
    "time_off_created": _away,
    "waitlist_offer": _offer,
}
