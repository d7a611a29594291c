"""Times as the teacher's clock on the wall shows them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from guitaronline.signed_in import now, viewer

DAY = timedelta(days=1)
A_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)


def zone() -> ZoneInfo:
    return ZoneInfo(viewer().timezone)


def today() -> date:
    return now().astimezone(zone()).date()


def midnight(on: date) -> datetime:
    """When that day begins on the teacher's clock, in UTC."""
    return datetime.combine(on, time(), zone()).astimezone(UTC)


def local_day(moment: datetime) -> date:
    return moment.astimezone(zone()).date()


def clock_of(moment: datetime) -> str:
    """`16:00`"""
    return f"{moment.astimezone(zone()):%H:%M}"


def day(on: date | datetime) -> str:
    """`Mon 23 Nov`, with the year when it is another one."""
    on = local_day(on) if isinstance(on, datetime) else on
    year = "" if on.year == today().year else f" {on.year}"
    return f"{on:%a} {on.day} {on:%b}{year}"


def moment(at: datetime) -> str:
    """`Mon 23 Nov, 16:00`"""
    return f"{day(at)}, {clock_of(at)}"


def stretch(start: datetime, end: datetime) -> str:
    """`Mon 23 Nov, 16:00–17:00`; whole days as `Mon 23 Nov – Fri 27 Nov`."""
    if start == midnight(local_day(start)) and end == midnight(local_day(end)):
        first, last = local_day(start), local_day(end) - DAY
        return day(first) if first == last else f"{day(first)} – {day(last)}"
    same = local_day(start) == local_day(end)
    return f"{moment(start)}–{clock_of(end)}" if same else f"{moment(start)} – {moment(end)}"


def place_of(zone: str) -> str:
    """`America/New_York` → `New York`"""
    return zone.rpartition("/")[2].replace("_", " ")


def asked_day(given: str | None, default: date) -> date:
    """The day in the address; the default when it is none."""
    if given is None or not A_DAY.fullmatch(given):
        return default
    try:
        return date.fromisoformat(given)
    except ValueError:
        return default


def in_words(at: datetime) -> str:
    """How long until then: `in 5 minutes`, `in 3 hours`, `tomorrow`, `in 4 days`."""
    minutes = int((at - now()).total_seconds() // 60)
    if minutes < 100:
        return "now" if minutes < 1 else f"in {minutes} {'minute' if minutes == 1 else 'minutes'}"
    days = (local_day(at) - today()).days
    if days == 0:
        return f"in {minutes // 60} hours"
    return "tomorrow" if days == 1 else f"in {days} days"
