"""Bulk actions on lists: what is chosen, and the page that says what would become of each record before anything does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import flask
from sqlalchemy import select
from sqlalchemy.sql.elements import ColumnElement
from wtforms import HiddenField
from wtforms.validators import Length, Optional

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.base import Desk, Selection
from guitaronline.admin.command_page import Button, CommandPage, Consequences, Done, commands
from guitaronline.admin.export_request import SelectionInvalid, selection_problems, whole
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, User
from guitaronline.office import bulk, bulk_forecast
from guitaronline.office.bulk_actions import ACTIONS
from guitaronline.office.bulk_forecast import Forecast
from guitaronline.office.bulk_kinds import BulkAction

ROWS_SHOWN = 300  # of a preview; the counts are about all
LONGEST_CHOICE = 300_000  # characters: 5,000 ids


@dataclass(frozen=True)
class Chosen:
    """The records that a page is about, in the order of their list; `problem` says why there is nothing to do."""

    ids: Sequence[UUID]
    problem: Reason | None = None
    left_out: int = 0  # chosen, but they do not exist or are not shown to this role


@dataclass(frozen=True)
class ListBulk:
    """What stands above a list: its actions, and the whole selection in plain words."""

    buttons: list[Button]
    selection: str
    number: str
    is_too_many: bool


class BulkForm(forms.CommandForm):
    chosen = HiddenField(validators=[Length(max=LONGEST_CHOICE)])
    digest = HiddenField(validators=[Optional(), Length(max=64)])
    seen = HiddenField(validators=[Optional(), Length(max=bulk.ROWS_MOST * bulk_forecast.MARK)])
    reason = forms.reason()


class BulkPage(CommandPage):
    """Derive one an action: its name, the desk whose rows are chosen, and the fields of its arguments."""

    action: ClassVar[str]
    desk: ClassVar[str]
    form = BulkForm
    template = "admin/bulk.html"
    button = "Do it"
    tone = "primary"

    @property
    def bulk(self) -> BulkAction:
        return ACTIONS[self.action]

    def arguments(self, form: Any) -> dict[str, Any]:
        return {}

    def prepare(self, form: Any, record: Any) -> None:
        if flask.request.method == "GET":
            form.chosen.data = _asked()
        form.records = choose(_desk(self.desk), form.chosen.data)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """What would become of each; the form carries the marks of what is shown from here on."""
        chosen: Chosen = form.records
        if chosen.problem is not None:
            return Consequences(blockers=[chosen.problem])
        try:
            forecasts = bulk.foresee(
                session(), actor, self.action, chosen.ids, arguments=self.arguments(form), now=gate.now()
            )
        except DomainError as refusal:
            return Consequences(blockers=forms.reasons_of(refusal))
        agree_on(form, self.bulk, self.arguments(form), forecasts)
        return shown(self.bulk, forecasts, left_out=chosen.left_out)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return bulk.request_bulk(
            actor,
            action=self.action,
            record_ids=form.records.ids,
            arguments=self.arguments(form),
            digest=form.digest.data or "",
            seen=form.seen.data or "",
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is on its way.", show.record_url("bulk_runs", result.id) or "")

    def back(self, record: Any) -> tuple[str, str]:
        desk = _desk(self.desk)
        return str(desk.title), flask.url_for(f"{desk.endpoint}.index_view")


def agree_on(form: Any, action: BulkAction, arguments: Mapping[str, Any], forecasts: Sequence[Forecast]) -> None:
    """The form carries the marks of what is shown, and the rows stand below it, refused ones first."""
    form.digest.data = bulk_forecast.digest(action.name, arguments, forecasts)
    form.seen.data = bulk_forecast.marks(forecasts)
    in_order = sorted(forecasts, key=lambda each: each.is_possible)
    shown_rows = in_order[:ROWS_SHOWN]
    labels = labels_of(action.table, {each.record_id: each.label for each in shown_rows})
    form.rows_shown = [_line(action, each, labels[each.record_id]) for each in shown_rows]
    form.rows_more = len(forecasts) - len(form.rows_shown)


def labels_of(table: str, labels: dict[UUID, str]) -> dict[UUID, str]:
    """What people call these records: the reference that a row carries, or the words that only the record itself may hold."""
    if table == "tasks":
        found = session().execute(select(Task.id, Task.title).where(Task.id.in_(labels)))
        return labels | {row.id: row.title for row in found}
    if table == "users" and gate.may(Permission.READ_PEOPLE):
        people = session().execute(select(User.id, User.full_name).where(User.id.in_(labels)))
        return labels | {row.id: f"{row.full_name or '(no name)'} · {labels[row.id]}" for row in people}
    if table == "bookings" and gate.may(Permission.READ_BOOKINGS):
        query = select(Booking.id, Booking.start_at, User.full_name).join(User, User.id == Booking.student_id)
        lessons = session().execute(query.where(Booking.id.in_(labels)))
        return labels | {
            row.id: f"{labels[row.id]} · {_moment(row.start_at)} · {row.full_name or '(no name)'}" for row in lessons
        }
    return labels


def _moment(at: datetime) -> str:
    local = at.astimezone(show.zone())
    return f"{local:%a} {local.day} {local:%b, %H:%M}"


def shown(action: BulkAction, forecasts: Sequence[Forecast], *, left_out: int = 0) -> Consequences:
    """What it comes to, in numbers."""
    if not forecasts:
        return Consequences(blockers=[NOTHING_CHOSEN])
    will = [each for each in forecasts if each.is_possible]
    refused = [each for each in forecasts if not each.is_possible]
    lines: list[tuple[str, Any]] = [("Will happen", f"{len(will):,} of {len(forecasts):,}")]
    if refused:
        lines.append(("Will be refused", f"{len(refused):,}: {_why(refused)}"))
    if left_out:
        lines.append(("Left out", f"{left_out} that do not exist, or that your role does not show"))
    lines += action.totals(forecasts)
    lines.append(("Undo", undo_words(action)))
    blockers = [] if will else [Reason("nothing_possible", bulk.NothingPossible.detail)]
    return Consequences(lines, blockers=blockers)


def undo_words(action: BulkAction) -> str:
    if not action.undone_by:
        return f"Not possible. {action.final_because}"
    minutes = int(bulk.UNDO_WITHIN.total_seconds() // 60)
    return f"Within {minutes} minutes of its end. {action.undo_words}"


def _why(refused: Sequence[Forecast]) -> str:
    counted = Counter(each.sentence for each in refused).most_common(3)
    return " ".join(f"{sentence} ({number})" for sentence, number in counted)


def _line(action: BulkAction, forecast: Forecast, label: str) -> tuple[Any, Any, Any]:
    chip = show.chip("will happen" if forecast.is_possible else "refused")
    return show.link_to(action.table, forecast.record_id, label), chip, forecast.sentence


# What is chosen


def bulk_of(desk: Desk, selection: Selection) -> Any:
    """What stands above this list for the viewer; None when there is nothing to do with many."""
    pages = [page for page in commands.pages if isinstance(page, BulkPage) and page.desk == desk.path]
    allowed = [page for page in pages if gate.may(page.permission) and gate.may(Permission.RUN_BULK)]
    if not allowed:
        return None
    count = flask.g.listed.count
    return ListBulk(
        [Button(page.title, page.url_for(), None, page.tone) for page in allowed],
        json.dumps(selection.as_json()),
        str(count),
        count.number > bulk.ROWS_MOST,
    )


def _asked() -> str:
    """The choice that a list made, as the form carries it on."""
    given = flask.request.args
    if given.get("all") == "1":
        return json.dumps({"selection": given.get("selection", "")})
    return json.dumps({"ids": given.getlist("id")})


def choose(desk: Desk, given: str | None) -> Chosen:
    """The records that were chosen, as far as the viewer sees them."""
    try:
        asked = json.loads(given or "{}")
        if "selection" in asked:
            return _all_that_match(desk, _selection(asked["selection"]))
        return _these(desk, [UUID(each) for each in asked.get("ids", [])])
    except SelectionInvalid as refusal:
        return Chosen([], Reason(refusal.reasons[0].code, refusal.reasons[0].detail, CHOOSE_AGAIN))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Chosen([], NOT_A_CHOICE)


def _selection(given: str) -> Selection:
    """Raises ValueError, KeyError, TypeError or RecursionError for what no list would say."""
    facts = json.loads(given)
    words = (facts["search"], facts["sort"], *facts["filters"].keys(), *facts["filters"].values())
    if not all(isinstance(each, str) for each in words):
        raise ValueError
    return Selection(facts["search"], facts["filters"], facts["sort"], bool(facts["is_descending"]))


def _all_that_match(desk: Desk, selection: Selection) -> Chosen:
    problems = selection_problems(desk, selection)
    if problems:
        raise SelectionInvalid(reasons=problems)
    ids = list(session().scalars(whole(desk, selection).limit(bulk.ROWS_MOST + 1)))
    return Chosen(ids) if len(ids) <= bulk.ROWS_MOST else Chosen([], TOO_MANY)


def _these(desk: Desk, ids: Sequence[UUID]) -> Chosen:
    wanted = set(ids)
    if not wanted:
        return Chosen([], NOTHING_CHOSEN)
    if len(wanted) > bulk.ROWS_MOST:
        return Chosen([], TOO_MANY)
    query, _ = desk.ids(Selection())
    key: ColumnElement[UUID] = desk.model.id
    found = list(session().scalars(query.where(key.in_(wanted))))
    return Chosen(found, left_out=len(wanted) - len(found))


def _desk(path: str) -> Desk:
    desk: Desk = flask.current_app.extensions["admin"][0].desks[path]
    return desk


NOTHING_CHOSEN = Reason("nothing_chosen", "Nothing is chosen.", "Go back to the list and choose rows there.")
CHOOSE_AGAIN = "Go back to the list and choose again."
NOT_A_CHOICE = Reason("not_a_choice", "What was chosen cannot be read.", CHOOSE_AGAIN)
TOO_MANY = Reason("too_many_rows", bulk.TooManyRows.detail, "Go back to the list and narrow it.")
