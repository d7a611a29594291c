"""Calls: a change to a lesson that starts soon may be read too late, so somebody of the office rings up.

A call is a task of the office on the booking. Whoever made the change knows of it and is not called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import SYSTEM, Role
from guitaronline.audit.models import AuditAction, OutboxEvent
from guitaronline.booking.models import Booking
from guitaronline.db import session as current_session
from guitaronline.identity.models import Guardian, Task, TaskStatus, User
from guitaronline.notifications.happened import Happened
from guitaronline.notifications.kinds import Audience, Kind, kinds_of
from guitaronline.notifications.planning import is_soon
from guitaronline.notifications.reader import name_of
from guitaronline.notifications.subjects import Subject, of_booking
from guitaronline.unit_of_work import Work, command

BEGINS = "Call "  # the title of every such task
WHAT = {
    "booking_canceled": "is canceled",
    "booking_moved": "was moved",
    "booking_restored": "takes place after all",
    "lesson_given_away": "is given by somebody else",
    "lesson_moved_away": "was moved to another teacher",
    "teacher_changed": "has another teacher",
}


@dataclass(frozen=True)
class Call:
    person_id: UUID
    title: str


def call_about(happened: Happened, now: datetime) -> int:
    """The people whom this event concerns are to be called, if it is that urgent; returns how many calls are new."""
    kinds = [kind for kind in kinds_of(happened.topic, happened.payload) if kind.is_urgent]
    if not kinds:
        return 0
    session = current_session()
    calls = list(_calls(session, kinds, happened, now))
    session.rollback()
    return ask_to_call(SYSTEM, event_id=happened.id, booking_id=happened.record_id, calls=calls) if calls else 0


@command("task.call", quiet=True)
def ask_to_call(work: Work, *, event_id: UUID, booking_id: UUID, calls: list[Call]) -> int:
    """A task for each call that is not there yet, of whoever in the office has least to do; returns how many."""
    made = 0
    for call in calls:
        task_id = uuid5(event_id, str(call.person_id))
        owner = _caller(work.session)
        if owner is None or work.session.get(Task, task_id) is not None:
            continue
        task = Task(
            id=task_id, record_type=Booking.__tablename__, record_id=booking_id, title=call.title, owner_id=owner,
            due_on=work.now.astimezone(ZoneInfo(policy.current().SCHOOL_TIMEZONE)).date(), status=TaskStatus.OPEN,
        )  # fmt: skip
        work.create(task)
        work.session.flush()
        made += 1
    return made


def _calls(session: Session, kinds: list[Kind], happened: Happened, now: datetime) -> Iterator[Call]:
    booking = session.get(Booking, happened.record_id)
    subject = of_booking(session, booking, happened) if booking is not None else None
    if booking is None or subject is None or subject.starts_at is None:
        return
    if subject.starts_at <= now or not is_soon(subject.starts_at, happened.created_at):
        return
    knows = _who_did_it(session, happened)
    for kind, audience, person_id in _concerned(kinds, subject):
        side = _side(session, audience, person_id)
        if side and knows not in {each.id for each in side}:
            person = next((each for each in side if each.phone), side[0])
            yield Call(person.id, _title(person, side[0], audience, booking, kind))


def _concerned(kinds: list[Kind], subject: Subject) -> Iterator[tuple[Kind, Audience, UUID]]:
    for kind in kinds:
        for audience in kind.audience:
            for person_id in subject.people.get(audience, ()):
                yield kind, audience, person_id


def _who_did_it(session: Session, happened: Happened) -> UUID | None:
    query = select(AuditAction.actor_id).join(OutboxEvent, OutboxEvent.action_id == AuditAction.id)
    return session.scalar(query.where(OutboxEvent.id == happened.id))


def _side(session: Session, audience: Audience, person_id: UUID) -> list[User]:
    """The person; of a student also the adults who stand for them."""
    person = session.get(User, person_id)
    found = [person] if person is not None else []
    if audience is Audience.STUDENT:
        adults = select(User).join(Guardian, Guardian.guardian_id == User.id).where(Guardian.student_id == person_id)
        found += session.scalars(adults.order_by(Guardian.id).limit(5))
    return found


def _title(person: User, whose: User, audience: Audience, booking: Booking, kind: Kind) -> str:
    """Names whom it concerns: the desk finds the number by that."""
    role = "student" if audience is Audience.STUDENT else "teacher"
    if person.id != whose.id:
        role = f"guardian of {name_of(whose)}"
    return f"{BEGINS}{name_of(person)} ({role}): {booking.reference} {WHAT[kind.name]}"


def _caller(session: Session) -> UUID | None:
    """Of the active support staff, else admins, the one with the fewest open tasks. ix_tasks_open_owner"""
    tasks = select(func.count()).where(Task.owner_id == User.id, Task.status == TaskStatus.OPEN).scalar_subquery()
    query = select(User.id).where(User.role.in_((Role.SUPPORT, Role.ADMIN)), User.is_active, ~User.is_test)
    order = (case((User.role == Role.SUPPORT, 0), else_=1), tasks, User.id)
    return session.scalar(query.order_by(*order).limit(1))
