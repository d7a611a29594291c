"""The days by which invoices are dated: the school's."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from guitaronline import policy


def school_zone() -> ZoneInfo:
    return ZoneInfo(policy.current().SCHOOL_TIMEZONE)


def school_day(moment: datetime) -> date:
    """The school's day of that moment."""
    return moment.astimezone(school_zone()).date()


def start_of(day: date) -> datetime:
    """When that day begins at the school."""
    return datetime.combine(day, time(), school_zone())


def end_of(day: date) -> datetime:
    """When the day after begins."""
    return start_of(day + timedelta(days=1))
