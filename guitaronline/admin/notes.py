"""What staff write about people and records, and what they have to do about them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import select
from wtforms import SelectField
from wtforms.validators import InputRequired, Optional

from guitaronline.actor import STAFF_ROLES, Actor
from guitaronline.admin import calls, exported, forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Choice, Dates, State, contains
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.admin.waiting import Waiting
from guitaronline.db import Base, session
from guitaronline.errors import NotFound
from guitaronline.identity import service
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, TaskStatus, User
from guitaronline.notifications.calls import TASKS as TASKS_WAITING

STAFF_SHOWN = 200
MODELS: dict[str, Any] = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}


def subject_of(record_type: str | None, record_id: Any) -> Any:
    """The record that a note or task is about. Raises NotFound."""
    found = None
    if record_type in service.RECORD_TYPES and record_id:
        found = session().get(MODELS[record_type], record_id)
    if found is None:
        raise NotFound("There is no such record to write about.")
    return found


def staff() -> list[tuple[str, str]]:
    query = (
        select(User.id, User.full_name)
        .where(User.role.in_(STAFF_ROLES), User.is_active)
        .order_by(User.full_name)
        .limit(STAFF_SHOWN)
    )
    return [(str(person_id), name or "(no name)") for person_id, name in session().execute(query)]


def about(task: Task) -> Any:
    """The record, and of a call whom to ring."""
    record = show.link(session().get(MODELS[task.record_type], task.record_id))
    people = calls.whom(task)
    return show.joined([record, *people]) if people else record


def owner_of(task: Task) -> Any:
    return show.link(session().get(User, task.owner_id))


class TasksDesk(Desk):
    model_of = Task
    path = "tasks"
    title = "Tasks"
    one = "Task:"
    permission = Permission.READ_PEOPLE
    empty = "Nobody has anything to do. Create a task on the record that it is about."
    search_words = "Words of the task"
    columns = (
        Column("title", "Task", show.link),
        Column("record", "About", about),
        Column("owner", "Owner", owner_of),
        Column("due_on", "Due", lambda task: show.day(task.due_on), sort=Task.due_on),
        Column("status", "State", show.state),
        Column("id", "Since", lambda task: show.stamp(task.created_at), sort=Task.id),
    )

    filters = (
        State(Task.status, TaskStatus),
        Waiting(TASKS_WAITING),
        Choice("owner", "Owner", ["me"], lambda value: Task.owner_id == gate.viewer().id),
        Dates("due", "Due", Task.due_on),
    )
    exported = exported.TASKS
    default_order = (Task.id, True)
    row_actions = staticmethod(buttons_of)

    def prepare_rows(self, rows: list[Any]) -> None:
        """Owners and subjects, a statement a kind; the session finds those that are kept here without asking."""
        wanted: dict[str, set[UUID]] = defaultdict(set)
        for task in rows:
            wanted[task.record_type].add(task.record_id)
            wanted["users"].add(task.owner_id)
        flask.g.known = [
            each
            for kind, ids in wanted.items()
            for each in session().scalars(select(MODELS[kind]).where(MODELS[kind].id.in_(ids)))
        ]
        calls.look(rows)

    def search_clauses(self, words: str) -> list[Any]:
        return [contains(Task.title, words)]

    def record_page(self, task: Any) -> dict[str, Any]:
        found = facts(
            ("About", about(task)),
            ("Owner", owner_of(task)),
            ("Due", show.day(task.due_on)),
            ("Since", show.when(task.created_at)),
            ("Closed", show.when(task.closed_at)),
        )
        page = whole(task, Page(found, state=show.state(task)))
        return {name: value for name, value in page.items() if name not in ("notes", "tasks")}


class NoteForm(forms.CommandForm):
    linkable = frozenset({"record_type", "record_id"})
    record_type = forms.hidden()
    record_id = forms.hidden()
    body = forms.paragraph("Note", required=True, help="Seen by staff only; it cannot be changed later.")


class AboutCommand(CommandPage):
    """A page about another record, which its link names."""

    permission = Permission.WRITE_NOTES

    def prepare(self, form: Any, record: Any) -> None:
        form.subject = subject_of(form.record_type.data, forms.id_or_none(form.record_id.data))

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("About", show.link(form.subject))])

    def done(self, result: Any) -> Done:
        return Done("It is written down.", show.record_url(result.record_type, result.record_id) or "")


class WriteNote(AboutCommand):
    path = "notes/new"
    title = "New note"
    button = "Write it down"
    form = NoteForm

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.write_note(
            actor, record_type=form.record_type.data, record_id=UUID(form.record_id.data), body=form.body.data
        )


class TaskForm(forms.CommandForm):
    linkable = frozenset({"record_type", "record_id"})
    record_type = forms.hidden()
    record_id = forms.hidden()
    title = forms.line("What is to be done", required=True)
    owner_id = SelectField("Owner", validators=[InputRequired("Somebody has to do it.")])
    due_on = forms.DateField("Due", validators=[Optional()])


class CreateTask(AboutCommand):
    path = "tasks/new"
    title = "New task"
    parent = "desk_tasks.index_view"
    button = "Create"
    form = TaskForm

    def initial(self, record: Any) -> dict[str, Any]:
        return {"owner_id": str(gate.viewer().id)}

    def prepare(self, form: Any, record: Any) -> None:
        super().prepare(form, record)
        form.owner_id.choices = forms.choices(staff())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.create_task(
            actor,
            record_type=form.record_type.data,
            record_id=UUID(form.record_id.data),
            title=form.title.data,
            owner_id=UUID(form.owner_id.data),
            due_on=form.due_on.data,
        )


class TaskCommand(CommandPage):
    record = Task
    permission = Permission.WRITE_NOTES
    form = forms.MaybeReasonForm

    def done(self, result: Any) -> Done:
        return Done(f"The task is {show.word(result.status)}.", show.record_url("tasks", result.id) or "")


class FinishTask(TaskCommand):
    path = "tasks/<uuid:id>/finish"
    title = "Done"
    button = "It is done"
    targets = (TaskStatus.DONE,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.finish_task(actor, record.id, reason=form.reason.data)


class CancelTask(TaskCommand):
    path = "tasks/<uuid:id>/cancel"
    title = "No longer needed"
    targets = (TaskStatus.CANCELED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.cancel_task(actor, record.id, reason=form.reason.data)


class ReopenTask(TaskCommand):
    path = "tasks/<uuid:id>/reopen"
    title = "Open again"
    targets = (TaskStatus.OPEN,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.reopen_task(actor, record.id, reason=form.reason.data)


commands.add(WriteNote, CreateTask, FinishTask, CancelTask, ReopenTask)
