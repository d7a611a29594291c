"""What weekly hours are on clocks far away, and from which day that changes. Pure: no session, no clock.

Two places change their clocks on different days, or only one of them does: between such days a teacher's hour is the same
hour there every week, and on such a day it becomes another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from guitaronline.scheduling.rules import Window, end_utc, local_to_utc, window_length

WEEKS = 40  # looked ahead: past the next change of the clocks, wherever it is
PERIODS = 4  # shown
DAY = timedelta(days=1)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Far:
    """The windows on the clocks of one zone; `hours[window][period]`."""

    zone: str
    since: list[date]  # the first day of each period, in the teacher's calendar; the first is today
    hours: list[list[str]]


def far_hours(windows: Sequence[Window], own: ZoneInfo, far: ZoneInfo, today: date) -> Far:
    """From today on, at most four periods."""
    days = [today + number * DAY for number in range(WEEKS * 7)]
    runs = [list(each) for _, each in groupby(days, key=lambda day: _apart(day, own, far))][:PERIODS]
    hours = [[_there(window, run, own, far) for run in runs] for window in windows]
    return Far(far.key, [run[0] for run in runs], hours)


def wall_words(window: Window) -> str:
    """`Mon 15:00–19:00`"""
    end = f"{window.end_local:%H:%M}" if window.end_local != time() else "24:00"
    return f"{WEEKDAYS[min(window.weekdays)]} {window.start_local:%H:%M}–{end}"


def _apart(day: date, own: ZoneInfo, far: ZoneInfo) -> timedelta:
    """How far the clocks stand apart at noon of the teacher's day: by then both have changed."""
    noon = datetime.combine(day, time(12), own)
    here, there = noon.utcoffset(), noon.astimezone(far).utcoffset()
    assert here is not None
    assert there is not None
    return there - here


def _there(window: Window, run: Sequence[date], own: ZoneInfo, far: ZoneInfo) -> str:
    """On the window's first day in the run that is not the night of the change itself, where there is such a day."""
    fitting = [day for day in run if day.weekday() in window.weekdays]
    day = next(iter(fitting[1:] or fitting), None)
    if day is None:
        return "–"
    start = datetime.combine(day, window.start_local)
    begins = local_to_utc(start, own)
    if begins is None:
        return "–"
    ends = end_utc(start + window_length(window), own)
    there, until = begins.astimezone(far), ends.astimezone(far)
    return f"{there:%a %H:%M}–{until:%H:%M}"
