"""What a list's page shows around its rows: chips, headings, the choice of columns, tabs of views, and where it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import flask
from werkzeug.datastructures import MultiDict

from guitaronline.admin import cursor, selection, view_tabs
from guitaronline.admin.command_page import Button, button_of, commands
from guitaronline.admin.listing import Order, Page, Stretch
from guitaronline.admin.selection import Asked, Column
from guitaronline.admin.views import ChangeView, SaveView
from guitaronline.office.view_models import SavedView


@dataclass(frozen=True)
class Chip:
    """One thing that narrows the list, and the address of the list without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True)
class Heading:
    column: Column
    sort_url: str | None
    sorted: str  # `ascending`, `descending` or nothing


@dataclass(frozen=True)
class Shown:
    """Everything that the template needs to know of the request."""

    endpoint: str
    asked: Asked
    args: dict[str, str]  # what is asked, as parameters; without a place
    headings: list[Heading]
    chips: list[Chip]
    tabs: list[view_tabs.Tab]
    view: SavedView | None
    view_buttons: list[Button]
    keep_buttons: list[Button]  # what may be done with a page that no saved view shows
    numbers: str
    first_url: str | None
    previous_url: str | None
    next_url: str | None
    last_url: str | None

    def url(self, **changes: str) -> str:
        """This list with other parameters, from its first row; an empty value takes one away."""
        args: dict[str, Any] = {name: value for name, value in {**self.args, **changes}.items() if value}
        return flask.url_for(self.endpoint, **(args if args != {"on": "all"} else {"view": "all"}))

    def value(self, name: str) -> str:
        return self.asked.selection.filters.get(name, "")

    def hidden(self, *own: str) -> dict[str, str]:
        """The parameters that a form has to carry on, when it asks for `own` itself."""
        return {name: value for name, value in self.args.items() if name not in own and f"{name}." not in own}

    @property
    def is_everything(self) -> bool:
        """All of it, as it usually looks."""
        return self.view is None and set(self.args) == {"on"}

    @property
    def query(self) -> str:
        """What is asked, as one text: for the pages that keep it."""
        return urlencode({name: value for name, value in self.args.items() if name != "on"})


def asked_of(desk: Any, given: MultiDict[str, str]) -> tuple[Asked, SavedView | None]:
    """What the address asks for, and the saved view that it comes from."""
    args, view, complaints = view_tabs.opened(desk, selection.plain(given.items(multi=True)))
    asked = selection.read(desk, args)
    return replace(asked, complaints=(*complaints, *asked.complaints)), view


def stretch(asked: Asked, order: Order, size: int) -> Stretch:
    """Where the page is. A cursor that means nothing here is told, and the list begins anew."""
    given = asked.after or asked.before
    if not given:
        return Stretch(offset=asked.page * size)
    if asked.before == cursor.END:
        return Stretch(is_end=True)
    try:
        place = cursor.read(order, given)
    except ValueError:
        flask.flash(selection.UNREADABLE, "warning")
        return Stretch()
    return Stretch(after=place) if asked.after else Stretch(before=place)


def of(desk: Any, asked: Asked, listed: Page, view: SavedView | None) -> Shown:
    args = selection.to_args(asked.selection) | _columns_arg(desk, asked) | {"on": str(view.id) if view else "all"}
    order: Order = desk.order(asked.selection)
    numbers = _numbers(listed)
    bare = Shown(f"{desk.endpoint}.index_view", asked, args, [], [], [], view, [], [], numbers, None, None, None, None)
    before = cursor.write(order, listed.first) if listed.has_previous and listed.first else ""
    after = cursor.write(order, listed.last) if listed.has_next and listed.last else ""
    return replace(
        bare,
        headings=[_heading(bare, each, desk) for each in asked.columns],
        chips=_chips(bare, desk.filters),
        tabs=view_tabs.tabs(desk, asked, view),
        view_buttons=_view_buttons(view) if view else [],
        keep_buttons=_keep_buttons(bare, desk),
        first_url=bare.url() if listed.has_previous else None,
        previous_url=bare.url(before=before) if before else None,
        next_url=bare.url(after=after) if after else None,
        last_url=bare.url(before=cursor.END) if after else None,
    )


def _columns_arg(desk: Any, asked: Asked) -> dict[str, str]:
    usual = tuple(each for each in desk.columns if each.is_default)
    return {} if asked.columns == usual else {"columns": ",".join(each.name for each in asked.columns)}


def _view_buttons(view: SavedView) -> list[Button]:
    """What may be done with the view itself, now and by this viewer."""
    change = commands.named(ChangeView)
    pages = [each for each in commands.of(SavedView.__tablename__) if each is not change]
    return [each for each in (button_of(page, view) for page in pages) if not each.why_not]


def _keep_buttons(page: Shown, desk: Any) -> list[Button]:
    """To keep what is shown: in the view that it comes from, where it shows something else by now, or in a new one."""
    if page.view and not view_tabs.differs(desk, page.view, page.asked):
        return []
    change = [button_of(commands.named(ChangeView), page.view, query=page.query)] if page.view else []
    save = button_of(commands.named(SaveView), desk=desk.path, query=page.query)
    return [each for each in [*change, save] if not each.why_not]


def _heading(page: Shown, column: Column, desk: Any) -> Heading:
    if column.sort is None:
        return Heading(column, None, "")
    usual, newest_first = desk.default_order
    chosen = page.asked.selection.sort
    is_sorted = chosen == column.name if chosen else column.sort is usual
    is_down = page.asked.selection.is_descending if chosen else newest_first
    turned = "" if not is_sorted or is_down else "1"
    url = page.url(sort=column.name, desc=turned)
    return Heading(column, url, ("descending" if is_down else "ascending") if is_sorted else "")


def _chips(page: Shown, filters: Any) -> list[Chip]:
    asked = page.asked.selection
    words = [Chip("Search", asked.search, page.url(search=""))] if asked.search else []
    active: Mapping[str, str] = asked.filters
    return words + [
        Chip(each.label, each.shown(active[each.name]), page.url(**{each.name: ""}))
        for each in filters
        if each.name in active
    ]


def _numbers(listed: Page) -> str:
    """`26–50 of 312`, where the place is known."""
    first, last = listed.first, listed.last
    if first is None or last is None:
        return ""
    is_known = first.number is not None and last.number is not None
    if not is_known or (listed.count.is_exact and (last.number or 0) > listed.count.number):
        return f"{len(listed.rows)} rows of {listed.count}"
    return f"{first.number:,}–{last.number:,} of {listed.count}"
