"""How a list stays quick at a million rows: an estimated or capped count, page ids first, then the rows of the page.

Pages follow each other by the place of their last row, `(column, id)`, so that the deepest costs what the first does and rows
that are added shift nothing. NULLs come last when ascending and first when descending, as PostgreSQL's indexes have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, text, true, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

COUNT_UP_TO = 10_000
GLANCE_UP_TO = 1_000
CANCELED = "57014"  # statement_timeout
ESTIMATE = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
HURRY = text("SELECT set_config('statement_timeout', :milliseconds, true)")


@dataclass(frozen=True)
class Count:
    """How many rows there are, as far as it is worth knowing."""

    number: int
    is_exact: bool = True
    is_capped: bool = False

    def __str__(self) -> str:
        return f"{'' if self.is_exact else 'more than ' if self.is_capped else 'about '}{self.number:,}"


@dataclass(frozen=True)
class Place:
    """Where a row stands in an order: the value it is sorted by and its id; `number` counts from 1 where it is known."""

    value: Any
    id: Any
    number: int | None = None


@dataclass(frozen=True)
class Order:
    """A total order of a table's rows: by a column, then by the primary key in the same direction."""

    column: Any
    key: Any
    is_descending: bool = False

    @property
    def has_one_key(self) -> bool:
        return bool(self.column.key == self.key.key)

    @property
    def reversed(self) -> Order:
        return replace(self, is_descending=not self.is_descending)

    def keys(self) -> list[Any]:
        parts = [self.key] if self.has_one_key else [self.column, self.key]
        return [part.desc() if self.is_descending else part.asc() for part in parts]

    def beyond(self, place: Place | None) -> list[ColumnElement[bool]]:
        """Conditions of the rows after `place`, one for each stretch of an index, in the order they are read."""
        if place is None:
            return [true()]  # the whole, as the index has it
        if self.has_one_key:
            return [self._further(self.key, place.id)]
        if place.value is None:
            nulls = self.column.is_(None) & self._further(self.key, place.id)
            return [nulls, self.column.is_not(None)] if self.is_descending else [nulls]
        here = self._further(tuple_(self.column, self.key), tuple_(place.value, place.id))
        return [here, self.column.is_(None)] if self._is_nullable and not self.is_descending else [here]

    def _further(self, mine: Any, other: Any) -> Any:
        return mine < other if self.is_descending else mine > other

    @property
    def _is_nullable(self) -> bool:
        return bool(self.column.expression.nullable)


@dataclass(frozen=True)
class Stretch:
    """Which rows of an order a page wants: from a row's number on, or after or before a place; `end` is beyond the last row."""

    offset: int = 0
    after: Place | None = None
    before: Place | None = None
    is_end: bool = False


@dataclass(frozen=True)
class Page:
    count: Count
    rows: list[Any]
    has_next: bool = False
    has_previous: bool = False
    first: Place | None = None
    last: Place | None = None


def count_rows(session: Session, ids: Select[Any], *, table: str, is_whole: bool, in_order: bool = False) -> Count:
    """The planner's estimate for a whole large table, an exact number up to a cap otherwise; `in_order`: of the rows that
    the list shows first, where the planner cannot know how soon the cap is met."""
    if is_whole:
        estimate = session.execute(ESTIMATE, {"name": table}).scalar_one_or_none() or 0
        if estimate > COUNT_UP_TO:
            return Count(estimate, is_exact=False)
    found = session.execute(_capped(ids if in_order else ids.order_by(None), COUNT_UP_TO)).scalar_one()
    return Count(found) if found <= COUNT_UP_TO else Count(COUNT_UP_TO, is_exact=False, is_capped=True)


def glance(session: Session, ids: Select[Any], *, milliseconds: int) -> Count | None:
    """How many, up to a thousand; None when that takes longer. Nothing else of the transaction is harmed."""
    connection = session.connection()
    trial = connection.begin_nested()  # never released: what HURRY set goes with it
    try:
        connection.execute(HURRY, {"milliseconds": str(milliseconds)})
        found = connection.execute(_capped(ids.order_by(None), GLANCE_UP_TO)).scalar_one()
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != CANCELED:
            raise
        return None
    finally:
        trial.rollback()
    return Count(found) if found <= GLANCE_UP_TO else Count(GLANCE_UP_TO, is_exact=False, is_capped=True)


def _capped(ids: Select[Any], most: int) -> Select[Any]:
    return select(func.count()).select_from(ids.limit(most + 1).subquery())


def load_page(
    session: Session,
    model: Any,
    ids: Select[Any],
    order: Order,
    wanted: Stretch,
    *,
    is_whole: bool,
    size: int,
    options: Sequence[Any],
    count_in_order: bool = False,
) -> Page:
    """The rows of `ids`, a select of primary keys, that stand in that stretch of the order."""
    count = count_rows(session, ids, table=model.__tablename__, is_whole=is_whole, in_order=count_in_order)
    if wanted.is_end and count.is_exact and count.number:
        size = (count.number - 1) % size + 1  # so that Previous meets the same pages as Next
    places, more = _places(session, ids, order, wanted, size)
    backward = wanted.before is not None or wanted.is_end
    numbered = _numbered(places, wanted, count)
    return Page(
        count,
        _rows(session, model, order.key, [each.id for each in places], options),
        has_next=not wanted.is_end if backward else more,
        has_previous=more if backward else wanted.after is not None or wanted.offset > 0,
        first=numbered[0] if numbered else None,
        last=numbered[-1] if numbered else None,
    )


def _places(session: Session, ids: Select[Any], order: Order, wanted: Stretch, size: int) -> tuple[list[Place], bool]:
    """The places of the page's rows in the order that they are shown, and whether the list goes on in that direction."""
    backward = wanted.before is not None or wanted.is_end
    way = order.reversed if backward else order
    query = ids if order.has_one_key else ids.add_columns(order.column)
    found: list[Place] = []
    for beyond in way.beyond(wanted.before or wanted.after):
        part = query.where(beyond).order_by(None).order_by(*way.keys()).limit(size + 1 - len(found))
        rows = session.execute(part.offset(wanted.offset) if wanted.offset else part)
        found += [Place(None if order.has_one_key else row[1], row[0]) for row in rows]
        if len(found) > size:
            break
    shown = found[:size]
    return shown[::-1] if backward else shown, len(found) > size


def _numbered(places: list[Place], wanted: Stretch, count: Count) -> list[Place]:
    """With the number that each row has in the whole list, where one end of the page tells it."""
    edge, first = wanted.before or wanted.after, None
    if wanted.is_end:
        first = count.number - len(places) + 1 if count.is_exact else None
    elif edge is None:
        first = wanted.offset + 1
    elif edge.number is not None:
        first = edge.number - len(places) if wanted.before else edge.number + 1
    if first is None or first < 1:
        return places
    return [replace(place, number=first + position) for position, place in enumerate(places)]


def _rows(session: Session, model: Any, key: Any, wanted: list[Any], options: Sequence[Any]) -> list[Any]:
    if not wanted:
        return []
    found = session.scalars(select(model).where(key.in_(wanted)).options(*options))
    by_key = {getattr(row, key.key): row for row in found}
    return [by_key[each] for each in wanted if each in by_key]
