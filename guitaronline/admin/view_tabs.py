"""The saved views of a list as tabs above it, each with how many rows it has now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import flask
from sqlalchemy import Select

from guitaronline.admin import gate, listing, selection
from guitaronline.admin.listing import Count
from guitaronline.admin.selection import Asked, Selection
from guitaronline.db import session
from guitaronline.office.view_models import SavedView
from guitaronline.office.views import visible_views

COUNTED = 8  # tabs that fit beside each other
BUDGET_MS, ONE_MS = 60, 25  # a page is served in 100
GONE = "That view does not exist any more, or is not shared with you; here is everything."


class Desk(selection.Offer, Protocol):
    path: str

    def ids(self, asked: Selection) -> tuple[Select[Any], bool]: ...


@dataclass(frozen=True)
class Tab:
    view: SavedView
    url: str
    count: Count | None  # None: not counted, or not countable in time
    is_current: bool
    is_changed: bool  # the page shows something else than the view by now
    about: str  # whose it is


def args_of(view: SavedView) -> dict[str, str]:
    """The parameters that ask for what the view shows."""
    found = selection.to_args(selection_of(view))
    return found | ({"columns": ",".join(view.columns)} if view.columns else {})


def selection_of(view: SavedView) -> Selection:
    kept = view.selection
    filters = {str(name): str(value) for name, value in kept.get("filters", {}).items()}
    is_descending = bool(kept.get("is_descending"))
    return Selection(str(kept.get("search", "")), filters, str(kept.get("sort", "")), is_descending)


def opened(desk: Desk, args: Mapping[str, str]) -> tuple[dict[str, str], SavedView | None, list[str]]:
    """What the address means, with the view it names put in: `view` opens one, `on` says which one it started from.

    A bare address opens what the viewer's role sees first."""
    known = visible_views(session(), gate.viewer().actor, desk.path)
    flask.g.views = known
    by_id = {str(each.id): each for each in known}
    own = {name: value for name, value in args.items() if name not in ("view", "on")}
    if not args:
        first = next((each for each in known if each.default_for == gate.viewer().role), None)
        return (args_of(first) if first else {}), first, []
    if "view" not in args:
        return own, by_id.get(args.get("on", "")), []
    view = by_id.get(args["view"])
    if view is None:
        return own, None, [] if args["view"] == "all" else [GONE]
    place = {name: value for name, value in own.items() if name in selection.PLACE}
    return args_of(view) | place, view, []


def tabs(desk: Desk, asked: Asked, current: SavedView | None) -> list[Tab]:
    """All that the viewer may open; the first ones counted, as long as that takes no time."""
    deadline = time.monotonic() + BUDGET_MS / 1000
    return [
        Tab(
            view,
            flask.url_for(f"desk_{desk.path}.index_view", view=view.id),
            _count(desk, view, deadline) if position < COUNTED else None,
            is_current=view is current,
            is_changed=current is not None and view.id == current.id and differs(desk, current, asked),
            about=_about(view),
        )
        for position, view in enumerate(flask.g.views)
    ]


def _count(desk: Desk, view: SavedView, deadline: float) -> Count | None:
    left = int(1000 * (deadline - time.monotonic()))
    if left <= 0:
        return None
    try:
        ids, _ = desk.ids(selection.read_strictly(desk, selection.to_args(selection_of(view))))
    except (ValueError, KeyError):  # it asks for something that the list no longer has; opened, it says so
        return None
    return listing.glance(session(), ids, milliseconds=min(left, ONE_MS))


def differs(desk: Desk, view: SavedView, asked: Asked) -> bool:
    kept = selection.read(desk, args_of(view))
    return (kept.selection, kept.columns) != (asked.selection, asked.columns)


def _about(view: SavedView) -> str:
    whose = "yours" if view.owner_id == gate.viewer().id else f"kept by {view.owner.full_name}"
    first = f"; what {view.default_for} sees first" if view.default_for else ""
    return f"{whose}, {'shared' if view.is_shared else 'private'}{first}"
