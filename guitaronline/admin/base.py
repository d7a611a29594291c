"""All knowledge of Flask-Admin. It does lists, filters, sorting, search and record pages; everything else of it is off.

As shipped it lets anybody list, edit and delete, commits by itself, and answers bad addresses with 500. `Desk` closes
that, `Console` refuses views that are not derived from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NoReturn, cast
from uuid import UUID

import flask
from flask_admin import Admin, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from flask_admin.model.base import ViewArgs
from flask_admin.model.filters import BaseFilter
from flask_admin.theme import Theme
from sqlalchemy import Select, or_, select
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, listing, show
from guitaronline.admin.plain import Plains
from guitaronline.db import Base, database, session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission

WRITES = ("create_model", "update_model", "delete_model", "ajax_update", "handle_action")  # commit by themselves
DOORS = ("create_view", "edit_view", "delete_view", "action_view", "export", "ajax_lookup")
CLOSED = WRITES + DOORS
OPEN_DOORS = ("index_view", "details_view", "index")
LONGEST_SEARCH = 100
WHOLE_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)


class ReadOnly(RuntimeError):
    """Something tried to write through Flask-Admin."""


@dataclass(frozen=True)
class Column:
    """A column of a list: its heading and how a record's cell looks; sortable when `sort` names an indexed column."""

    name: str
    label: str
    cell: Callable[[Any], Any]
    sort: Any = None
    is_number: bool = False


@dataclass(frozen=True)
class Selection:
    """What somebody asked to see of a list, in plain words: it can be kept, sent to a job, and means the same there."""

    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)  # name of the filter → value as typed
    sort: str = ""  # name of the column; empty: the list's usual order
    is_descending: bool = False

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "filters": dict(self.filters)}


