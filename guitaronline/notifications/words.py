"""What templates are told about a record: plain values, names cut to a line, moments aware. One function for each kind of record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.models import Approval, Package, PackageOrigin, Payment, Plan, Refund
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.waitlist_models import WaitlistEntry
from guitaronline.errors import NotFound
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.notifications import lookups
from guitaronline.notifications.audience import ids_of
from guitaronline.notifications.reader import ReadAs, Scene, name_of, plain
from guitaronline.scheduling.hours_models import TimeOff

TEXT_LENGTH = 4000
SERIES_SHOWN = 60  # lessons listed in one message

Words = dict[str, Any]


def words_about(scene: Scene, record_type: str) -> Words:
    """Raises NotFound when there is no such record."""
    look = RECORDS.get(record_type)
    return look(scene) if look is not None else {}


def found(scene: Scene, model: type[Any], record_id: UUID | None = None) -> Any:
    """As it is now. Raises NotFound."""
    record = lookups.record(scene.session, model, record_id or scene.record_id)
    if record is None:
        raise NotFound(record=model.__tablename__)
    return record


def teacher_name(session: Session, teacher_id: UUID) -> str:
    """As students know them."""
    profile = lookups.profile_of(session, teacher_id)
    return (plain(profile.display_name) if profile is not None else "") or name_of(
        lookups.record(session, User, teacher_id)
    )


def of_booking(scene: Scene) -> Words:
    """A booking with its lesson; of a moved one also where it was, of a canceled one what became of its lesson."""
    booking = found(scene, Booking)
    former = ids_of([scene.facts.get("old_teacher_id")])
    return {
        **_parties(scene, booking, *former),
        "reference": booking.reference,
        "start": booking.start_at,
        "end": booking.end_at,
        "minutes": int((booking.end_at - booking.start_at).total_seconds() // 60),
        "join_url": join_url(scene.session, booking),
        "free_until": free_until(booking, scene.now),
        "window_hours": int(booking.policy.get("refund_window_hours", 0)),
        "old_teacher": teacher_name(scene.session, former[0]) if former else "",
        "may_decline": booking.substituted_from_id is not None,
        "before": _moved_from(scene.session, booking),
        "after": _moved_to(scene.session, booking) if scene.kind.name == "lesson_moved_away" else None,
        **_decision(scene.session, booking),
    }


def _parties(scene: Scene, record: Any, *former: UUID) -> Words:
    read_as = scene.read_as(record.student_id, (record.teacher_id, *former))
    student, teacher = lookups.record(scene.session, User, record.student_id), record.teacher_id
    return {
        "read_as": read_as,
        "student": name_of(student),
        "teacher": teacher_name(scene.session, teacher),
        "is_teacher": read_as is ReadAs.TEACHER,
        "is_guardian": read_as is ReadAs.GUARDIAN,
        "is_student": read_as is ReadAs.STUDENT,
    }


def join_url(session: Session, booking: Booking) -> str | None:
    """The lesson's own address, else its teacher's."""
    lesson, profile = lookups.lesson_of(session, booking.id), lookups.profile_of(session, booking.teacher_id)
    own = lesson.join_url if lesson is not None else None
    return own or (profile.meeting_url if profile is not None else None)


def free_until(booking: Booking, now: datetime) -> datetime | None:
    """Until when canceling gives the lesson back, by the booking's own terms; None when that is over."""
    last = booking.start_at - timedelta(hours=int(booking.policy.get("refund_window_hours", 0)))
    return last if last > now else None


def _moved_from(session: Session, booking: Booking) -> datetime | None:
    before = booking.rescheduled_from_booking_id
    moved = lookups.record(session, Booking, before) if before else None
    return moved.start_at if moved is not None else None


def _moved_to(session: Session, booking: Booking) -> datetime | None:
    return session.scalar(select(Booking.start_at).where(Booking.rescheduled_from_booking_id == booking.id))


def _decision(session: Session, booking: Booking) -> Words:
    """What was decided when it ended; `outcome` is empty while it stands. `ends`: of the package that got the lesson back."""
    decided = booking.decision or {}
    packages = ids_of([decided.get("package_id")])
    package = lookups.record(session, Package, packages[0]) if packages else None
    ends = decided.get("package_expires_at")
    return {
        "outcome": decided.get("outcome", ""),
        "cause": booking.cancel_cause.value if booking.cancel_cause else "",
        "waived": bool(decided.get("waived")),
        "notice_minutes": int(decided.get("minutes_of_notice") or 0),
        "package": package.reference if package is not None else "",
        "ends": datetime.fromisoformat(ends) if ends else None,
    }


