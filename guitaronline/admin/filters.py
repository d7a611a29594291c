"""The typed filters of lists. Each is one field of a plain GET form and one condition."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, show
from guitaronline.admin.base import ListFilter
from guitaronline.db import Base, session
from guitaronline.identity.access import Permission
from guitaronline.identity.finding import PHONE_DIGITS, phone_digits
from guitaronline.identity.models import User

PEOPLE_SEARCHED = 500  # names that a list search looks through at most
REFERENCE = re.compile(r"[A-Za-z]{2,3}-[0-9A-Za-z]{4,12}", re.ASCII)
A_DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)


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
    """A day or a range of days in the viewer's zone: `2026-11-23` or `2026-11-23..2026-11-30`, or a preset."""

    presets = ("yesterday", "today", "tomorrow", "this week", "next 7 days", "last 30 days")

    def __init__(self, name: str, label: str, column: Any) -> None:
        super().__init__(name, label, widget="days", options=[(preset, preset) for preset in self.presets])
        self.column = column

    def parse(self, value: str) -> tuple[datetime, datetime]:
        first, last = self._preset(value) or self._written(value)
        zone = show.zone()
        return datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone)

    def _preset(self, value: str) -> tuple[date, date] | None:
        today = gate.now().astimezone(show.zone()).date()
        day = timedelta(days=1)
        monday = today - today.weekday() * day
        return {
            "yesterday": (today - day, today - day),
            "today": (today, today),
            "tomorrow": (today + day, today + day),
            "this week": (monday, monday + 6 * day),
            "next 7 days": (today, today + 6 * day),
            "last 30 days": (today - 29 * day, today),
        }.get(value)

    def _written(self, value: str) -> tuple[date, date]:
        first, _, last = value.partition("..")
        last = last or first
        if not (A_DAY.fullmatch(first) and A_DAY.fullmatch(last)) or last < first:
            raise ValueError
        return date.fromisoformat(first), date.fromisoformat(last)

    def clause(self, value: tuple[datetime, datetime]) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = (self.column >= value[0]) & (self.column < value[1])
        return condition


class Whose(ListFilter):
    """Rows that belong to one record; set by links from that record's page, shown as a chip."""

    def __init__(self, name: str, label: str, column: Any, owner: type[Base] = User) -> None:
        super().__init__(name, label, widget="hidden")
        self.column, self.owner = column, owner

    def parse(self, value: str) -> UUID:
        return UUID(value)

    def clause(self, value: UUID) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = self.column == value
        return condition

    def shown(self, value: str) -> str:
        found = session().get(self.owner, UUID(value))
        return show.label_of(found) if found else "nothing"


def people_matching(words: str) -> Any:
    """Ids of people by name; by e-mail and phone for those who may see contacts (a search must not give them away)."""
    name: ColumnElement[bool] = User.full_name.ilike(_pattern(words), escape="\\")
    if not gate.may(Permission.READ_CONTACTS):
        return select(User.id).where(name).limit(PEOPLE_SEARCHED)
    found = name | User.email.ilike(_pattern(words), escape="\\")
    digits = "".join(sign for sign in words if sign.isascii() and sign.isdigit())
    if len(digits) >= PHONE_DIGITS:
        found |= phone_digits().contains(digits)
    return select(User.id).where(found).limit(PEOPLE_SEARCHED)


def reference_is(column: Any, words: str) -> list[ColumnElement[bool]]:
    """The exact reference, when the words look like one."""
    return [column == words.upper()] if REFERENCE.fullmatch(words) else []


def record_or_people(reference: Any, words: str, *people: Any) -> list[ColumnElement[bool]]:
    """A reference finds its record alone; other words find the records of the people they name."""
    exact = reference_is(reference, words)
    return exact or [column.in_(people_matching(words)) for column in people]


def contains(column: Any, words: str) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = func.lower(column).contains(words.lower(), autoescape=True)
    return condition


def _pattern(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