class ListFilter(BaseFilter):
    """A typed filter: one field of a plain GET form. `name` is its parameter, `label` its words."""

    def __init__(self, name: str, label: str, *, widget: str = "text", options: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(name, options=list(options) or None, data_type=widget)
        self.label, self.widget = label, widget

    def operation(self) -> str:
        return ""

    def parse(self, value: str) -> Any:
        """Raises ValueError when the value means nothing."""
        return value

    def clean(self, value: str) -> Any:
        return self.parse(value.strip())

    def clause(self, value: Any) -> ColumnElement[bool]:
        raise NotImplementedError

    def apply(self, query: Any, value: Any, alias: Any = None) -> Any:
        return query.where(self.clause(value))

    def shown(self, value: str) -> str:
        """The value as people read it, for the chip of an active filter."""
        found: str = dict(self.options or ()).get(value, value)
        return found


class _Plain(BaseView):
    """What every view of the console shares: a permission, our own pages, errors that stay what they are."""

    permission: ClassVar[Permission]

    def is_accessible(self) -> bool:
        return gate.may(self.permission)

    def is_visible(self) -> bool:
        return self.is_accessible()

    def _run_view(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return fn(self, *args, **kwargs)  # the original calls again after a TypeError

    def create_blueprint(self, admin: Admin) -> Any:
        self._urls = [
            url for url in vars(type(self))["_urls"] if url[1] in OPEN_DOORS
        ]  # routes that do not exist cannot be used
        return super().create_blueprint(admin)


class ConsolePage(_Plain):
    """A page of its own at `path`; derive and write `page`."""

    path: ClassVar[str]
    title: ClassVar[str]

    def __init__(self) -> None:
        url = f"{gate.PREFIX}/{self.path}".rstrip("/")
        super().__init__(name=self.title, endpoint=f"desk_{self.path.replace('/', '_') or 'today'}", url=url)

    @expose("/")
    def index(self) -> Any:
        return self.page()

    def page(self) -> Any:
        raise NotImplementedError


class Desk(_Plain, ModelView):
    """A read-only list and record page of one table. Derive; say what it shows; change nothing here.

    Every change is a command page. The methods in CLOSED cannot be brought back: deriving a view that defines one
    of them fails at import."""

    model_of: ClassVar[type[Base]]
    path: ClassVar[str]
    title: ClassVar[str]
    one: ClassVar[str]  # what one record is called
    intro: ClassVar[str] = ""
    empty: ClassVar[str] = "Nothing here yet."
    columns: ClassVar[tuple[Column, ...]]
    filters: ClassVar[tuple[ListFilter, ...]] = ()
    default_order: ClassVar[tuple[Any, bool]]  # column, newest first?
    load: ClassVar[tuple[Any, ...]] = ()  # loader options of the rows of one page
    search_words: ClassVar[str] = ""  # what can be searched for; empty: no search
    row_actions: Any = None  # a static function: the buttons of a row; None: on its page only
    page_title: Any = staticmethod(show.label_of)  # of a record
    exported: ClassVar[Mapping[str, Plains]] = {}  # name of the column → what it says in a file; see admin/exported.py

    can_create = can_edit = can_delete = can_export = can_set_page_size = False
    can_view_details = True
    named_filter_urls = True
    column_editable_list = ()
    column_auto_select_related = False
    page_size = 25
    list_template = "admin/list.html"
    details_template = "admin/record.html"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        reopened = [name for name in CLOSED if name in vars(cls)]
        if reopened:
            raise TypeError(
                f"{cls.__name__} is read-only and may not define {', '.join(reopened)}: write a command page"
            )

    def __init__(self) -> None:
        self.column_list = self.column_details_list = [column.name for column in self.columns]
        self.column_labels = {column.name: column.label for column in self.columns}
        self.column_sortable_list: list[str] = []
        self.column_filters = list(self.filters)
        self.endpoint_name = f"desk_{self.path}"
        super().__init__(
            self.model_of,
            database,
            name=self.title,
            endpoint=self.endpoint_name,
            url=f"{gate.PREFIX}/{self.path}",
        )
        show.desk_endpoints[self.model_of.__tablename__] = self.endpoint_name

    # What derived desks say

    def scope(self, query: Select[Any]) -> Select[Any]:
        """Narrow what the viewer may see; holds for the list and for single records."""
        return query

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        """A record is found when one of these holds."""
        return []

    def record_page(self, record: Any) -> dict[str, Any]:
        """What the record's page shows beside its title: `state`, `facts`, `related`, …"""
        return {"facts": []}

    def prepare_rows(self, rows: list[Any]) -> None:
        """Read in one statement what the cells of these rows need beside the rows."""

    def list_extras(self) -> dict[str, Any]:
        """More for the list's page, such as its buttons."""
        return {}

    # Lists

    def get_list(  # noqa: PLR0917  # Flask-Admin's signature
        self,
        page: int | None,
        sort_column: Any,
        sort_desc: bool,
        search: str | None,
        filters: Sequence[Any] | None,
        execute: bool = True,
        page_size: int | None = None,
    ) -> tuple[int, list[Any]]:
        asked = Selection(
            search or "", {name: value for _, name, value in filters or ()}, sort_column or "", bool(sort_desc)
        )
        flask.g.asked = asked
        ids, is_whole = self.ids(asked)
        flask.g.listed = listing.load_page(
            session(), self.model, ids, is_whole=is_whole, page=page or 0, size=self.page_size, options=self.load
        )
        self.prepare_rows(flask.g.listed.rows)
        return flask.g.listed.count.number, flask.g.listed.rows

    def ids(self, asked: Selection) -> tuple[Select[Any], bool]:
        """The primary keys that the viewer may see and asked for, in their order; and whether that is the whole table.

        The one query behind lists, exports, bulk actions and counts. Raises ValueError for a filter value that means
        nothing, KeyError for a filter or column that this desk does not have."""
        by_name = {each.name: each for each in self.filters}
        unscoped = select(self._key)
        query = self.scope(unscoped)
        for name, value in asked.filters.items():
            each = by_name[name]
            query = each.apply(query, each.clean(value))
        if asked.search:
            query = query.where(or_(*self.search_clauses(asked.search)))
        return self._ordered(query, asked.sort or None, asked.is_descending), query is unscoped

    @property
    def _key(self) -> Any:
        return self.model.__mapper__.primary_key[0]

    def _ordered(self, query: Select[Any], sort_column: str | None, sort_desc: bool) -> Select[Any]:
        """Always total: by (column, id)."""
        column, newest_first = self.default_order
        if sort_column is not None:
            column, newest_first = next(each.sort for each in self.columns if each.name == sort_column), sort_desc
        keys = [column] if column is self._key else [column, self._key]
        return query.order_by(*(key.desc() if newest_first else key.asc() for key in keys))

    def _get_list_extra_args(self) -> ViewArgs:
        given = flask.request.args
        return ViewArgs(
            page=self._page_asked(given.get("page")),
            sort=self._sort_asked(given.get("sort")),
            sort_desc=given.get("desc") == "1",
            search=self._search_asked(given.get("search", "")),
            filters=self._get_list_filter_args(),
        )

    def _page_asked(self, given: str | None) -> int:
        if given is None:
            return 0
        if not WHOLE_NUMBER.fullmatch(given):
            flask.flash("That is not a page of this list; here is the first one.", "warning")
            return 0
        if int(given) > listing.LAST_PAGE:
            flask.flash(
                f"A list shows its first {listing.LAST_PAGE} pages; narrow your filter to see the rest.", "warning"
            )
            return 0
        return int(given)

    def _sort_asked(self, given: str | None) -> int | None:
        if not given:
            return None
        if (
            WHOLE_NUMBER.fullmatch(given)
            and int(given) < len(self.columns)
            and self.columns[int(given)].sort is not None
        ):
            return int(given)
        flask.flash("This list cannot be sorted that way; it shows its usual order.", "warning")
        return None

    def _search_asked(self, given: str) -> str | None:
        words = " ".join(given.split())
        if not words.isprintable():
            flask.flash("The search had characters that nobody can type; it was left out.", "warning")
            return None
        if len(words) > LONGEST_SEARCH:
            flask.flash(f"Search for at most {LONGEST_SEARCH} characters; the search was left out.", "warning")
            return None
        return words if self.search_words else None

    def _get_list_filter_args(self) -> list[tuple[int, str, str]]:
        found = []
        for index, each in enumerate(self._filters or ()):
            value = flask.request.args.get(each.name, "").strip()
            if value and value.isprintable() and each.validate(value):
                found.append((index, each.name, value))
            elif value:
                flask.flash(f"“{value[:60]}” means nothing for {each.label}; that filter was left out.", "warning")
        return found

    def _get_filters(self, filters: Sequence[tuple[int, str, str]] | None) -> dict[str, str]:
        return {name: value for _, name, value in filters or ()}

    def get_filters(self) -> list[ListFilter]:
        return list(self.filters)

    def get_safe_page_size(self, page_size: int | None) -> int:
        return self.page_size

    def _get_list_url(self, view_args: ViewArgs) -> str:
        sorted_by: dict[str, Any] = {"sort": view_args.sort, "desc": 1 if view_args.sort_desc else None}
        asked: dict[str, Any] = {"page": view_args.page or None, "search": view_args.search, **sorted_by}
        return flask.url_for(".index_view", **asked, **cast("dict[str, Any]", self._get_filters(view_args.filters)))

    # Single records

    def get_one(self, given: Any) -> Any:
        """The record, when it exists and the viewer may see it. Raises NotFound; never None, never a database error."""
        try:
            record_id = UUID(str(given))
        except ValueError:
            raise NotFound("There is no such record.") from None
        query = self.scope(select(self._key).where(self._key == record_id))
        if session().scalar(query) is None:
            raise NotFound("There is no such record, or your role does not show it.")
        return session().get(self.model, record_id)

    def render(self, template: str, **kwargs: Any) -> Any:
        if template == self.details_template:
            kwargs |= self.record_page(kwargs["model"])
        if template == self.list_template:
            kwargs |= self.list_extras() | {
                "listed": flask.g.listed,
                "row_actions": type(self).row_actions,
                "show_columns": self.columns,
                "list_filters": self.filters,
            }
        return super().render(template, **kwargs)

    # Closed for good

    def scaffold_form(self) -> Any:
        return self.form_base_class  # forms of the model are never made

    def scaffold_sortable_columns(self) -> dict[str, Any]:
        return {}

    def init_search(self) -> bool:
        return bool(self.search_words)


def _closed(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise ReadOnly(f"{type(self).__name__}.{name}: the console's desks are read-only")

    refuse.__name__ = name
    return refuse


for _name in CLOSED:
    setattr(Desk, _name, _closed(_name))


class Console(Admin):
    """Flask-Admin with our theme. Takes nothing but desks and console pages."""

    desks: dict[str, Desk]  # by path

    def __init__(self, today: ConsolePage) -> None:
        self.desks = {}
        super().__init__(
            name="GuitarOnline",
            index_view=today,
            endpoint=today.endpoint,
            theme=Theme(folder="own", base_template="admin/base.html"),
        )

    def add_view(self, view: BaseView) -> None:
        if not isinstance(view, Desk | ConsolePage):
            raise TypeError(f"{type(view).__name__} must derive from guitaronline.admin.base.Desk or ConsolePage")
        super().add_view(view)
        if isinstance(view, Desk):
            self.desks[view.path] = view
