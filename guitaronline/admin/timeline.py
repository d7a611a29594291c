"""The one timeline of a record or a person: state moves, changes from → to, reasons, money, events and notes, newest first.

Plain GET: `?timeline=money` chooses a kind, `?before=…` leads to what is older."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import select

from guitaronline.admin import gate, history, messages_told, show
from guitaronline.admin.history import Told
from guitaronline.admin.subjects import Kind, subjects_of
from guitaronline.audit import timeline as audit
from guitaronline.db import session
from guitaronline.identity.models import Note, Task

SHOWN = 30
ANCHOR = "timeline"


@dataclass(frozen=True)
class Chip:
    word: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Day:
    label: str
    entries: list[Told]


@dataclass(frozen=True)
class Timeline:
    chips: list[Chip]
    days: list[Day]
    older: str  # where it goes on; empty: that was all
    newest: str  # back to the beginning; empty: this is it
    empty: str
    is_wordy: bool  # says of each event what became of it, where that is the question


def timeline_of(record: Any) -> Timeline:
    kind, before = asked_kind(), asked_before()
    found = _page(record, kind, before)
    entries = list(zip((each.entry.id for each in found.items), told(found.items), strict=True))
    entries, is_all = messages_told.among(
        entries, record, kind, is_all=found.before is None, before=before, limit=SHOWN
    )
    return Timeline(
        chips=[Chip(each.value, _url(each), each is kind) for each in Kind],
        days=_days([each for _, each in entries]),
        older="" if is_all or not entries else _url(kind, entries[-1][0]),
        newest=_url(kind) if before else "",
        empty="Nothing has happened yet." if kind is Kind.ALL else f"Nothing of this kind: {kind}.",
        is_wordy=kind is Kind.MESSAGES,
    )


def asked_kind() -> Kind:
    given = flask.request.args.get("timeline", Kind.ALL)
    if given in set(Kind):
        return Kind(given)
    flask.flash("The timeline has no such part; all of it is shown.", "warning")
    return Kind.ALL


def asked_before() -> UUID | None:
    given = flask.request.args.get("before")
    if not given:
        return None
    try:
        return UUID(given)
    except ValueError:
        flask.flash("That is no place in the timeline; here is its newest part.", "warning")
        return None


def _page(record: Any, kind: Kind, before: UUID | None) -> audit.Page:
    subjects = subjects_of(record, kind)
    if subjects is None:
        return audit.Page([], None)
    if kind is Kind.MESSAGES:
        return audit.events_page(session(), subjects, before=before, limit=SHOWN)
    return audit.page(session(), subjects, before=before, limit=SHOWN, is_whole=kind is Kind.ALL)


def told(items: Sequence[audit.Told]) -> list[Told]:
    """In words, with the names of people and what notes and tasks say."""
    known = history.names({each.entry.actor_id for each in items if each.entry.actor_id})
    said = _said(items)
    return [history.told(each.entry, known, events=each.events, said=said) for each in items]


def _said(items: Sequence[audit.Told]) -> dict[UUID, str]:
    """What was written, by the note or task: staff may read it, so it need not stand as a digest."""
    ids = {
        model: {
            change.row_id for each in items for change in each.entry.changes if change.table_name == model.__tablename__
        }
        for model in (Note, Task)
    }
    found: dict[UUID, str] = {}
    for model, text in ((Note, Note.body), (Task, Task.title)):
        query = select(model.id, text).where(model.id.in_(ids[model]))
        found |= {row[0]: row[1] for row in session().execute(query)} if ids[model] else {}
    return found


def _days(entries: Sequence[Told]) -> list[Day]:
    return [Day(_label(day), list(group)) for day, group in groupby(entries, key=_local)]


def _local(entry: Told) -> date:
    return entry.at.astimezone(show.zone()).date()


def _label(day: date) -> str:
    today = gate.now().astimezone(show.zone()).date()
    words = {0: "Today, ", 1: "Yesterday, "}.get((today - day).days, "")
    return f"{words}{show.day(day)}"


def _url(kind: Kind, before: UUID | None = None) -> str:
    """This page with that part of the timeline."""
    kept: dict[str, Any] = {name: value for name, value in flask.request.args.items() if name == "id"}
    asked: dict[str, Any] = {
        "timeline": None if kind is Kind.ALL else str(kind),
        "before": str(before) if before else None,
    }
    return flask.url_for(flask.request.endpoint or "", _anchor=ANCHOR, **kept, **asked)
