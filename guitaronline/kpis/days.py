"""The school's own days, and spans of them. A day has 23 or 25 hours when the clocks change. Pure, but for the setting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from guitaronline import policy

A_DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)
DAY = timedelta(days=1)
QUIET_DAYS = 28  # a student without a lesson for as long is not active any more
SOON_DAYS = 30  # a package that expires within is worth a call
LONGEST = 1100  # days of one span: three years
USUAL = "last-30-days"


@dataclass(frozen=True)
class Span:
    """Days, first and last included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> Span:
        """As many days, directly before."""
        return Span(self.first - self.days * DAY, self.first - DAY)

    def words(self) -> str:
        if self.first == self.last:
            return f"{self.first.day} {self.first:%b %Y}"
        year = "" if self.first.year == self.last.year else f" {self.first:%Y}"
        return f"{self.first.day} {self.first:%b}{year} – {self.last.day} {self.last:%b %Y}"


class BadSpan(ValueError):
    """These are no days that can be looked at; the message says why."""


def zone() -> ZoneInfo:
    return ZoneInfo(policy.current().SCHOOL_TIMEZONE)


def today(now: datetime) -> date:
    return now.astimezone(zone()).date()


def starts(day: date) -> datetime:
    """The first moment of the day."""
    return datetime.combine(day, time(), zone())


def presets(today: date) -> dict[str, tuple[str, Span]]:
    month = today.replace(day=1)
    last_month = (month - DAY).replace(day=1)
    return {
        "today": ("Today", Span(today, today)),
        "yesterday": ("Yesterday", Span(today - DAY, today - DAY)),
        "last-7-days": ("Last 7 days", Span(today - 6 * DAY, today)),
        "last-30-days": ("Last 30 days", Span(today - 29 * DAY, today)),
        "this-month": ("This month", Span(month, today)),
        "last-month": ("Last month", Span(last_month, month - DAY)),
        "last-90-days": ("Last 90 days", Span(today - 89 * DAY, today)),
        "last-year": ("Last 365 days", Span(today - 364 * DAY, today)),
    }


def written(first: str, last: str) -> Span:
    """`2026-11-01`, `2026-11-30`. Raises BadSpan."""
    if not (A_DAY.fullmatch(first) and A_DAY.fullmatch(last)):
        raise BadSpan("a day is written like 2026-11-23")
    try:
        return span(date.fromisoformat(first), date.fromisoformat(last))
    except BadSpan:
        raise
    except ValueError:
        raise BadSpan("there is no such day") from None


def span(first: date, last: date) -> Span:
    """Raises BadSpan unless it can be counted and compared."""
    if last < first:
        raise BadSpan("the first day comes before the last one")
    if (last - first).days >= LONGEST:
        raise BadSpan(f"at most {LONGEST} days can be looked at")
    if not 2000 <= first.year <= last.year <= 2999:
        raise BadSpan("the days lie between 2000 and 2999")
    return Span(first, last)


def moments(span: Span, now: datetime) -> dict[str, object]:
    """What the statements of `definitions` are told of a span."""
    return {
        "start": starts(span.first),
        "end": starts(span.last + DAY),
        "active_since": starts(span.last - (QUIET_DAYS - 1) * DAY),
        "quiet_start": starts(span.first - QUIET_DAYS * DAY),
        "quiet_end": starts(span.last + DAY - QUIET_DAYS * DAY),
        "quiet_days": QUIET_DAYS,
        "soon_days": SOON_DAYS,
        "zone": policy.current().SCHOOL_TIMEZONE,
        "now": now,
        "midnight": starts(today(now)),
    }
