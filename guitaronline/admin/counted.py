"""From a number to the rows it counts: a filter of lists, by the very statement that counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import flask
from sqlalchemy import column, text
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate
from guitaronline.admin.base import ListFilter
from guitaronline.kpis import days
from guitaronline.kpis.days import Span
from guitaronline.kpis.definitions import BY_CODE
from guitaronline.kpis.kinds import Number

NAMED = re.compile(r"(?<!:):([a-z_]+)")
WORDS = re.compile(r"[a-z, _]{0,60}", re.ASCII)
CURRENCY = re.compile(r"(?:[A-Z]{3})?", re.ASCII)


@dataclass(frozen=True)
class Rows:
    """Which number, of which days, of which part of it."""

    number: Number
    span: Span
    dimension: str
    currency: str


class Counted(ListFilter):
    """`delivered:2026-11-01..2026-11-30`, then `:dimension` and `:currency` where only a part is meant."""

    def __init__(self, path: str, key: Any) -> None:
        super().__init__("counted", "Counted as", widget="hidden")
        self.path, self.key = path, key

    def parse(self, value: str) -> Rows:
        code, when, dimension, currency = [*value.split(":"), "", "", ""][:4]
        number = BY_CODE.get(code)
        if number is None or number.desk != self.path or value.count(":") > 3:
            raise ValueError
        if not (WORDS.fullmatch(dimension) and CURRENCY.fullmatch(currency)):
            raise ValueError
        first, _, last = when.partition("..")
        return Rows(number, days.written(first, last or first), dimension, currency)

    def clause(self, value: Rows) -> ColumnElement[bool]:
        sql = value.number.rows(dimension=bool(value.dimension), currency=bool(value.currency))
        told = days.moments(value.span, gate.now()) | {"dimension": value.dimension, "currency": value.currency}
        named = {name: told[name] for name in set(NAMED.findall(sql))}
        condition: ColumnElement[bool] = self.key.in_(text(sql).bindparams(**named).columns(column("id")))
        return condition

    def shown(self, value: str) -> str:
        asked = self.parse(value)
        parts = [each for each in (asked.dimension.replace("_", " "), asked.currency) if each]
        when = "now" if asked.number.is_kept else asked.span.words()
        return f"{asked.number.name}{' – ' + ', '.join(parts) if parts else ''}, {when}, school's days"


def rows_url(number: Number, span: Span, *, today: Any, dimension: str = "", currency: str = "") -> str | None:
    """The list of exactly the rows counted; None when the viewer may not open it, or when it shows the present only."""
    desk = flask.current_app.extensions["admin"][0].desks[number.desk]
    if not gate.may(desk.permission) or (number.is_kept and span.last != today):
        return None
    first = span.last if number.is_level else span.first
    parts = [number.code, f"{first}..{span.last}", dimension, currency]
    return flask.url_for(f"{desk.endpoint}.index_view", counted=":".join(parts).rstrip(":"))