def of_series(scene: Scene) -> Words:
    """A series, and the lessons of it that this event made, moved or called off: they carry its moment."""
    series = found(scene, LessonSeries)
    moment = scene.facts.get("happened_at")
    at = datetime.fromisoformat(moment) if moment else None
    column = (
        Booking.canceled_at
        if scene.kind.name in ("series_canceled", "series_ended", "series_moved_away")
        else Booking.created_at
    )
    query = select(Booking).where(Booking.series_id == series.id)
    if at is not None:
        query = query.where(column == at)
    else:  # of a preview: those ahead
        query = query.where(Booking.status == BookingStatus.CONFIRMED, Booking.start_at > scene.now)
    lessons = list(scene.session.scalars(query.order_by(Booking.start_at).limit(SERIES_SHOWN + 1)))
    first = lessons[0].start_at if lessons else None
    return {
        **_parties(scene, series),
        "reference": series.reference,
        "first": first,
        "lessons": [{"start": each.start_at, **_decision(scene.session, each)} for each in lessons[:SERIES_SHOWN]],
        "is_more": len(lessons) > SERIES_SHOWN,
        "number": int(scene.facts.get("lessons") or len(lessons)),
        "minutes": series.lesson_minutes,
    }


def of_offer(scene: Scene) -> Words:
    entry = found(scene, WaitlistEntry)
    if entry.booking_id is None:
        raise NotFound(record="bookings")
    booking = found(scene, Booking, entry.booking_id)
    return {
        **_parties(scene, entry),
        "start": booking.start_at,
        "end": booking.end_at,
        "until": booking.hold_expires_at,
    }


def of_lesson(scene: Scene) -> Words:
    lesson = found(scene, Lesson)
    return {
        **_parties(scene, lesson),
        "reference": lesson.reference,
        "start": lesson.scheduled_start_at,
        "topic": plain(lesson.topic, 200),
        "notes": plain_lines(lesson.notes),
        "homework": plain_lines(lesson.homework),
        "report_links": [plain(link, 500) for link in lesson.links[:20]],
    }


def plain_lines(written: str | None) -> str:
    """Several lines of somebody's words."""
    lines = (plain(line, 1000) for line in (written or "")[:TEXT_LENGTH].splitlines())
    return "\n".join(lines).strip()


def of_package(scene: Scene) -> Words:
    package = found(scene, Package)
    plan = lookups.record(scene.session, Plan, package.plan_id) if package.plan_id else None
    return {
        **_student(scene, package.student_id),
        "package": package.reference,
        "plan": plain(plan.name) if plan is not None else "",
        "lessons": package.lessons_total,
        "left": package.lessons_left,
        "lost": package.expired,
        "ends": package.expires_at,
        "is_gift": package.origin is PackageOrigin.GRANTED,
        "is_on_account": package.origin is PackageOrigin.ON_ACCOUNT,
    }


def _student(scene: Scene, student_id: UUID) -> Words:
    read_as = scene.read_as(student_id, ())
    student = name_of(lookups.record(scene.session, User, student_id))
    return {"student": student, "read_as": read_as, "is_guardian": read_as is ReadAs.GUARDIAN}


def of_payment(scene: Scene) -> Words:
    payment = found(scene, Payment)
    package = lookups.record(scene.session, Package, payment.package_id)
    return {
        **_student(scene, payment.student_id),
        "reference": payment.reference,
        "amount": scene.words.money(payment.amount_minor, payment.currency),
        "paid_at": payment.paid_at,
        "package": package.reference if package is not None else "",
    }


def of_refund(scene: Scene) -> Words:
    refund = found(scene, Refund)
    payment = found(scene, Payment, refund.payment_id)
    return {
        **_student(scene, payment.student_id),
        "reference": refund.reference,
        "payment": payment.reference,
        "amount": scene.words.money(refund.amount_minor, refund.currency),
        "taken_back": refund.lessons_revoked,
    }


def of_time_off(scene: Scene) -> Words:
    off = found(scene, TimeOff)
    inside = select(Booking.id).where(
        Booking.teacher_id == off.teacher_id,
        Booking.status == BookingStatus.CONFIRMED,
        Booking.start_at < off.end_at,
        Booking.end_at > off.start_at,
    )
    waiting = len(list(scene.session.scalars(inside.limit(100))))
    return {"reference": off.reference, "start": off.start_at, "end": off.end_at, "waiting": waiting}


def of_approval(scene: Scene) -> Words:
    approval = found(scene, Approval)
    return {
        "amount": scene.words.money(approval.amount_minor, approval.currency),
        "asked_by": name_of(lookups.record(scene.session, User, approval.requested_by)),
        "approval": approval.kind.value,
        "due": approval.due_alone_at,
        "url": f"{policy.current().PUBLIC_BASE_URL.rstrip('/')}/admin/approvals/",
    }


RECORDS: dict[str, Callable[[Scene], Words]] = {
    "approvals": of_approval,
    "bookings": of_booking,
    "lesson_series": of_series,
    "lessons": of_lesson,
    "packages": of_package,
    "payments": of_payment,
    "refunds": of_refund,
    "time_off": of_time_off,
    "waitlist_entries": of_offer,
}
