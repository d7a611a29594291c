"""Which times can be time off, and which days a closure. The school's days are those of SCHOOL_TIMEZONE."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from guitaronline import policy
from guitaronline.errors import Reason
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR

DAYS_MAX = 366
REASON_LENGTH = 500
NAME_LENGTH = 200


def closure_times(first_day: date, last_day: date) -> tuple[datetime, datetime]:
    """From the first day's midnight to the one after the last day, in the school's zone."""
    zone = ZoneInfo(policy.current().SCHOOL_TIMEZONE)
    return datetime.combine(first_day, time(), zone), datetime.combine(last_day + timedelta(days=1), time(), zone)


def school_day(now: datetime) -> date:
    """The day that it is at the school."""
    return now.astimezone(ZoneInfo(policy.current().SCHOOL_TIMEZONE)).date()


def time_off_problems(start_at: datetime, end_at: datetime, now: datetime, reason: str | None = None) -> list[Reason]:
    """A rule: everything that keeps these times from being time off."""
    found = [
        reason
        for field, moment in (("start_at", start_at), ("end_at", end_at))
        for reason in _moment_problems(field, moment)
    ]
    if not found and end_at <= start_at:
        found.append(Reason("ends_before_start", "It ends before it starts.", pointer="/end_at"))
    if not found and end_at <= now:
        found.append(Reason("in_the_past", "These times have passed.", pointer="/end_at"))
    if not found and end_at - start_at > timedelta(days=DAYS_MAX):
        found.append(Reason("too_long", f"At most {DAYS_MAX} days at a time.", pointer="/end_at"))
    if len(reason or "") > REASON_LENGTH:
        found.append(Reason("reason_too_long", f"At most {REASON_LENGTH} characters.", pointer="/reason"))
    return found


def _moment_problems(field: str, moment: datetime) -> list[Reason]:
    if moment.utcoffset() is None:
        return [Reason("naive_time", "A time needs its offset from UTC.", pointer=f"/{field}")]
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        detail = f"Times lie between the years {FIRST_YEAR} and {LAST_YEAR}."
        return [Reason("time_out_of_range", detail, pointer=f"/{field}")]
    return []


def closure_problems(name: str, first_day: date, last_day: date, *, today: date) -> list[Reason]:
    """A rule: everything that keeps these days from being a closure."""
    found = []
    if not 1 <= len(name.strip()) <= NAME_LENGTH:
        found.append(Reason("bad_name", f"The name has 1 to {NAME_LENGTH} characters.", pointer="/name"))
    if not (FIRST_YEAR < first_day.year < LAST_YEAR and FIRST_YEAR < last_day.year < LAST_YEAR):
        detail = f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}."
        found.append(Reason("time_out_of_range", detail, pointer="/first_day"))
    elif last_day < first_day:
        found.append(Reason("days_reversed", "The last day is before the first.", pointer="/last_day"))
    elif last_day < today:
        found.append(Reason("in_the_past", "These days are over.", pointer="/last_day"))
    elif (last_day - first_day).days >= DAYS_MAX:
        found.append(Reason("too_many_days", f"At most {DAYS_MAX} days at a time.", pointer="/last_day"))
    return found
