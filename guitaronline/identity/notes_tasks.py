"""What staff write about a person or a record, and what they have to do about it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import STAFF_ROLES
from guitaronline.db import Base
from guitaronline.errors import NotFound, Reason
from guitaronline.identity import access, rules
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Note, Task, TaskStatus, User
from guitaronline.identity.refusals import NoteInvalid, TaskInvalid
from guitaronline.unit_of_work import Work, command

NOTE_LENGTH, TITLE_LENGTH = 4000, 200
RECORD_TYPES = (  # tables whose rows people talk about
    "users",
    "teacher_profiles",
    "availability_slots",
    "plans",
    "packages",
    "payments",
    "refunds",
    "invoices",
    "credit_notes",
    "approvals",
    "bookings",
    "lesson_series",
    "lessons",
    "webhook_endpoints",
)


@command("note.write", creates="notes")
def write_note(work: Work, *, record_type: str, record_id: UUID, body: str) -> Note:
    """The note stands under the record, for staff only and for good. Raises NoteInvalid, NotFound."""
    access.require(work.actor, Permission.WRITE_NOTES)
    problems = _type_problems(record_type) + rules.text_problems("body", body, NOTE_LENGTH, lines=True)
    if not body.strip():
        problems.append(Reason("body_empty", "The note says nothing.", "Write something.", "/body"))
    if problems:
        raise NoteInvalid(reasons=problems)
    _require_record(work, record_type, record_id)
    note = Note(
        id=work.record_id, record_type=record_type, record_id=record_id, author_id=work.actor.id, body=body.strip()
    )
    work.add(note)
    return note


@command("task.create", creates="tasks")
def create_task(
    work: Work, *, record_type: str, record_id: UUID, title: str, owner_id: UUID, due_on: date | None = None
) -> Task:
    """The owner, a member of staff, has this to do by that day. Raises TaskInvalid with every reason, NotFound."""
    access.require(work.actor, Permission.WRITE_NOTES)
    problems = _type_problems(record_type) + rules.text_problems("title", title, TITLE_LENGTH)
    if not title.strip():
        problems.append(Reason("title_empty", "The task says nothing.", "Say what is to be done.", "/title"))
    owner = work.session.get(User, owner_id, populate_existing=True)
    if owner is None or owner.role not in STAFF_ROLES or not owner.is_active:
        problems.append(
            Reason("owner_not_staff", "A task is done by an active member of staff.", "Take one.", "/owner_id")
        )
    if problems:
        raise TaskInvalid(reasons=problems)
    _require_record(work, record_type, record_id)
    task = Task(
        id=work.record_id,
        record_type=record_type,
        record_id=record_id,
        title=title.strip(),
        owner_id=owner_id,
        due_on=due_on,
        status=TaskStatus.OPEN,
    )
    work.create(task)
    return task


@command("task.finish", on="tasks")
def finish_task(work: Work, task_id: UUID, *, reason: str | None = None) -> Task:
    """The task is done. Repeating it changes nothing. Raises IllegalMove."""
    return _close(work, task_id, TaskStatus.DONE)


@command("task.cancel", on="tasks")
def cancel_task(work: Work, task_id: UUID, *, reason: str | None = None) -> Task:
    """The task is not needed any more. Repeating it changes nothing. Raises IllegalMove."""
    return _close(work, task_id, TaskStatus.CANCELED)


@command("task.reopen", on="tasks")
def reopen_task(work: Work, task_id: UUID, *, reason: str | None = None) -> Task:
    """The task is to be done again. Repeating it changes nothing. Raises IllegalMove."""
    access.require(work.actor, Permission.WRITE_NOTES)
    task = work.lock(Task, task_id)
    if task.status is not TaskStatus.OPEN:
        work.move(task, TaskStatus.OPEN)
        task.closed_at = None
    return task


def _close(work: Work, task_id: UUID, target: TaskStatus) -> Task:
    access.require(work.actor, Permission.WRITE_NOTES)
    task = work.lock(Task, task_id)
    if task.status is not target:
        work.move(task, target)
        task.closed_at = work.now
    return task


def _type_problems(record_type: str) -> list[Reason]:
    if record_type in RECORD_TYPES:
        return []
    return [Reason("record_type_unknown", "Notes and tasks do not stand under such records.", "", "/record_type")]


def _require_record(work: Work, record_type: str, record_id: UUID) -> None:
    """Only whether it exists, by the table's name: identity does not know the domains above it."""
    table = Base.metadata.tables[record_type]
    if work.session.scalar(select(table.c.id).where(table.c.id == record_id)) is None:
        raise NotFound(record=record_type, id=str(record_id))
