"""All knowledge of Flask-Admin. It does lists, filters, sorting, search and record pages; everything else of it is off.

As shipped it lets anybody list, edit and delete, commits by itself, and answers bad addresses with 500. `Desk` closes
that, `Console` refuses views that are not derived from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn
from uuid import UUID

import flask
from flask_admin import Admin, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from flask_admin.model.base import ViewArgs
from flask_admin.model.filters import BaseFilter
from flask_admin.theme import Theme
from sqlalchemy import Select, or_, select
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, list_page, listing, selection, show
from guitaronline.admin.plain import Plains
from guitaronline.admin.selection import Column, Selection
from guitaronline.db import Base, database, session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission

WRITES = ("create_model", "update_model", "delete_model", "ajax_update", "handle_action")  # commit by themselves
DOORS = ("create_view", "edit_view", "delete_view", "action_view", "export", "ajax_lookup")
CLOSED = WRITES + DOORS
OPEN_DOORS = ("index_view", "details_view", "index")
__all__ = ["Column", "Console", "ConsolePage", "Desk", "ListFilter", "ReadOnly", "Selection"]


class ReadOnly(RuntimeError):
    """Something tried to write through Flask-Admin."""


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
    reads_standby: ClassVar[bool] = False  # of numbers, which may be some seconds old

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
    is_home: ClassVar[bool] = True  # links to a record of this table lead here; of two desks of one table, one is it
    has_personal_files: ClassVar[bool] = False  # who exports it confirms that it is them
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
        if self.is_home:
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

    def counts_in_order(self, asked: Selection) -> bool:
        """Whether the first rows tell sooner how many there are than any rows do; see `listing.count_rows`."""
        return False

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
        asked = flask.g.asked  # what the address says; Flask-Admin's words know no cursors and no columns
        ids, is_whole = self.ids(asked.selection)
        if flask.g.get("is_vague"):
            flask.flash("This name finds very many people; not all of them are here. Write more of it.", "warning")
        order = self.order(asked.selection)
        flask.g.listed = listing.load_page(
            session(),
            self.model,
            ids,
            order,
            list_page.stretch(asked, order, self.page_size),
            is_whole=is_whole,
            size=self.page_size,
            options=self.load,
            count_in_order=self.counts_in_order(asked.selection),
        )
        self.prepare_rows(flask.g.listed.rows)
        return flask.g.listed.count.number, flask.g.listed.rows

    def selection(self, args: Mapping[str, str]) -> Selection:
        """What these parameters of an address say. Raises ValueError for anything that cannot be followed."""
        return selection.read_strictly(self, args)

    def to_args(self, asked: Selection) -> dict[str, str]:
        """The parameters of an address that asks for this; `selection` reads them back."""
        return selection.to_args(asked)

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
        return query.order_by(*self.order(asked).keys()), query is unscoped

    @property
    def _key(self) -> Any:
        return self.model.__mapper__.primary_key[0]

    def order(self, asked: Selection) -> listing.Order:
        """Always total: by (column, id). Raises KeyError for a column that this desk cannot be sorted by."""
        column, newest_first = self.default_order
        if asked.sort:
            sortable = {each.name: each.sort for each in self.columns if each.sort is not None}
            column, newest_first = sortable[asked.sort], asked.is_descending
        return listing.Order(column, self._key, newest_first)

    def _get_list_extra_args(self) -> ViewArgs:
        flask.g.asked, flask.g.tab = list_page.asked_of(self, flask.request.args)
        for sentence in flask.g.asked.complaints:
            flask.flash(sentence, "warning")
        return ViewArgs(page=flask.g.asked.page)

    def get_filters(self) -> list[ListFilter]:
        return list(self.filters)

    def get_safe_page_size(self, page_size: int | None) -> int:
        return self.page_size

    def _get_list_url(self, view_args: ViewArgs) -> str:
        return flask.url_for(".index_view")

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
                "shown": list_page.of(self, flask.g.asked, flask.g.listed, flask.g.tab),
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
