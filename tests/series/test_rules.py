"""Which days a series has, and when its lessons begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.series_rules import (
    DAYS_MAX,
    Term,
    days_of,
    in_the_week_of,
    more,
    occurrence,
    term_problems,
)

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 3, 9)


def term(**more: object) -> Term:
    return Term(**{"first_day": FIRST, "start_local": time(15), "lesson_minutes": 60, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"count": 1}, []),
        ({"count": 53}, []),
        ({"last_day": date(2027, 3, 10)}, []),
        ({"last_day": FIRST}, []),
        ({}, ["series_end_missing"]),
        ({"count": 3, "last_day": FIRST}, ["series_end_missing"]),
        ({"count": 0}, ["too_many_dates"]),
        ({"count": -1}, ["too_many_dates"]),
        ({"count": 61}, ["too_many_dates"]),
        ({"count": 60}, ["too_many_dates"]),  # sixty weeks are more than a year
        ({"count": 10**12}, ["too_many_dates"]),
        ({"count": 28, "interval_weeks": 2}, ["too_many_dates"]),
        ({"last_day": date(2026, 3, 8)}, ["days_reversed"]),
        ({"last_day": date(2027, 3, 11)}, ["too_many_days"]),
        ({"last_day": date(9999, 12, 31)}, ["time_out_of_range"]),
        ({"first_day": date(9999, 1, 1), "count": 2}, ["time_out_of_range"]),
        ({"first_day": date(1, 1, 1), "count": 2}, ["time_out_of_range"]),
        ({"count": 2, "interval_weeks": 0}, ["bad_interval"]),
        ({"count": 2, "lesson_minutes": 14}, ["bad_lesson_minutes"]),
        ({"count": 2, "lesson_minutes": 241}, ["bad_lesson_minutes"]),
        ({"count": 2, "start_local": time(15, tzinfo=UTC)}, ["bad_local_time"]),
        ({"count": 2, "start_local": time(15, 0, 0, 1)}, ["bad_local_time"]),
    ],
)
def test_what_may_be_a_term(changed: dict[str, object], codes: list[str]) -> None:
    assert [each.code for each in term_problems(term(**changed))] == codes


def test_every_other_week_up_to_the_last_day() -> None:
    assert days_of(term(last_day=date(2026, 4, 7), interval_weeks=2)) == [FIRST, date(2026, 3, 23), date(2026, 4, 6)]


@given(st.integers(1, 60), st.integers(1, 2))
def test_a_count_and_the_last_day_it_reaches_are_the_same_term(count: int, interval: int) -> None:
    counted = days_of(term(count=count, interval_weeks=interval))

    assert len(counted) == count
    assert days_of(term(last_day=counted[-1], interval_weeks=interval)) == counted
    assert {day.weekday() for day in counted} == {0}


def test_the_longest_term_stays_below_sixty_dates() -> None:
    assert len(days_of(term(last_day=date.fromordinal(FIRST.toordinal() + DAYS_MAX)))) == 53


def test_the_wall_clock_decides_over_a_change_of_the_clocks() -> None:
    winter, summer = (occurrence(date(2026, 3, day), time(15), 60, BERLIN) for day in (23, 30))

    assert (winter.start_at, summer.start_at) == (
        datetime(2026, 3, 23, 14, tzinfo=UTC),
        datetime(2026, 3, 30, 13, tzinfo=UTC),
    )


def test_a_time_in_the_gap_does_not_exist_and_of_two_the_first_counts() -> None:
    gap = occurrence(date(2026, 3, 29), time(2, 30), 60, BERLIN)
    twice = occurrence(date(2026, 10, 25), time(2, 30), 60, BERLIN)

    assert (gap.start_at, gap.end_at) == (None, None)
    assert (twice.start_at, twice.end_at) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 6))
def test_another_weekday_is_in_the_same_week(day: date, weekday: int) -> None:
    there = in_the_week_of(day, weekday)

    assert there.weekday() == weekday
    assert there.isocalendar()[:2] == day.isocalendar()[:2]


@pytest.mark.parametrize(
    ("today", "first"),
    [
        (date(2026, 3, 1), date(2026, 3, 30)),
        (date(2026, 3, 30), date(2026, 3, 30)),
        (date(2026, 3, 31), date(2026, 4, 13)),
        (date(2026, 4, 13), date(2026, 4, 13)),
    ],
)
def test_more_follows_the_last_day_but_never_in_the_past(today: date, first: date) -> None:
    series = LessonSeries(last_day=date(2026, 3, 16), interval_weeks=2, start_local=time(15), lesson_minutes=60)

    assert more(series, today, last_day=None, count=2).first_day == first
