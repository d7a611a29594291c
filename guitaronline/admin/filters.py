"""The typed filters of lists. Each is one field of a plain GET form and one condition."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from guitaronline import money
from guitaronline.admin import dates, gate, show
from guitaronline.admin.base import ListFilter
from guitaronline.db import Base, session
from guitaronline.identity.access import Permission
from guitaronline.identity.finding import PHONE_DIGITS, escaped, phone_digits
from guitaronline.identity.models import User

PEOPLE_SEARCHED = 200  # whose rows a list looks for at most; whoever means more writes more of the name
REFERENCE = re.compile(r"[A-Za-z]{2,3}-[0-9A-Za-z]{4,12}(-[0-9]{6,9})?", re.ASCII)  # BK-7Q4M2, INV-2026-000123
A_RANGE = re.compile(r"([0-9]{0,6})(\.\.)?([0-9]{0,6})", re.ASCII)
LARGEST = 10**6
LONGEST_NAME = 100
OPEN_AMOUNT = str(money.LARGEST_MINOR // 10**3)
MANY_PLACES = {  # digits after the decimal sign → the currencies that have so many
    places: sorted(code for code in money.CURRENCIES if money.places(code) == places) for places in (0, 2, 3)
}


class Choice(ListFilter):
    """One of a closed set; `clause` says what it means when that is more than the column's value."""

    def __init__(
        self, name: str, label: str, values: Sequence[StrEnum | str], meaning: Callable[[str], ColumnElement[bool]]
    ) -> None:
        super().__init__(name, label, widget="select", options=[(str(value), show.word(value)) for value in values])
        self._meaning = meaning
        self._known = {str(value) for value in values}

    def parse(self, value: str) -> str:
        if value not in self._known:
            raise ValueError
        return value

    def clause(self, value: str) -> ColumnElement[bool]:
        return self._meaning(value)


class State(Choice):
    """The record's state as it reads now; `effective` adds what the clock makes of it."""

    def __init__(
        self,
        column: Any,
        values: type[StrEnum],
        effective: Callable[[str, datetime], ColumnElement[bool]] | None = None,
    ) -> None:
        super().__init__(
            "state", "State", list(values), lambda value: effective(value, gate.now()) if effective else column == value
        )


class Days(ListFilter):
    """Days in the viewer's zone: a preset, a day, a month, or a range that may be open at one end.

    `2026-11-23`, `2026-11`, `2026-11-23..2026-11-30`, `2026-11-23..`"""

    def __init__(self, name: str, label: str, column: Any, *, is_past: bool = False) -> None:
        presets = dates.PAST if is_past else dates.PRESETS
        super().__init__(name, label, widget="days", options=[(preset, preset) for preset in presets])
        self.column = column

    def parse(self, value: str) -> tuple[datetime | None, datetime | None]:
        first, last = self.days(value)
        zone = show.zone()
        start = datetime.combine(first, time(), zone) if first else None
        return start, datetime.combine(last + timedelta(days=1), time(), zone) if last else None

    def days(self, value: str) -> tuple[date | None, date | None]:
        return dates.days_meant(value, today=gate.now().astimezone(show.zone()).date())

    def clause(self, value: tuple[Any, Any]) -> ColumnElement[bool]:
        start, end = value
        if start is None:
            return _condition(self.column < end)
        return (
            _condition(self.column >= start)
            if end is None
            else _condition((self.column >= start) & (self.column < end))
        )


class Dates(Days):
    """The same of a column that holds a day, not a moment."""

    def parse(self, value: str) -> tuple[Any, Any]:
        first, last = self.days(value)
        return first, last + timedelta(days=1) if last else None


class Amount(ListFilter):
    """Money as people write it, in the currency of each row: `49`, `100..500`, `100..`."""

    example = "49 or 100..500"

    def __init__(self, name: str, label: str, column: Any, currency: Any) -> None:
        super().__init__(name, label, widget="range")
        self.column, self.currency = column, currency

    def parse(self, value: str) -> list[tuple[int, int, int]]:
        """Places after the decimal sign, and the least and most minor units of such currencies."""
        first, is_range, last = value.partition("..")
        if not first.strip() and not last.strip():
            raise ValueError
        least = first.strip() or "0"
        most = (last.strip() or OPEN_AMOUNT) if is_range else least
        return [(places, _minor(least, places), _minor(most, places)) for places in MANY_PLACES]

    def clause(self, value: list[tuple[int, int, int]]) -> ColumnElement[bool]:
        return or_(
            *(
                self.currency.in_(MANY_PLACES[places]) & self.column.between(least, most)
                for places, least, most in value
            )
        )


