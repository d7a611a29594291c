"""What may be a slot, and how a wall-clock window becomes slots. Pure: no session, no clock."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from guitaronline.errors import Reason

SLOT_MINUTES_MIN = 15
SLOT_MINUTES_MAX = 240
BUFFER_MINUTES_MAX = 240
FIRST_YEAR, LAST_YEAR = 2000, 9998  # what can be stored, read back and turned into any zone
FIRST_DAY, LAST_DAY = date(FIRST_YEAR + 1, 1, 1), date(LAST_YEAR - 1, 12, 31)
BULK_DAYS_MAX = 366
BULK_SLOTS_MAX = 1_000
WALL_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True)
class Window:
    """The same stretch of wall clock on every such weekday (0 = Monday), cut into lessons with pauses between.

    An end at or before the start lies on the next day; 00:00 as an end is that day's midnight (24:00)."""

    weekdays: frozenset[int]
    start_local: time
    end_local: time
    lesson_minutes: int
    buffer_minutes: int = 0
    valid_from: date | None = None  # the first and the last of its days, where it does not hold for good
    valid_until: date | None = None

    def as_row(self) -> dict[str, Any]:
        """What is stored of it, and typed: one weekday and the rest."""
        return {
            "weekday": min(self.weekdays),
            "start_local": self.start_local,
            "end_local": self.end_local,
            "lesson_minutes": self.lesson_minutes,
            "buffer_minutes": self.buffer_minutes,
            "valid_from": self.valid_from,
            "valid_until": self.valid_until,
        }


@dataclass(frozen=True)
class Planned:
    """One lesson's place."""

    local: datetime  # on the teacher's wall clock, without zone
    start_at: datetime
    end_at: datetime
    busy_until: datetime  # the end of its pause; `end_at` when there is none


@dataclass(frozen=True)
class Skipped:
    """A place that gave no slot, and why."""

    local: datetime  # on the teacher's wall clock, without zone
    code: str  # no_such_local_time · cut_by_clock_change · in_the_past · overlaps_slot · withdrawn_by_hand · time_off · closure
    detail: str


def slot_problems(start_at: datetime, end_at: datetime, now: datetime) -> list[Reason]:
    """Everything that keeps these times from being a slot; empty when they may be one."""
    out_of_range = [
        reason
        for field, moment in (("start_at", start_at), ("end_at", end_at))
        for reason in _moment_problems(field, moment)
    ]
    if out_of_range:
        return out_of_range
    minutes = (end_at - start_at).total_seconds() / 60
    problems = []
    if minutes < SLOT_MINUTES_MIN:
        problems.append(
            _no(
                "slot_too_short", f"A slot takes at least {SLOT_MINUTES_MIN} minutes.", "end_at", limit=SLOT_MINUTES_MIN
            )
        )
    if minutes > SLOT_MINUTES_MAX:
        problems.append(
            _no("slot_too_long", f"A slot takes at most {SLOT_MINUTES_MAX} minutes.", "end_at", limit=SLOT_MINUTES_MAX)
        )
    if start_at <= now:
        problems.append(_no("slot_in_the_past", "A slot starts in the future.", "start_at"))
    return problems


def _moment_problems(field: str, moment: datetime) -> list[Reason]:
    if moment.tzinfo is None or moment.utcoffset() is None:
        return [_no("naive_time", "A time needs its offset from UTC.", field)]
    if not FIRST_YEAR <= moment.year <= LAST_YEAR or not FIRST_YEAR <= moment.astimezone(UTC).year <= LAST_YEAR:
        return [_no("time_out_of_range", f"Times lie in the years {FIRST_YEAR} to {LAST_YEAR}.", field)]
    if moment.microsecond:
        return [_no("not_whole_seconds", "Slots start and end on a whole second.", field)]
    return []


