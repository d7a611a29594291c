"""People to call: open tasks whose title begins with `Call`, made where a mail may come too late; and whom to ring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking
from guitaronline.identity.models import Guardian, Task, TaskStatus, User

CALL = "Call "
About = tuple[str, UUID]  # the table and id of the record that a task is about


@dataclass(frozen=True)
class Callee:
    """Whom to ring. `about` is the name of who it concerns: their own, or the child's for whom they stand."""

    person: User
    about: str


def to_call(now: datetime) -> ColumnElement[bool]:
    """ix_tasks_open_title_trgm"""
    return and_(Task.status == TaskStatus.OPEN, Task.title.ilike(f"{CALL}%"))


def is_call(task: Task) -> bool:
    return task.title.casefold().startswith(CALL.casefold())


def callees(session: Session, records: Collection[About]) -> Mapping[About, list[Callee]]:
    """By record: the person, or student and teacher of the booking; and who stands for them. Three statements at most."""
    people = {about: [about[1]] for about in records if about[0] == "users"}
    bookings = [record_id for table, record_id in records if table == "bookings"]
    if bookings:
        query = select(Booking.id, Booking.student_id, Booking.teacher_id).where(Booking.id.in_(bookings))
        for row in session.execute(query):
            people["bookings", row.id] = [row.student_id, row.teacher_id]
    ids = {each for found in people.values() for each in found}
    known = {each.id: each for each in session.scalars(select(User).where(User.id.in_(ids)))} if ids else {}
    guardians = _guardians(session, ids)
    return {
        about: [
            Callee(person, known[each].full_name)
            for each in found
            if each in known
            for person in (known[each], *guardians[each])
        ]
        for about, found in people.items()
    }


def meant(task: Task, found: Collection[Callee]) -> list[User]:
    """Those whom the title is about, all where it names nobody; of these who has a telephone."""
    named = [each.person for each in found if each.about and each.about in task.title]
    wanted = named or [each.person for each in found]
    return [each for each in wanted if each.phone] or wanted


def _guardians(session: Session, student_ids: Collection[UUID]) -> Mapping[UUID, list[User]]:
    """ix_guardians_student_id"""
    found: dict[UUID, list[User]] = defaultdict(list)
    if not student_ids:
        return found
    query = select(Guardian.student_id, User).join(User, User.id == Guardian.guardian_id)
    for student_id, guardian in session.execute(query.where(Guardian.student_id.in_(list(student_ids)))):
        found[student_id].append(guardian)
    return found


TASKS: Mapping[str, Callable[[datetime], Any]] = {"to_call": to_call}
