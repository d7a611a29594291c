"""Pages of a list. A cursor is the place of the last row seen, so rows that are added never shift a page."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from guitaronline.api.errors import InvalidCursor, InvalidRequest
from guitaronline.api.fields import AFTER_LAST_TIME, FIRST_TIME, UNPRINTABLE, QueryWhole, Text
from guitaronline.errors import Reason

DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET = 20, 100, 10_000
PAGE_FIELDS = {
    "limit": QueryWhole(least=1, most=MAX_LIMIT, metadata={"description": "rows a page", "default": DEFAULT_LIMIT}),
    "cursor": Text(most=2000, least=1, metadata={"description": "`next_cursor` of the page before"}),
    "offset": QueryWhole(
        least=0,
        most=MAX_OFFSET,
        metadata={"description": "rows to skip; for older clients, not together with `cursor`"},
    ),
}

Place = tuple[Any, ...]  # what the list is ordered by, ending in an id


@dataclass(frozen=True)
class Page:
    """What a list endpoint has to fetch: one row more than `limit`, so that it shows whether there is another page."""

    limit: int
    offset: int
    after: Any  # a Place; None on the first page

    @property
    def rows(self) -> int:
        return self.limit + 1


@dataclass(frozen=True)
class Order:
    """How a list is ordered: `place` of a row, and the types of its parts. `name` binds a cursor to its list."""

    name: str
    place: Callable[[Any], Place]
    types: tuple[type, ...] = (datetime, UUID)


def page_of(query: dict[str, Any], order: Order) -> Page:
    """Takes the page's own parameters out of `query`. Raises InvalidCursor, InvalidRequest."""
    limit, cursor, offset = query.pop("limit", DEFAULT_LIMIT), query.pop("cursor", None), query.pop("offset", None)
    if cursor is not None and offset is not None:
        reason = Reason("cursor_or_offset", "Send a cursor or an offset, not both.", pointer="/offset")
        raise InvalidRequest(reasons=[reason])
    return Page(limit, offset or 0, read_cursor(cursor, order) if cursor is not None else None)


def cut(found: Sequence[Any], page: Page, order: Order) -> tuple[Sequence[Any], str | None]:
    """The rows of the page, and the cursor of the next one if there is one."""
    rows = found[: page.limit]
    return rows, write_cursor(order, order.place(rows[-1])) if len(found) > page.limit else None


def write_cursor(order: Order, place: Place) -> str:
    parts = [part.isoformat() if isinstance(part, datetime) else str(part) for part in place]
    packed = json.dumps([order.name, *parts], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def read_cursor(cursor: str, order: Order) -> Place:
    """The place the cursor names. Raises InvalidCursor for anything that this list never wrote."""
    try:
        packed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, *parts = json.loads(packed)
        place = tuple(_read(kind, part) for kind, part in zip(order.types, parts, strict=True))
    except (ValueError, TypeError, RecursionError):
        raise InvalidCursor() from None
    if name != order.name or write_cursor(order, place) != cursor:
        raise InvalidCursor()
    return place


def _read(kind: type, part: Any) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is None or not FIRST_TIME <= moment < AFTER_LAST_TIME:
            raise ValueError("no such time")
        return moment
    if kind is str and UNPRINTABLE.search(part):
        raise ValueError("no such name")
    if kind is int and not re.fullmatch(r"\d{1,15}", part, re.ASCII):
        raise ValueError("no such number")
    return kind(part)
