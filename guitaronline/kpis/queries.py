"""The numbers of a span: days that are over from the rollup, today counted live. The one function behind every door."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.kpis import days, touching
from guitaronline.kpis.days import Span
from guitaronline.kpis.definitions import BY_CODE, COUNT_LONG, COUNT_QUICK, DIFFERENCES, LEVELS, NUMBERS, RATIOS
from guitaronline.kpis.kinds import Difference, Number, Ratio, Section

LIVE_DAYS = 2  # days after the last one that the job closed; it comes every minute
WHOLE = 10_000  # basis points
# pk_kpi_days. A level of several days is how it stood on the last of them.
STORED = text("""
SELECT metric, dimension, currency, b.bucket,
       CAST(sum(value) AS bigint) AS total,
       CAST(sum(value) FILTER (WHERE day = least(CAST(b.bucket + CAST(:length AS interval) AS date) - 1, :last)) AS bigint) AS at_end
  FROM kpi_days CROSS JOIN LATERAL (SELECT CAST(date_trunc(:step, CAST(day AS timestamp)) AS date) AS bucket) b
 WHERE day BETWEEN :first AND :last GROUP BY metric, dimension, currency, b.bucket
""")
STORED_WHOLE = text("""
SELECT metric, dimension, currency, CAST(NULL AS date) AS bucket, CAST(sum(value) AS bigint) AS total,
       CAST(sum(value) FILTER (WHERE day = :last) AS bigint) AS at_end
  FROM kpi_days WHERE day BETWEEN :first AND :last GROUP BY metric, dimension, currency
""")
QUICK, LONG = text(COUNT_QUICK), text(COUNT_LONG)
FRESH_MINUTES = 5  # the job comes every minute; when it does not, the page takes the time
COUNTED_NOW = text("""
SELECT replace(metric, '@now', '') AS metric, dimension, currency, value FROM kpi_days
 WHERE day = :day AND metric LIKE '%@now' AND counted_at > clock_timestamp() - make_interval(mins => :minutes)
