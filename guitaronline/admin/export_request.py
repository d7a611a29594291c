"""What somebody asked to export, read from the form under a list; what means nothing is refused in words, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import flask
from sqlalchemy import Select
from werkzeug.datastructures import MultiDict

from guitaronline import step_up_page
from guitaronline.admin import gate
from guitaronline.admin.base import Column, Console, Desk, Selection
from guitaronline.admin.selection import LONGEST_SEARCH
from guitaronline.errors import Invalid, NotAllowed, NotFound, Reason
from guitaronline.forms import REASON_LENGTH
from guitaronline.office.export_models import LIST_FORMATS, ExportFormat
from guitaronline.office.exports import Wanted

OURS = {
    "csrf_token",
    "format",
    "columns",
    "search",
    "sort",
    "desc",
    "reason",
    *step_up_page.FIELDS,
}  # every other field is a filter
LONGEST_VALUE = 200


class SelectionInvalid(Invalid):
    detail = "This list cannot be exported that way."


@dataclass(frozen=True)
class Asked:
    desk: Desk
    selection: Selection
    columns: list[Column]
    format: ExportFormat
    reason: str | None

    def wanted(self) -> Wanted:
        """The same for the domain, which knows no desks."""
        kept = self.selection
        return Wanted(
            desk=self.desk.path,
            needs=self.desk.permission,
            columns=[each.name for each in self.columns],
            format=self.format,
            zone=ZoneInfo(gate.viewer().timezone).key,
            search=kept.search,
            filters=kept.filters,
            sort=kept.sort,
            is_descending=kept.is_descending,
        )


def desk_at(path: str) -> Desk:
    """The desk, which the viewer may open. Raises NotFound, NotAllowed."""
    console: Console = flask.current_app.extensions["admin"][0]
    desk = console.desks.get(path)
    if desk is None or not desk.exported:
        raise NotFound("There is no such list to export.")
    if not gate.may(desk.permission):
        raise NotAllowed(gate.why_not_allowed(desk.permission))
    return desk


def asked_in(desk: Desk, form: MultiDict[str, str]) -> Asked:
    """Raises SelectionInvalid with every reason."""
    selection = Selection(
        search=" ".join(form.get("search", "").split()),
        filters={name: value.strip() for name, value in form.items() if name not in OURS and value.strip()},
        sort=form.get("sort", ""),
        is_descending=form.get("desc") == "1",
    )
    names = [name for given in form.getlist("columns") for name in given.split(",") if name]
    reason = form.get("reason", "").strip() or None
    problems = [
        *selection_problems(desk, selection),
        *_column_problems(desk, names),
        *_other_problems(form.get("format", ""), reason),
    ]
    if problems:
        raise SelectionInvalid(reasons=problems)
    return Asked(desk, selection, columns_of(desk, names), ExportFormat(form["format"]), reason)


def selection_problems(desk: Desk, asked: Selection) -> list[Reason]:
    """Every reason why the desk cannot show this selection."""
    found = []
    if len(asked.search) > LONGEST_SEARCH or not asked.search.isprintable():
        found.append(Reason("search_unfit", f"Search for at most {LONGEST_SEARCH} characters that can be typed."))
    if asked.search and not desk.search_words:
        found.append(Reason("search_unknown", "This list cannot be searched."))
    if asked.sort and not any(each.name == asked.sort and each.sort is not None for each in desk.columns):
        found.append(Reason("sort_unknown", f"This list cannot be sorted by “{_short(asked.sort)}”."))
    return [*found, *_filter_problems(desk, asked)]


def whole(desk: Desk, asked: Selection) -> Select[Any]:
    """The query of every row that was asked for. Raises SelectionInvalid where a list shows only some of them, and says so."""
    query, _ = desk.ids(asked)
    if flask.g.get("is_vague"):
        raise SelectionInvalid(reasons=[TOO_VAGUE])
    return query


def _filter_problems(desk: Desk, asked: Selection) -> Iterable[Reason]:
    by_name: dict[str, Any] = {each.name: each for each in desk.filters}
    for name, value in asked.filters.items():
        each = by_name.get(name)
        if each is None:
            yield Reason("filter_unknown", f"This list has no filter “{_short(name)}”.")
        elif len(value) > LONGEST_VALUE or not value.isprintable() or not each.validate(value):
            yield Reason("filter_unfit", f"“{_short(value)}” means nothing for {each.label}.")


def _column_problems(desk: Desk, names: list[str]) -> list[Reason]:
    known = {each.name for each in desk.columns}
    found = [
        Reason("column_unknown", f"This list has no column “{_short(name)}”.") for name in names if name not in known
    ]
    if names and not found and not columns_of(desk, names):
        found.append(Reason("columns_empty", "None of these columns can stand in a file."))
    return found


def _other_problems(kind: str, reason: str | None) -> list[Reason]:
    found = []
    if kind not in set(LIST_FORMATS):
        found.append(Reason("format_unknown", "A list is exported as csv or xlsx."))
    if reason and (len(reason) > REASON_LENGTH or not reason.isprintable()):
        found.append(Reason("reason_unfit", f"A reason has at most {REASON_LENGTH} characters that can be typed."))
    return found


def columns_of(desk: Desk, names: Iterable[str]) -> list[Column]:
    """The columns of that name, in that order, that can stand in a file; of no names: all of them."""
    by_name = {each.name: each for each in desk.columns if each.name in desk.exported}
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name] if names else list(by_name.values())


def _short(given: str) -> str:
    """For a sentence: what was typed, as far as it can be shown."""
    return "".join(sign if sign.isprintable() else "�" for sign in given[:60])


TOO_VAGUE = Reason("too_vague", "This name finds so many people that the list leaves some out. Write more of it.")
