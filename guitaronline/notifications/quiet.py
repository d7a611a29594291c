"""Quiet hours: when a message that can wait does not ring anybody's phone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

WRITTEN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
ENOUGH = timedelta(minutes=30)  # a message should be read before what it is about
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class QuietHours:
    """From `start` to `end` on the receiver's clock, over midnight where the end is the earlier one."""

    start: time
    end: time

    @property
    def length(self) -> timedelta:
        nowhere = datetime(2000, 1, 1, tzinfo=UTC)
        span = datetime.combine(nowhere, self.end) - datetime.combine(nowhere, self.start)
        return span if span > timedelta(0) else span + A_DAY


def read_quiet_hours(written: str) -> QuietHours | None:
    """`21:00-08:00`; `off`: nobody has any. Raises ValueError."""
    if written == "off":
        return None
    found = WRITTEN.fullmatch(written)
    if found is None or found[1] + found[2] == found[3] + found[4]:
        raise ValueError("must be two times of day, like 21:00-08:00, or off")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    return QuietHours(time(hour, minute), time(end_hour, end_minute))


def stretch(moment: datetime, zone: ZoneInfo, quiet: QuietHours | None) -> tuple[datetime, datetime] | None:
    """The quiet hours in which the moment lies, in UTC; None when it lies in none."""
    if quiet is None:
        return None
    local = moment.astimezone(zone)
    for day in (local.date() - A_DAY, local.date()):
        start = datetime.combine(day, quiet.start, zone)
        end_day = day + A_DAY if quiet.end < quiet.start else day
        end = datetime.combine(end_day, quiet.end, zone)
        if start.astimezone(UTC) <= moment < end.astimezone(UTC):
            return start.astimezone(UTC), end.astimezone(UTC)
    return None


def after_quiet(moment: datetime, zone: ZoneInfo, quiet: QuietHours | None, *, latest: datetime | None) -> datetime:
    """When the news of that moment goes: at once, or at the end of the quiet hours. Where that is too late, at once all the same."""
    found = stretch(moment, zone, quiet)
    if found is None or (latest is not None and found[1] > latest - ENOUGH):
        return moment
    return found[1]


def around_quiet(moment: datetime, zone: ZoneInfo, quiet: QuietHours | None, *, latest: datetime) -> datetime:
    """When the reminder of that moment goes: where the end of the quiet hours is too late, before they begin."""
    found = stretch(moment, zone, quiet)
    if found is None:
        return moment
    return found[1] if found[1] <= latest - ENOUGH else found[0]