""")

Definition = Number | Ratio | Difference
Key = tuple[str, str, str]  # metric, dimension, currency


@dataclass(frozen=True)
class Figure:
    """A number, its value, and the one of the span before. None: there is nothing to divide by."""

    of: Definition
    value: int | None
    before: int | None
    dimension: str = ""
    currency: str = ""

    @property
    def change(self) -> int | None:
        return None if self.value is None or self.before is None else self.value - self.before

    @property
    def change_bps(self) -> int | None:
        """Change in basis points of what was before; None when that was nothing."""
        if self.change is None or not self.before:
            return None
        size = abs(self.change) * WHOLE // abs(self.before)
        return size if self.change > 0 else -size


@dataclass(frozen=True)
class Reading:
    """The numbers of a span, those of the span before, and how they went; `step` is day, week or month."""

    span: Span
    step: str
    now: datetime
    values: dict[Key, int]
    before: dict[Key, int]
    course: dict[tuple[str, str], dict[date, int]]  # (metric, currency) → first day of each step → value
    counted_until: date | None
    waiting: int  # days that are to be counted anew

    def figures(self, number: Number) -> list[Figure]:
        """One for each dimension and currency that occurs in either span; a lone zero when none does."""
        keys = sorted({key for key in (*self.values, *self.before) if key[0] == number.code})
        found = [Figure(number, self.values.get(key, 0), self.before.get(key, 0), *key[1:]) for key in keys]
        return found or [Figure(number, 0, 0)]

    def total(self, number: Number) -> list[Figure]:
        """Over all dimensions; one for each currency."""
        currencies = sorted({each.currency for each in self.figures(number)})
        return [
            Figure(number, _sum(self.values, number, each), _sum(self.before, number, each), "", each)
            for each in currencies
        ]

    def ratio(self, ratio: Ratio) -> Figure:
        part, whole = BY_CODE[ratio.part], BY_CODE[ratio.whole]
        now, before = (_share(_sum(each, part), _sum(each, whole)) for each in (self.values, self.before))
        return Figure(ratio, now, before)

    def difference(self, difference: Difference) -> list[Figure]:
        more, less = BY_CODE[difference.more], [BY_CODE[each] for each in difference.less]
        currencies = {each.currency for number in (more, *less) for each in self.figures(number)}
        named = sorted(currencies - {""}) or [""]
        return [
            Figure(difference, _less(self.values, more, less, each), _less(self.before, more, less, each), "", each)
            for each in named
        ]


def read(session: Session, span: Span, now: datetime) -> Reading:
    """Three or four statements, whatever the span: the rollup of both spans, today live, and how far the counting is."""
    known = touching.progress(session)
    is_over = known is not None and span.last <= known.counted_until  # else how it stands comes from the live counting
    step = "day" if span.days <= 62 else "week" if span.days <= 400 else "month"
    values: dict[Key, int] = defaultdict(int)
    course: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)
    for row, live_day in _rows(session, span, step, known, now):
        value = row.value if live_day else (row.at_end if row.metric in LEVELS else row.total)
        bucket = _bucket(live_day, step) if live_day else row.bucket
        is_last = live_day == span.last if live_day else is_over and _ends(bucket, step) >= span.last
        key = (row.metric, row.dimension, row.currency)
        if row.metric not in LEVELS:
            values[key] += value
            course[row.metric, row.currency][bucket] = course[row.metric, row.currency].get(bucket, 0) + value
        elif value is not None:
            course[row.metric, row.currency][bucket] = value
            values |= {key: value} if is_last else {}
    earlier: dict[Key, int] = defaultdict(int)
    for row, live_day in _rows(session, span.before(), "", known, now):
        value = row.value if live_day else (row.at_end if row.metric in LEVELS else row.total)
        if value is not None and (row.metric not in LEVELS or live_day in (None, span.before().last)):
            earlier[row.metric, row.dimension, row.currency] += value
    waiting = session.execute(text("SELECT count(*) FROM kpi_touched")).scalar_one()
    return Reading(
        span, step, now, dict(values), dict(earlier), dict(course), known.counted_until if known else None, waiting
    )


def _rows(session: Session, span: Span, step: str, known: Any, now: datetime) -> Iterable[tuple[Any, date | None]]:
    """What is stored of the span, by step or as a whole, and of its days that are not over what is counted now."""
    today = days.today(now)
    until = known.counted_until if known else today - days.DAY
    last = min(span.last, until)
    if last >= span.first:
        told = {"first": span.first, "last": last}
        by_step = {"step": step, "length": f"1 {step}"} if step else {}
        yield from ((row, None) for row in session.execute(STORED if step else STORED_WHOLE, told | by_step))
    live = max(span.first, until + days.DAY, today - (LIVE_DAYS - 1) * days.DAY)
    while live <= min(span.last, today):
        for row in _live(session, live, today, now):
            yield row, live
        live += days.DAY


def _live(session: Session, day: date, today: date, now: datetime) -> list[Any]:
    """The day counted now; what takes long is at most FRESH_MINUTES old."""
    told = days.moments(Span(day, day), now)
    kept: list[Any] = []
    if day == today:
        kept = list(session.execute(COUNTED_NOW, {"day": day, "minutes": FRESH_MINUTES}))
    return [*session.execute(QUICK, told), *(kept or session.execute(LONG, told))]


def _bucket(day: date, step: str) -> date:
    return {"day": day, "week": day - day.weekday() * days.DAY, "month": day.replace(day=1)}[step]


def _ends(bucket: date, step: str) -> date:
    following = {
        "day": bucket + days.DAY,
        "week": bucket + 7 * days.DAY,
        "month": (bucket + timedelta(days=31)).replace(day=1),
    }
    return following[step] - days.DAY


def steps(span: Span, step: str) -> list[date]:
    """The first day of each step that the span touches."""
    found = [_bucket(span.first, step)]
    while _ends(found[-1], step) < span.last:
        found.append(_ends(found[-1], step) + days.DAY)
    return found


def _sum(values: dict[Key, int], number: Number, currency: str = "") -> int:
    return sum(value for key, value in values.items() if key[0] == number.code and key[2] in (currency, ""))


def _less(values: dict[Key, int], more: Number, less: Sequence[Number], currency: str) -> int:
    return _sum(values, more, currency) - sum(_sum(values, each, currency) for each in less)


def _share(part: int, whole: int) -> int | None:
    return part * WHOLE // whole if whole else None


def figures_of(reading: Reading, section: Section, *, money: bool) -> list[list[Figure]]:
    """The section's numbers in the order in which they are told, each as its totals; money only for who may see it."""
    found = []
    for number in NUMBERS:
        if number.section is section and (money or not number.needs_money):
            found.append(reading.total(number))
            found += [reading.difference(each) for each in DIFFERENCES if each.less[-1] == number.code]
            found += [[reading.ratio(each)] for each in RATIOS if number.code == max(each.part, each.whole, key=_place)]
    return found


def _place(code: str) -> int:
    """A ratio is told after both of its numbers."""
    return list(BY_CODE).index(code)


TODAY_CARDS = ("delivered", "bookings", "holds", "packages_sold", "revenue_gross", "active_students")


def today_cards(session: Session, *, now: datetime, money: bool) -> list[Figure]:
    """A few numbers of the last seven days, against the seven before them."""
    today = days.today(now)
    reading = read(session, Span(today - 6 * days.DAY, today), now)
    chosen = [BY_CODE[code] for code in TODAY_CARDS if money or not BY_CODE[code].needs_money]
    return [figure for number in chosen for figure in reading.total(number)]
