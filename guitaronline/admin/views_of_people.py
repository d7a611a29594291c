"""What a student or a teacher sees through the API, part by part: the same queries, asked for that person alone.

Nothing is read here that the API would not tell them: names of teachers are those of public profiles, names of students
those that a teacher's own list has, and notes that are for staff stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import Actor, Role
from guitaronline.admin import gate, show
from guitaronline.billing import queries as billing
from guitaronline.billing.rules import effective_package_status
from guitaronline.booking import queries as booking
from guitaronline.booking.rules import effective_status
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.lessons import queries as lessons
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import ACTIVE_TEACHER

STUDENTS_NAMED = 1000  # of one teacher

Rows = list[list[Any]]


@dataclass(frozen=True)
class Part:
    """One page of what the person sees; `rows(session, actor, offset, limit)`."""

    name: str
    title: str
    headings: Sequence[str]
    rows: Callable[[Session, Actor, int, int], Rows]
    empty: str


def bookings(session: Session, actor: Actor, offset: int, limit: int) -> Rows:
    """As GET /booking/my: latest first, with the state they read in now."""
    person_id = _own(actor, Permission.READ_BOOKINGS)
    found = booking.bookings_of_person(session, person_id, offset=offset, limit=limit)
    names = _others(session, actor, ((each.teacher_id, each.student_id) for each in found))
    return [
        [
            _said(each.reference),
            show.span(each.start_at, each.end_at),
            "to come" if each.start_at > gate.now() else "past",
            names.get(_other(actor, each), show.NOTHING),
            show.state(each, effective_status(each, gate.now())),
            show.text((each.decision or {}).get("sentence") or each.cancellation_reason),
        ]
        for each in found
    ]


def taken_lessons(session: Session, actor: Actor, offset: int, limit: int) -> Rows:
    """As GET /lessons/my: report and link, not the private note."""
    person_id = _own(actor, Permission.READ_BOOKINGS)
    found = lessons.lessons_of_person(session, person_id, offset=offset, limit=limit)
    urls = lessons.join_urls(session, found)
    names = _others(session, actor, ((each.teacher_id, each.student_id) for each in found))
    return [
        [
            _said(each.reference),
            show.span(each.scheduled_start_at, each.scheduled_end_at),
            names.get(_other(actor, each), show.NOTHING),
            show.state(each),
            show.text(urls[each.id]),
            show.joined(text for text in (each.topic, each.notes, each.homework, *(each.links or [])) if text),
        ]
        for each in found
    ]


def packages(session: Session, actor: Actor, offset: int, limit: int) -> Rows:
    """As GET /billing/packages/students/{id}: the balance, not why staff froze it."""
    found = billing.packages_of_student(session, _own(actor, Permission.READ_PACKAGES), offset=offset, limit=limit)
    return [
        [
            _said(each.reference),
            show.state(each, effective_package_status(each, gate.now())),
            f"{each.lessons_left} of {each.lessons_total}",
            each.lessons_reserved,
            show.money(each.price_minor, each.currency),
            show.when(each.expires_at),
            show.when(each.frozen_at),
        ]
        for each in found
    ]


def payments(session: Session, actor: Actor, offset: int, limit: int) -> Rows:
    """As GET /billing/payments/students/{id}."""
    found = billing.payments_of_student(session, _own(actor, Permission.READ_PAYMENTS), offset=offset, limit=limit)
    return [
        [_said(each.reference), show.money(each.amount_minor, each.currency), show.state(each), show.when(each.paid_at)]
        for each in found
    ]


def slots(session: Session, actor: Actor, offset: int, limit: int) -> Rows:
    """As GET /scheduling/slots/open: what of the teacher's time is offered now."""
    person_id = _own(actor, Permission.MANAGE_SLOTS)
    found = booking.offered_slots(
        session, now=gate.now(), settings=policy.current(), teacher_id=person_id, offset=offset, limit=limit
    )
    return [[show.span(each.start_at, each.end_at), show.chip(each.status)] for each in found]


def students(session: Session, actor: Actor, offset: int, limit: int) -> Rows:
    """As GET /booking/teacher/students: names only."""
    person_id = _own(actor, Permission.READ_PEOPLE)
    found = booking.students_of_teacher(session, person_id, now=gate.now(), offset=offset, limit=limit)
    return [[each.full_name, each.lessons, show.when(each.next_start_at)] for each in found]


def profile(person: User) -> list[show.Fact]:
    """As GET /identity/users/me."""
    return [
        show.Fact("Name", show.text(person.full_name)),
        show.Fact("E-mail", show.text(person.email)),
        show.Fact("Time zone", person.timezone),
        show.Fact("Role", show.word(person.role)),
        show.Fact("Since", show.when(person.created_at)),
    ]


def _said(reference: str) -> Any:
    return show.html('<span class="nowrap">{}</span>', reference)


def _own(actor: Actor, permission: Permission) -> UUID:
    """The person's id, after the table has said that they may read their own. Raises NotAllowed."""
    access.require(actor, permission, own=True)
    assert actor.id is not None
    return actor.id


def _other(actor: Actor, record: Any) -> UUID:
    found: UUID = record.student_id if actor.role is Role.TEACHER else record.teacher_id
    return found


def _others(session: Session, actor: Actor, pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, str]:
    """Names that the person can learn from the API."""
    if actor.role is Role.TEACHER:
        taught = booking.students_of_teacher(
            session, _own(actor, Permission.READ_PEOPLE), now=gate.now(), limit=STUDENTS_NAMED
        )
        return {each.student_id: each.full_name for each in taught}
    public = select(TeacherProfile.user_id, TeacherProfile.display_name).join(User, User.id == TeacherProfile.user_id)
    teachers = {teacher_id for teacher_id, _ in pairs}
    return {
        row[0]: row[1] for row in session.execute(public.where(ACTIVE_TEACHER, TeacherProfile.user_id.in_(teachers)))
    }


def _bookings_part(other: str) -> Part:
    return Part(
        "bookings",
        "Bookings",
        ("Booking", "Starts", "When", other, "State", "What became of it"),
        bookings,
        "No booking yet.",
    )


def _lessons_part(other: str) -> Part:
    return Part(
        "lessons", "Lessons", ("Lesson", "Starts", other, "State", "Where", "Report"), taken_lessons, "No lesson yet."
    )


PARTS: dict[Role, tuple[Part, ...]] = {
    Role.STUDENT: (
        _bookings_part("Teacher"),
        _lessons_part("Teacher"),
        Part(
            "packages",
            "Packages",
            ("Package", "State", "Lessons left", "Reserved", "Price", "Expires", "Frozen since"),
            packages,
            "No package yet.",
        ),
        Part("payments", "Payments", ("Payment", "Amount", "State", "Paid"), payments, "No payment yet."),
    ),
    Role.TEACHER: (
        _bookings_part("Student"),
        _lessons_part("Student"),
        Part("slots", "Open slots", ("Starts", "State"), slots, "Nothing is offered now."),
        Part("students", "Students", ("Name", "Lessons", "Next lesson"), students, "No student yet."),
    ),
}