class Whole(ListFilter):
    """A number or a range of numbers: `0`, `1..3`, `5..`."""

    example = "0 or 1..3"

    def __init__(self, name: str, label: str, column: Any) -> None:
        super().__init__(name, label, widget="range")
        self.column = column

    def parse(self, value: str) -> tuple[int, int]:
        found = A_RANGE.fullmatch(value)
        if not found or not (found[1] or found[3]):
            raise ValueError
        least = int(found[1] or 0)
        return least, int(found[3] or LARGEST) if found[2] else least

    def clause(self, value: tuple[int, int]) -> ColumnElement[bool]:
        return _condition(self.column.between(*value))


class Whose(ListFilter):
    """Rows that belong to one record; set by links from that record's page, shown as a chip."""

    def __init__(self, name: str, label: str, column: Any, owner: type[Base] = User) -> None:
        super().__init__(name, label, widget="hidden")
        self.column, self.owner = column, owner

    def parse(self, value: str) -> UUID:
        return UUID(value)

    def clause(self, value: Any) -> ColumnElement[bool]:
        return _condition(self.column == value)

    def shown(self, value: str) -> str:
        found = session().get(self.owner, UUID(value))
        return show.label_of(found) if found else "nothing"


class Person(Whose):
    """Rows of a person, by a link from their page; of everybody whom a name finds, typed; or of one USR-…"""

    def __init__(self, name: str, label: str, column: Any) -> None:
        super().__init__(name, label, column)
        self.widget = "person"

    def parse(self, value: str) -> Any:
        """An id, or words that are looked up when the list is read."""
        try:
            return UUID(value)
        except ValueError:
            if len(value) > LONGEST_NAME:
                raise
            return " ".join(value.split())

    def clause(self, value: Any) -> ColumnElement[bool]:
        if isinstance(value, UUID):
            return super().clause(value)
        if REFERENCE.fullmatch(value):
            return _condition(self.column == select(User.id).where(User.reference == value.upper()).scalar_subquery())
        return _condition(self.column.in_(people_matching(value)))

    def typed(self, value: str) -> str:
        """How it would be typed: for a link's id, the person's reference."""
        try:
            person_id = UUID(value)
        except ValueError:
            return value
        return session().scalar(select(User.reference).where(User.id == person_id)) or value

    def shown(self, value: str) -> str:
        try:
            return super().shown(value)
        except ValueError:
            return value


def people_matching(words: str) -> list[UUID]:
    """Ids of people by name; by e-mail and phone for those who may see contacts (a search must not give them away).

    Looked up beforehand: told whom it is about, PostgreSQL knows whether few rows or many are theirs."""
    part = f"%{escaped(words)}%"
    found: ColumnElement[bool] = User.full_name.ilike(part, escape="\\")
    if gate.may(Permission.READ_CONTACTS):
        found |= User.email.ilike(part, escape="\\")
        digits = "".join(sign for sign in words if sign.isascii() and sign.isdigit())
        if len(digits) >= PHONE_DIGITS:
            found |= phone_digits().contains(digits)
    ids = list(session().scalars(select(User.id).where(found).limit(PEOPLE_SEARCHED)))
    flask.g.is_vague = flask.g.get("is_vague", False) or len(ids) == PEOPLE_SEARCHED
    return ids


def reference_is(column: Any, words: str) -> list[ColumnElement[bool]]:
    """The exact reference, when the words look like one."""
    return [column == words.upper()] if REFERENCE.fullmatch(words) else []


def record_or_people(reference: Any, words: str, *people: Any) -> list[ColumnElement[bool]]:
    """A reference finds its record alone; other words find the records of the people they name."""
    exact = reference_is(reference, words)
    if exact:
        return exact
    found = people_matching(words)
    return [column.in_(found) for column in people]


def contains(column: Any, words: str) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = func.lower(column).contains(words.lower(), autoescape=True)
    return condition


def _minor(amount: str, places: int) -> int:
    """Raises ValueError for what is no amount; places that a currency lacks are rounded down."""
    whole, _, rest = amount.partition(".")
    if not (
        whole.isascii() and whole.isdigit() and len(whole) <= 10 and (not rest or (rest.isascii() and rest.isdigit()))
    ):
        raise ValueError
    return int(whole + rest.ljust(places, "0")[:places])


def _condition(clause: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = clause
    return found