def wall_clock(text: str, *, is_end: bool = False) -> time:
    """`09:30` → 09:30. As an end, `24:00` is midnight. Raises ValueError."""
    found = WALL_CLOCK.fullmatch(text)
    if found:
        return time(int(found[1]), int(found[2]))
    if is_end and text == "24:00":
        return time()
    raise ValueError("a time of day is written 09:30")


def window_problems(window: Window, first_day: date, last_day: date) -> list[Reason]:
    """Everything that keeps the window from being cut over these days; empty when it may be."""
    problems = []
    if not (FIRST_YEAR < first_day.year < LAST_YEAR and FIRST_YEAR < last_day.year < LAST_YEAR):
        problems.append(
            _no("time_out_of_range", f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}.", "first_day")
        )
    if last_day < first_day:
        problems.append(_no("days_reversed", "The last day is before the first.", "last_day"))
    if (last_day - first_day).days >= BULK_DAYS_MAX:
        problems.append(
            _no("too_many_days", f"At most {BULK_DAYS_MAX} days at a time.", "last_day", limit=BULK_DAYS_MAX)
        )
    if not window.weekdays or not window.weekdays <= set(range(7)):
        problems.append(_no("bad_weekdays", "Name at least one weekday, 0 (Monday) to 6 (Sunday).", "weekdays"))
    return problems + _cut_problems(window)


def hours_window_problems(window: Window) -> list[Reason]:
    """Everything that keeps the window from being part of weekly hours; empty when it may be."""
    problems = []
    if len(window.weekdays) != 1 or not window.weekdays <= set(range(7)):
        problems.append(_no("bad_weekday", "The weekday is 0 (Monday) to 6 (Sunday).", "weekday"))
    for field, day in (("valid_from", window.valid_from), ("valid_until", window.valid_until)):
        if day is not None and not FIRST_YEAR < day.year < LAST_YEAR:
            problems.append(
                _no("time_out_of_range", f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}.", field)
            )
    if window.valid_from and window.valid_until and window.valid_until < window.valid_from:
        problems.append(_no("days_reversed", "The last day is before the first.", "valid_until"))
    if not problems and not hold_together(window, window, 0):
        problems.append(_no("never_holds", "No such weekday lies between these days.", "valid_until"))
    return problems + _cut_problems(window)


def hold_together(one: Window, other: Window, days: int) -> bool:
    """Whether there is a day on which `one` holds, while `other` holds that many days later. Each is of one weekday."""
    later = timedelta(days=days)
    first = max(one.valid_from or FIRST_DAY, (other.valid_from or FIRST_DAY) - later)
    last = min(one.valid_until or LAST_DAY, (other.valid_until or LAST_DAY) - later)
    return _first_such(min(one.weekdays), first) <= last


def _first_such(weekday: int, day: date) -> date:
    """The first day of that weekday, `day` or later."""
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def start_in_week(window: Window) -> timedelta:
    """From Monday's midnight, on the wall clock."""
    at = window.start_local
    return timedelta(days=min(window.weekdays), hours=at.hour, minutes=at.minute, seconds=at.second)


def _cut_problems(window: Window) -> list[Reason]:
    problems = []
    if not SLOT_MINUTES_MIN <= window.lesson_minutes <= SLOT_MINUTES_MAX:
        detail = f"A lesson takes {SLOT_MINUTES_MIN} to {SLOT_MINUTES_MAX} minutes."
        problems.append(
            _no("bad_lesson_minutes", detail, "lesson_minutes", least=SLOT_MINUTES_MIN, most=SLOT_MINUTES_MAX)
        )
    if not 0 <= window.buffer_minutes <= BUFFER_MINUTES_MAX:
        problems.append(
            _no(
                "bad_buffer_minutes",
                f"A pause takes 0 to {BUFFER_MINUTES_MAX} minutes.",
                "buffer_minutes",
                most=BUFFER_MINUTES_MAX,
            )
        )
    for field, wall in (("start_local", window.start_local), ("end_local", window.end_local)):
        if wall.tzinfo is not None or wall.microsecond:
            problems.append(_no("bad_local_time", "A time of day has whole seconds and no zone.", field))
    if not problems and window.start_local == window.end_local != time():
        problems.append(_no("empty_window", "The window ends when it starts.", "end_local"))
    elif not problems and window_length(window) < timedelta(minutes=window.lesson_minutes):
        problems.append(_no("window_too_short", "No lesson of this length fits into the window.", "end_local"))
    return problems


