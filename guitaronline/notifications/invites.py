"""The calendar file of a message about a lesson. The lesson has the id that it has in calendar feeds, so a calendar knows it again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from guitaronline.booking.feeds import Feed, FeedLesson
from guitaronline.booking.ical import attachment_of
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.identity.models import User
from guitaronline.notifications import lookups
from guitaronline.notifications.reader import Scene, name_of
from guitaronline.notifications.words import join_url, teacher_name

WITH_CALENDAR = frozenset(
    "booking_confirmed booking_moved booking_canceled booking_restored teacher_changed lesson_moved_away lesson_given_away"
    " series_booked series_extended series_moved series_canceled series_ended".split()
)
LESSONS_MAX = 200


def calendar_of(scene: Scene) -> str | None:
    """What of the message goes into a calendar: lessons that stand and, of a move, those that are off."""
    if scene.kind.name not in WITH_CALENDAR:
        return None
    bookings = _of_series(scene) if scene.kind.name.startswith("series_") else _of_booking(scene)
    return _written(scene, bookings) if bookings else None


def _of_booking(scene: Scene) -> list[Booking]:
    booking = lookups.record(scene.session, Booking, scene.record_id)
    if booking is None:
        return []
    before = booking.rescheduled_from_booking_id if scene.kind.name == "booking_moved" else None
    moved = lookups.record(scene.session, Booking, before) if before else None
    return [booking] if moved is None else [moved, booking]


def _of_series(scene: Scene) -> list[Booking]:
    """Those that are ahead, and those of it that were called off and would lie ahead."""
    query = select(Booking).where(
        Booking.series_id == scene.record_id, Booking.start_at > scene.now, Booking.confirmed_at.is_not(None)
    )
    return list(scene.session.scalars(query.order_by(Booking.start_at).limit(LESSONS_MAX)))


def _written(scene: Scene, bookings: Sequence[Booking]) -> str:
    lessons = [_lesson(scene, each) for each in bookings]
    first, last = min(each.start_at for each in lessons), max(each.end_at for each in lessons)
    feed = Feed(scene.person.id, name_of(scene.person), scene.person.timezone, first, last, lessons)
    return attachment_of(feed).decode()


def _lesson(scene: Scene, booking: Booking) -> FeedLesson:
    """For who gave it away it is off, though it takes place."""
    session = scene.session
    is_off = booking.status is BookingStatus.CANCELED or scene.kind.name in ("lesson_given_away", "lesson_moved_away")
    return FeedLesson(
        booking_id=booking.id,
        start_at=booking.start_at,
        end_at=booking.end_at,
        is_canceled=is_off,
        sequence=booking.revision + is_off,
        changed_at=booking.updated_at,
        student_id=booking.student_id,
        student_name=name_of(lookups.record(session, User, booking.student_id)),
        teacher_id=booking.teacher_id if scene.kind.name != "lesson_given_away" else scene.person.id,
        teacher_name=teacher_name(session, booking.teacher_id),
        join_url=join_url(session, booking),
    )
