"""Which days a series of lessons has, and when each begins. Pure: the teacher's wall clock decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.errors import Reason
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR, SLOT_MINUTES_MAX, SLOT_MINUTES_MIN, local_to_utc

DATES_MAX = 60
DAYS_MAX = 366
INTERVALS = (1, 2)
PACKAGES_MAX = 20
WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class Term:
    """The same wall clock every week, or every other one: `last_day`, or a `count` of dates, says how long."""

    first_day: date  # the first lesson's; its weekday is the series'
    start_local: time
    lesson_minutes: int
    last_day: date | None = None
    count: int | None = None
    interval_weeks: int = 1


@dataclass(frozen=True)
class Occurrence:
    """One date of a term; without times where the clocks are put forward over it."""

    day: date
    local: datetime  # on the teacher's wall clock, without zone
    start_at: datetime | None
    end_at: datetime | None


def term_problems(term: Term) -> list[Reason]:
    """Everything that keeps these days and times from being a series; empty when they may be one."""
    wall = term.start_local
    found = [
        (not _in_range(term.first_day), "time_out_of_range", _YEARS, "first_day"),
        (
            wall.tzinfo is not None or bool(wall.microsecond),
            "bad_local_time",
            "A time has whole seconds.",
            "start_local",
        ),
        (
            not SLOT_MINUTES_MIN <= term.lesson_minutes <= SLOT_MINUTES_MAX,
            "bad_lesson_minutes",
            f"A lesson takes {SLOT_MINUTES_MIN} to {SLOT_MINUTES_MAX} minutes.",
            "lesson_minutes",
        ),
        (term.interval_weeks not in INTERVALS, "bad_interval", "Every week, or every other week.", "interval_weeks"),
    ]
    return [Reason(code, detail, pointer=f"/{field}") for wrong, code, detail, field in found if wrong] + _end_problems(
        term
    )


def _end_problems(term: Term) -> list[Reason]:
    if (term.last_day is None) == (term.count is None):
        return [Reason("series_end_missing", "Say the last day, or how many lessons; not both.", pointer="/last_day")]
    if term.count is not None:
        fits = 1 <= term.count <= DATES_MAX and (term.count - 1) * 7 * term.interval_weeks <= DAYS_MAX
        detail = f"A series has 1 to {DATES_MAX} lessons within {DAYS_MAX} days."
        return [] if fits else [Reason("too_many_dates", detail, pointer="/count", facts={"limit": DATES_MAX})]
    last = term.last_day or term.first_day
    if not _in_range(last):
        return [Reason("time_out_of_range", _YEARS, pointer="/last_day")]
    if last < term.first_day:
        return [Reason("days_reversed", "The last day is before the first.", pointer="/last_day")]
    if (last - term.first_day).days > DAYS_MAX:
        return [Reason("too_many_days", f"At most {DAYS_MAX} days at a time.", pointer="/last_day")]
    return []


def days_of(term: Term) -> list[date]:
    """The days of a term that has no problems, in order."""
    step = term.interval_weeks * WEEK
    if term.count is not None:
        return [term.first_day + number * step for number in range(term.count)]
    last = term.last_day or term.first_day
    return [term.first_day + number * step for number in range((last - term.first_day) // step + 1)]


def occurrence(day: date, start_local: time, minutes: int, zone: ZoneInfo) -> Occurrence:
    """The lesson of that day: of a time that happens twice, the first. Real minutes decide how long it lasts."""
    local = datetime.combine(day, start_local)
    start = local_to_utc(local, zone)
    return Occurrence(day, local, start, start + timedelta(minutes=minutes) if start else None)


def in_the_week_of(day: date, weekday: int) -> date:
    """That weekday of the same week, Monday to Sunday."""
    return day + timedelta(days=weekday - day.weekday())


def more(series: LessonSeries, today: date, *, last_day: date | None, count: int | None) -> Term:
    """The dates that follow the series' last one; those that have passed since are passed over."""
    step = series.interval_weeks * WEEK
    first = series.last_day + step
    behind = (today - first) // step + bool(
        (today - first) % step
    )  # whole steps to the first one that is not before today
    return Term(
        first_day=first + max(0, behind) * step,
        start_local=series.start_local,
        lesson_minutes=series.lesson_minutes,
        last_day=last_day,
        count=count,
        interval_weeks=series.interval_weeks,
    )


def effective_status(series: LessonSeries, now: datetime) -> SeriesStatus:
    """The status that doors show: over when its last day is over, on its teacher's calendar."""
    is_over = series.last_day < now.astimezone(ZoneInfo(series.zone)).date()
    return SeriesStatus.ENDED if series.status is SeriesStatus.ACTIVE and is_over else series.status


def dated(day: date, reason: Reason) -> Reason:
    """The reason, and which date it speaks of."""
    return replace(
        reason, detail=f"{spoken(day)}: {reason.detail}", pointer="", facts={**reason.facts, "day": day.isoformat()}
    )


def spoken(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _in_range(day: date) -> bool:
    return FIRST_YEAR < day.year < LAST_YEAR


_YEARS = f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}."
NO_SUCH_TIME = Reason(
    "no_such_local_time", "The clocks are put forward over this time.", "Leave this date out, or choose another time."
)
