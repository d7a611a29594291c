"""How a list stays quick at a million rows: an estimated or capped count, page ids first, then the rows of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

LAST_PAGE = 200  # further pages cost the database more than a person can read
COUNT_UP_TO = 10_000
ESTIMATE = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")


@dataclass(frozen=True)
class Count:
    """How many rows there are, as far as it is worth knowing."""

    number: int
    is_exact: bool = True
    is_capped: bool = False

    def __str__(self) -> str:
        return f"{'' if self.is_exact else 'more than ' if self.is_capped else 'about '}{self.number:,}"


@dataclass(frozen=True)
class Page:
    count: Count
    rows: list[Any]
    has_next: bool


def count_rows(session: Session, ids: Select[Any], *, table: str, is_whole: bool) -> Count:
    """The planner's estimate for a whole large table, an exact number up to a cap otherwise."""
    if is_whole:
        estimate = session.execute(ESTIMATE, {"name": table}).scalar_one_or_none() or 0
        if estimate > COUNT_UP_TO:
            return Count(estimate, is_exact=False)
    capped = ids.order_by(None).limit(COUNT_UP_TO + 1).subquery()
    found = session.execute(select(func.count()).select_from(capped)).scalar_one()
    return Count(found) if found <= COUNT_UP_TO else Count(COUNT_UP_TO, is_exact=False, is_capped=True)


def load_page(
    session: Session, model: Any, ids: Select[Any], *, is_whole: bool, page: int, size: int, options: Sequence[Any]
) -> Page:
    """Rows `page * size …` of `ids`, a select of primary keys in its final order."""
    count = count_rows(session, ids, table=model.__tablename__, is_whole=is_whole)
    wanted = list(session.scalars(ids.limit(size + 1).offset(page * size)))
    key = model.__mapper__.primary_key[0]
    found = session.scalars(select(model).where(key.in_(wanted[:size])).options(*options)) if wanted else ()
    by_key = {getattr(row, key.key): row for row in found}
    return Page(count, [by_key[each] for each in wanted[:size] if each in by_key], len(wanted) > size)
