"""Insight: the school's numbers over a span, against the span before, each with its words and its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import flask

from guitaronline import policy
from guitaronline.admin import ages, charts, gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.counted import rows_url
from guitaronline.billing.reconciliation import queries as reconciliation
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.kpis import days, operations, queries
from guitaronline.kpis.days import Span
from guitaronline.kpis.definitions import BY_CODE, LEVELS
from guitaronline.kpis.kinds import Number, Section, Unit
from guitaronline.kpis.queries import Definition, Figure, Reading
from guitaronline.money import Money

CHARTED = (
    "bookings",
    "cancellations",
    "delivered",
    "no_shows",
    "active_students",
    "new_students",
    "revenue_gross",
    "earned",
    "outstanding",
)


@dataclass(frozen=True)
class Line:
    """A value as it is read: of one part of the number, with its change and where its rows are."""

    label: str
    value: str
    change: str
    tone: str
    url: str | None


@dataclass(frozen=True)
class Block:
    """A number on the page: its totals (one for each currency), its parts, and what it means."""

    code: str
    name: str
    words: str
    totals: list[Line]
    parts: list[Line] = field(default_factory=list)


class KpisPage(ConsolePage):
    path = "kpis"
    title = "KPIs"
    reads_standby = True
    permission = Permission.READ_KPIS

    def page(self) -> Any:
        today = days.today(gate.now())
        preset, span = asked(today)
        reading = queries.read(session(), span, gate.now())
        money = gate.may(Permission.READ_PAYMENTS)
        sections = [
            (section, blocks(reading, section, money=money), drawings(reading, section, money=money))
            for section in Section
        ]
        return self.render(
            "admin/kpis.html",
            sections=sections,
            reading=reading,
            preset=preset,
            presets=days.presets(today),
            today=today,
            school_zone=policy.current().SCHOOL_TIMEZONE,
            operations=operation_lines(),
        )


@dataclass(frozen=True)
class Card:
    """A number of the last seven days, for Today."""

    name: str
    value: str
    comparison: str
    link: str


def cards() -> list[Card]:
    """For who may read them."""
    if not gate.may(Permission.READ_KPIS):
        return []
    money = gate.may(Permission.READ_PAYMENTS)
    return [
        Card(
            each.of.name,
            shown(each.of, each.value, each.currency),
            change_words(each),
            flask.url_for("desk_kpis.index", range="last-7-days", _anchor=each.of.code),
        )
        for each in queries.today_cards(session(), now=gate.now(), money=money)
    ]


def asked(today: date) -> tuple[str, Span]:
    """The preset and its days, or the days written; the usual ones, with a word of warning, for what means nothing."""
    presets = days.presets(today)
    name = flask.request.args.get("range", "")
    first, last = (flask.request.args.get(each, "").strip() for each in ("from", "to"))
    if first or last:
        try:
            return "", days.written(first or last, last or first)
        except days.BadSpan as why:
            flask.flash(f"These days cannot be shown: {why}. Here are the last 30.", "warning")
    elif name and name not in presets:
        flask.flash("There is no such range. Here are the last 30 days.", "warning")
    chosen = name if name in presets and not (first or last) else days.USUAL
    return chosen, presets[chosen][1]


def blocks(reading: Reading, section: Section, *, money: bool) -> list[Block]:
    return [_block(reading, each) for each in queries.figures_of(reading, section, money=money)]


def _block(reading: Reading, totals: list[Figure]) -> Block:
    of = totals[0].of
    parts: list[Line] = []
    if isinstance(of, Number) and of.dimension != "''":
        parts = [_line(reading, each, show.word(each.dimension)) for each in reading.figures(of) if each.dimension]
    return Block(of.code, of.name, of.words, [_line(reading, each) for each in totals], parts)


def _line(reading: Reading, figure: Figure, label: str = "") -> Line:
    url = None
    if isinstance(figure.of, Number):
        url = rows_url(
            figure.of,
            reading.span,
            today=days.today(reading.now),
            dimension=figure.dimension,
            currency=figure.currency,
        )
    return Line(label, shown(figure.of, figure.value, figure.currency), change_words(figure), _tone(figure), url)


def shown(of: Definition, value: int | None, currency: str = "") -> str:
    if value is None:
        return "–"
    if of.unit is Unit.MONEY:
        return str(Money(value, currency)) if currency else "0"
    if of.unit is Unit.MINUTES:
        return f"{value // 60:,} h" + (f" {value % 60} min" if value % 60 else "")
    return _percent(value) if of.unit is Unit.SHARE else f"{value:,}"


def _percent(bps: int, *, sign: bool = False) -> str:
    before = "−" if bps < 0 else "+" if sign else ""
    return f"{before}{abs(bps) // 100}.{abs(bps) % 100 // 10} %"


def change_words(figure: Figure) -> str:
    """Against the span before, absolute and in percent; in words when there is nothing to compare with."""
    if figure.value is None:
        return "nothing to divide"
    if figure.before is None:
        return "nothing to compare with"
    if figure.change == 0:
        return "as before"
    assert figure.change is not None
    if figure.of.unit is Unit.SHARE:
        return f"{_percent(figure.change, sign=True)[:-2]} points, from {_percent(figure.before)}"
    if figure.change_bps is None:
        return "none before"
    size = shown(figure.of, abs(figure.change), figure.currency)
    return f"{'+' if figure.change > 0 else '−'}{size} ({_percent(figure.change_bps, sign=True)})"


def _tone(figure: Figure) -> str:
    good = figure.of.good if isinstance(figure.of, Number) else 1
    if not figure.change or not figure.before or not good:
        return "muted"
    return "better" if (figure.change > 0) is (good > 0) else "worse"


def drawings(reading: Reading, section: Section, *, money: bool) -> list[tuple[str, charts.Chart]]:
    """A chart for each charted number of the section and each of its currencies."""
    found = []
    for code in CHARTED:
        number = BY_CODE[code]
        if number.section is not section or (number.needs_money and not money):
            continue
        for currency in [each.currency for each in reading.total(number)]:
            name = f"{number.name}{', ' + currency if currency else ''}"
            points = _points(reading, number, currency)
            by = {"day": "by day", "week": "by week", "month": "by month"}[reading.step]
            if len(points) > 1:
                found.append((f"{name}, {by}", charts.bars(name, points, _shower(number, currency))))
    return found


def _shower(number: Number, currency: str) -> Any:
    return lambda value: shown(number, value, currency)


def _points(reading: Reading, number: Number, currency: str) -> list[tuple[str, int]]:
    """Every step of the span; one without a row is nothing. A level before the first that was counted is left out."""
    course = reading.course.get((number.code, currency), {})
    steps = queries.steps(reading.span, reading.step)
    if number.code in LEVELS:
        steps = [each for each in steps if course and each >= min(course)]
    return [(_day_words(each), course.get(each, 0)) for each in steps]


def _day_words(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def operation_lines() -> list[tuple[str, Any]]:
    now = operations.operations(session())
    took = now.event_to_handled_p50_ms
    return [
        ("Events waiting to be told", f"{now.events_pending:,}"),
        ("Longest waiting", "–" if now.oldest_pending_seconds is None else f"{now.oldest_pending_seconds:,} s"),
        ("Events given up (dead)", f"{now.events_dead:,}"),
        (
            "From event to handled, newest 1,000",
            "nothing handled yet"
            if took is None
            else f"half within {took:,} ms, 95 % within {now.event_to_handled_p95_ms:,} ms",
        ),
        ("Days to be counted anew", f"{now.days_waiting:,}"),
        ("Days counted until", show.day(now.counted_until)),
        ("Last check", show.when(now.checked_at)),
        ("It found", "–" if now.check_findings is None else f"{now.check_findings:,}"),
        *_reconciliation_lines(),
    ]


def _reconciliation_lines() -> list[tuple[str, Any]]:
    """For who may read about money."""
    if not gate.may(Permission.READ_PAYMENTS):
        return []
    quality, waiting = reconciliation.quality(session()), reconciliation.waiting(session())
    matched = (
        f"{quality.matched * 10_000 // quality.lines / 100:.2f} % of {quality.lines:,} lines" if quality.lines else "–"
    )
    oldest = f", the oldest for {ages.length(gate.now() - waiting.since)}" if waiting.since else ""
    return [
        ("Lines matched by rules, last run", matched),
        ("Reconciliation exceptions waiting", f"{waiting.number:,}{oldest}"),
    ]
