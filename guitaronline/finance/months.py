"""Months of the school: what finance reports by, on the school's clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from guitaronline import policy

WRITTEN = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


def zone() -> ZoneInfo:
    return ZoneInfo(policy.current().SCHOOL_TIMEZONE)


def day_of(moment: datetime) -> date:
    """The school's day."""
    return moment.astimezone(zone()).date()


@dataclass(frozen=True, order=True)
class Month:
    first_day: date

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first_day, time(), zone())

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.next().start

    @property
    def last_day(self) -> date:
        return self.next().first_day - timedelta(days=1)

    def next(self) -> Month:
        return Month((self.first_day + timedelta(days=31)).replace(day=1))

    def before(self) -> Month:
        return Month((self.first_day - timedelta(days=1)).replace(day=1))

    def is_over(self, now: datetime) -> bool:
        return now >= self.end

    def written(self) -> str:
        """`2026-11`."""
        return f"{self.first_day:%Y-%m}"

    def words(self) -> str:
        """`November 2026`."""
        return f"{self.first_day:%B %Y}"


def month_of(moment: datetime) -> Month:
    return Month(day_of(moment).replace(day=1))


def read(written: str) -> Month:
    """`2026-11`. Raises ValueError for anything else."""
    found = WRITTEN.fullmatch(written)
    if not found:
        raise ValueError("a month is written like 2026-11")
    return Month(date(int(found[1]), int(found[2]), 1))


def back_from(now: datetime, how_many: int) -> list[Month]:
    """The present month and those before it, the newest first."""
    found = [month_of(now)]
    while len(found) < how_many:
        found.append(found[-1].before())
    return found
