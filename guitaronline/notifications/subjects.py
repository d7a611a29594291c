"""What an event is about, as far as planning asks: whom it concerns, the facts that a message keeps, and until when it makes sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import Role
from guitaronline.billing.models import Approval, Package, Payment, Refund
from guitaronline.booking.models import Booking
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.waitlist_models import WaitlistEntry
from guitaronline.identity.models import User
from guitaronline.identity.queries import person_by_email
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.audience import ids_of
from guitaronline.notifications.happened import Happened
from guitaronline.notifications.kind import Audience
from guitaronline.scheduling.hours_models import TimeOff

People = Mapping[Audience, Sequence[UUID]]


@dataclass(frozen=True)
class Subject:
    people: People
    facts: dict[str, Any] = field(default_factory=dict)
    not_after: datetime | None = None
    starts_at: datetime | None = None  # of the lesson, whose people must know before


# ix_outbox_events_record. Of one action that did something to a whole series, its lessons say nothing by themselves.
BY_SERIES = text("""
SELECT 1 FROM outbox_events one JOIN outbox_events whole ON whole.action_id = one.action_id
 WHERE one.id = :event_id AND whole.record_type = 'lesson_series' AND whole.record_id = :series_id LIMIT 1
""")


def subject_of(session: Session, happened: Happened) -> Subject | None:
    """What the event is about; None when there is nothing to tell (any more)."""
    return SUBJECTS.get(happened.record_type, _person)(session, happened)


def _booking(session: Session, happened: Happened) -> Subject | None:
    booking = session.get(Booking, happened.record_id)
    if booking is None or (booking.series_id and _is_told_by_series(session, happened.id, booking.series_id)):
        return None
    return of_booking(session, booking, happened)


def of_booking(session: Session, booking: Booking, happened: Happened) -> Subject:
    """What the event says of this booking, whether or not its series says it already."""
    former = ids_of([happened.payload.get("old_teacher_id")]) or _teacher_before(session, booking, happened.payload)
    people = {
        Audience.STUDENT: [booking.student_id],
        Audience.TEACHER: [booking.teacher_id],
        Audience.FORMER_TEACHER: former,
    }
    facts = {"revision": booking.revision, "start_at": booking.start_at.isoformat()}
    return Subject(people, facts, starts_at=_first_start(session, booking, happened.payload))


def _first_start(session: Session, booking: Booking, payload: Mapping[str, Any]) -> datetime:
    """When somebody may be waiting in vain: of a moved lesson also the time at which it was to be."""
    before = ids_of([payload.get("rescheduled_from")])
    moved = session.get(Booking, before[0]) if before else None
    return min(moved.start_at, booking.start_at) if moved is not None else booking.start_at


def _teacher_before(session: Session, booking: Booking, payload: Mapping[str, Any]) -> list[UUID]:
    """The teacher from whom a move took the lesson: the booking's, where its successor is with another."""
    successors = ids_of([payload.get("successor")])
    after = session.get(Booking, successors[0]) if successors else None
    return [booking.teacher_id] if after is not None and after.teacher_id != booking.teacher_id else []


def _is_told_by_series(session: Session, event_id: UUID, series_id: UUID) -> bool:
    return session.execute(BY_SERIES, {"event_id": event_id, "series_id": series_id}).first() is not None


def _series(session: Session, happened: Happened) -> Subject | None:
    series = session.get(LessonSeries, happened.record_id)
    if series is None:
        return None
    before = select(Booking.teacher_id).where(
        Booking.series_id == series.id,
        Booking.canceled_at == happened.created_at,
        Booking.teacher_id != series.teacher_id,
    )
    people = {
        Audience.STUDENT: [series.student_id],
        Audience.TEACHER: [series.teacher_id],
        Audience.FORMER_TEACHER: list(session.scalars(before.distinct().limit(10))),
    }
    return Subject(people, {"happened_at": happened.created_at.isoformat()})


def _lesson(session: Session, happened: Happened) -> Subject | None:
    lesson = session.get(Lesson, happened.record_id)
    if lesson is None:
        return None
    return Subject({Audience.STUDENT: [lesson.student_id], Audience.TEACHER: [lesson.teacher_id]})


def _package(session: Session, happened: Happened) -> Subject | None:
    package = session.get(Package, happened.record_id)
    if package is None:
        return None
    ends = package.expires_at.isoformat() if package.expires_at else None
    return Subject({Audience.STUDENT: [package.student_id]}, {"expires_at": ends})


def _payment(session: Session, happened: Happened) -> Subject | None:
    payment = session.get(Payment, happened.record_id)
    return Subject({Audience.STUDENT: [payment.student_id]}) if payment else None


def _refund(session: Session, happened: Happened) -> Subject | None:
    query = select(Payment.student_id).join(Refund, Refund.payment_id == Payment.id)
    student_id = session.scalar(query.where(Refund.id == happened.record_id))
    return Subject({Audience.STUDENT: [student_id]}) if student_id else None


def _offer(session: Session, happened: Happened) -> Subject | None:
    entry = session.get(WaitlistEntry, happened.record_id)
    offered = session.get(Booking, entry.booking_id) if entry and entry.booking_id else None
    if entry is None or offered is None:
        return None
    facts = {"booking_id": str(offered.id)}
    return Subject({Audience.STUDENT: [entry.student_id]}, facts, not_after=offered.hold_expires_at)


def _time_off(session: Session, happened: Happened) -> Subject | None:
    off = session.get(TimeOff, happened.record_id)
    return Subject({Audience.TEACHER: [off.teacher_id]}, not_after=off.end_at) if off else None


def _approval(session: Session, happened: Happened) -> Subject | None:
    """The owner, by their address; where nobody has it, the admin who has been there longest."""
    address = policy.current().OWNER_EMAIL
    owner = person_by_email(session, address) if address else None
    admins = select(User.id).where(User.role == Role.ADMIN, User.is_active).order_by(User.id).limit(1)
    chosen = owner.id if owner else session.scalar(admins)
    known = session.get(Approval, happened.record_id) is not None
    return Subject({Audience.PERSON: [chosen]}) if chosen and known else None


def _person(session: Session, happened: Happened) -> Subject | None:
    named = ids_of([happened.payload.get("person_id")])
    if not named and happened.record_type == User.__tablename__:
        named = [happened.record_id]
    return Subject({Audience.PERSON: named}) if named else None


SUBJECTS: dict[str, Callable[[Session, Happened], Subject | None]] = {
    "approvals": _approval,
    "bookings": _booking,
    "lesson_series": _series,
    "lessons": _lesson,
    "packages": _package,
    "payments": _payment,
    "refunds": _refund,
    "time_off": _time_off,
    "waitlist_entries": _offer,
}