def window_length(window: Window) -> timedelta:
    """On the wall clock; up to a whole day."""
    day = date(2000, 1, 1)
    length = datetime.combine(day, window.end_local) - datetime.combine(day, window.start_local)
    return length if length > timedelta() else length + timedelta(days=1)


def busy_length(window: Window) -> timedelta:
    """From the window's start to the end of the pause after its last lesson, on the wall clock; it may lie after the window's end."""
    lesson, pause = timedelta(minutes=window.lesson_minutes), timedelta(minutes=window.buffer_minutes)
    return ((window_length(window) - lesson) // (lesson + pause) + 1) * (lesson + pause)


def cut(window: Window, first_day: date, last_day: date, zone: ZoneInfo) -> tuple[list[Planned], list[Skipped]]:
    """The lessons of the window on its days, in order, and those that a change of the clocks takes away.

    The teacher's wall clock decides where lessons start, real minutes decide how long they last and whether they fit."""
    planned: list[Planned] = []
    skipped: list[Skipped] = []
    for day in days_between(first_day, last_day):
        if day.weekday() in window.weekdays:
            _cut_day(window, day, zone, planned, skipped)
    return planned, skipped


def _cut_day(window: Window, day: date, zone: ZoneInfo, planned: list[Planned], skipped: list[Skipped]) -> None:
    lesson, pause = timedelta(minutes=window.lesson_minutes), timedelta(minutes=window.buffer_minutes)
    start = datetime.combine(day, window.start_local)
    end = start + window_length(window)
    window_end = end_utc(end, zone)
    free_from: datetime | None = None  # in spring a wall clock's next lesson may come before the last one is over
    for local in _starts(start, end - lesson, lesson + pause):
        start_at = local_to_utc(local, zone)
        if start_at is None:
            skipped.append(Skipped(local, "no_such_local_time", "The clocks are put forward over this time."))
        elif start_at + lesson > window_end or (free_from is not None and start_at < free_from):
            skipped.append(
                Skipped(local, "cut_by_clock_change", "The clocks are put forward and too few minutes are left.")
            )
        else:
            planned.append(Planned(local, start_at, start_at + lesson, start_at + lesson + pause))
            free_from = start_at + lesson + pause


def _starts(first: datetime, last: datetime, step: timedelta) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += step


def days_between(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def local_to_utc(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment at which that wall clock shows `local`: the first of two, None when it never does."""
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local else None


def end_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which that wall clock shows `local` or later: in a gap, the moment of the change."""
    exact = local_to_utc(local, zone)
    if exact is not None:
        return exact
    late = int(local.replace(tzinfo=zone, fold=0).timestamp())  # with the offset before the gap
    early = int(local.replace(tzinfo=zone, fold=1).timestamp())  # with the offset after it
    seconds = range(early, late)
    reached = bisect_left(seconds, local, key=lambda second: datetime.fromtimestamp(second, zone).replace(tzinfo=None))
    return datetime.fromtimestamp(early + reached, UTC)


def next_day_begins(now: datetime, zone: ZoneInfo) -> datetime:
    """The first midnight of that wall clock that is still to come, or where it skips midnight, the moment of the change."""
    tomorrow = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time())
    begins = end_utc(tomorrow, zone)
    if begins > now:
        return begins
    return tomorrow.replace(tzinfo=zone, fold=1).astimezone(
        UTC
    )  # the clocks went back over midnight, and show it again


def _no(code: str, detail: str, field: str, **facts: int) -> Reason:
    return Reason(code, detail, pointer=f"/{field}", facts=facts)
