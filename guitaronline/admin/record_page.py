"""What every record's page has: its actions, its notes and tasks, its timeline, and tables of what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flask
from sqlalchemy import select

from guitaronline.admin import gate, show
from guitaronline.admin.command_page import Button, buttons_of
from guitaronline.admin.timeline import timeline_of
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Note, Task, User
from guitaronline.identity.notes_tasks import RECORD_TYPES

SHOWN = 10  # rows of a section; "Show all" leads to the list


@dataclass(frozen=True)
class Section:
    """A table on a record's page."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "None."
    more: str = ""
    is_aside: bool = False  # in the narrow column


@dataclass(frozen=True)
class Figure:
    """A number at the top of the page that people look for first."""

    label: str
    value: Any
    note: Any = ""


@dataclass(frozen=True)
class NotNow:
    """Actions that are not possible now, for one and the same reason."""

    titles: str
    why: str


@dataclass(frozen=True)
class Actions:
    """What can be done with a record: the usual, apart from it what cannot be taken back easily, what people seldom come
    for, and what is not possible now."""

    usual: Sequence[Button]
    dangerous: Sequence[Button]
    rare: Sequence[Button]
    not_now: Sequence[NotNow]
    has_rare: bool  # possible now or not

    @property
    def folds(self) -> bool:
        """Whether a part stands under "More actions"."""
        return self.has_rare and not self.is_empty

    @property
    def is_empty(self) -> bool:
        return not (self.usual or self.dangerous or self.rare)


@dataclass(frozen=True)
class Page:
    """What a desk says about one of its records."""

    facts: Sequence[show.Fact]
    state: Any = ""
    marks: Sequence[Any] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    also: Sequence[Button] = ()  # actions that are about more than this record
    figures: Sequence[Figure] = ()


def whole(record: Any, page: Page) -> dict[str, Any]:
    """The page of a record that people act on."""
    return {
        "facts": page.facts,
        "state": page.state,
        "marks": page.marks,
        "figures": page.figures,
        "sections": [each for each in page.sections if not each.is_aside],
        "asides": [each for each in page.sections if each.is_aside],
        "actions": actions_of([*page.also, *buttons_of(record)]),
        "timeline": timeline_of(record),
        **notes_and_tasks(record),
    }


def actions_of(buttons: Sequence[Button]) -> Actions:
    allowed = [each for each in buttons if not each.why_not]
    reasons = dict.fromkeys(each.why_not for each in buttons if each.why_not)
    return Actions(
        usual=[each for each in allowed if not each.is_rare and each.tone != "danger"],
        dangerous=[each for each in allowed if not each.is_rare and each.tone == "danger"],
        rare=sorted((each for each in allowed if each.is_rare), key=lambda each: each.tone == "danger"),
        not_now=[NotNow(", ".join(each.title for each in buttons if each.why_not == why), why) for why in reasons],
        has_rare=any(each.is_rare for each in buttons),
    )


def facts(*pairs: tuple[str, Any]) -> list[show.Fact]:
    return [show.Fact(label, show.text(value)) for label, value in pairs]


def notes_and_tasks(record: Any) -> dict[str, Any]:
    table = record.__tablename__
    names = {"record_type": table, "record_id": record.id}
    ids = [record.id, *_pointers_to(record)]
    return {
        "notes": [_note(*row) for row in session().execute(_of(Note, table, ids, Note.author_id))],
        "tasks": [_task(*row) for row in session().execute(_of(Task, table, ids, Task.owner_id))],
        "may_write_notes": table in RECORD_TYPES and gate.may(Permission.WRITE_NOTES),
        "new_note_url": flask.url_for("console.WriteNote", **names),
        "new_task_url": flask.url_for("console.CreateTask", **names),
    }


def _pointers_to(record: Any) -> Sequence[Any]:
    """Records that were merged into this person: what was written about them is about this one. ix_users_merged_into"""
    if not isinstance(record, User):
        return ()
    return session().scalars(select(User.id).where(User.merged_into_id == record.id).limit(SHOWN)).all()


def _of(model: Any, table: str, record_ids: Sequence[Any], person: Any) -> Any:
    """The newest first; index: ix_notes_record, ix_tasks_record."""
    query = select(model, User.full_name).outerjoin(User, User.id == person)
    return (
        query.where(model.record_type == table, model.record_id.in_(record_ids)).order_by(model.id.desc()).limit(SHOWN)
    )


def _note(note: Note, author: str | None) -> dict[str, Any]:
    return {"body": show.prose(note.body), "author": author or "the system", "when": show.when(note.created_at)}


def _task(task: Task, owner: str | None) -> dict[str, Any]:
    due = show.day(task.due_on) if task.due_on else ""
    return {"chip": show.state(task), "link": show.link(task), "owner": owner or "", "due": due}


def rows(found: Iterable[Any], *cells: Any) -> list[list[Any]]:
    """A row for each record, a cell for each function."""
    return [[cell(each) for cell in cells] for each in found]
