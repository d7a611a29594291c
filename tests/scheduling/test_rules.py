"""Wall clock to UTC, the nights the clocks change, and what may be a slot."""

# ruff: noqa: DTZ001  # what a wall clock shows has no zone

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guitaronline.scheduling.rules import Window, cut, end_utc, local_to_utc, slot_problems, wall_clock, window_problems

BERLIN = ZoneInfo("Europe/Berlin")  # clocks go forward 2027-03-28 02:00 → 03:00 and back 2027-10-31 03:00 → 02:00
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
EVERY_DAY = frozenset(range(7))
ZONES = sorted(
    name for name in available_timezones() if not name.startswith(("Etc/", "posix/", "right/")) and name != "localtime"
)
walls = st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2090, 12, 31)).map(
    lambda wall: wall.replace(microsecond=0)
)
zones = st.sampled_from(ZONES).map(ZoneInfo)


def window(start: str, end: str, minutes: int = 60, pause: int = 0, weekdays: frozenset[int] = EVERY_DAY) -> Window:
    return Window(weekdays, wall_clock(start), wall_clock(end, is_end=True), minutes, pause)


def starts(cut_window: Window, day: date, zone: ZoneInfo = BERLIN) -> list[str]:
    planned, _ = cut(cut_window, day, day, zone)
    return [f"{place.start_at:%d %H:%M}" for place in planned]


def codes(problems: list) -> list[str]:
    return sorted(problem.code for problem in problems)


@given(walls, zones)
@settings(max_examples=400, deadline=None)
def test_a_wall_time_is_the_first_moment_at_which_that_clock_shows_it(wall: datetime, zone: ZoneInfo) -> None:
    moment = local_to_utc(wall, zone)

    candidates = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    showing = [each for each in candidates if each.astimezone(zone).replace(tzinfo=None) == wall]
    assert moment == (min(showing) if showing else None)


@given(st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2090, 12, 31)), zones)
@settings(max_examples=400, deadline=None)
def test_every_moment_is_found_again_unless_its_wall_time_came_before(moment: datetime, zone: ZoneInfo) -> None:
    utc = moment.replace(microsecond=0, tzinfo=UTC)
    local = utc.astimezone(zone)

    found = local_to_utc(local.replace(tzinfo=None, fold=0), zone)

    assert found is not None
    assert found == utc if local.fold == 0 else found < utc


@given(walls, walls, zones)
@settings(max_examples=200, deadline=None)
def test_the_end_of_a_window_never_runs_backwards(one: datetime, other: datetime, zone: ZoneInfo) -> None:
    first, last = sorted((one, other))

    assert end_utc(first, zone) <= end_utc(last, zone)


@given(
    zones,
    st.dates(min_value=date(2025, 1, 1), max_value=date(2040, 12, 31)),
    st.times().map(lambda wall: wall.replace(second=0, microsecond=0)),
    st.times().map(lambda wall: wall.replace(second=0, microsecond=0)),
    st.integers(15, 240),
    st.integers(0, 60),
)
@settings(max_examples=200, deadline=None)
def test_what_is_cut_lies_in_the_window_and_keeps_its_length_and_pauses(
    zone: ZoneInfo, day: date, start: time, end: time, minutes: int, pause: int
) -> None:
    planned, skipped = cut(Window(EVERY_DAY, start, end, minutes, pause), day, day + timedelta(days=2), zone)

    assert all(place.end_at - place.start_at == timedelta(minutes=minutes) for place in planned)
    assert all(place.start_at.astimezone(zone).replace(tzinfo=None, fold=0) == place.local for place in planned)
    assert all(before.end_at <= after.start_at for before, after in pairwise(planned))
    assert {each.code for each in skipped} <= {"no_such_local_time", "cut_by_clock_change"}


@given(zones, st.dates(min_value=date(2025, 1, 1), max_value=date(2040, 12, 31)))
@settings(max_examples=100, deadline=None)
def test_a_whole_day_of_quarters_covers_what_that_day_really_has_but_the_repeated_hour(
    zone: ZoneInfo, day: date
) -> None:
    planned, skipped = cut(window("00:00", "24:00", 15), day, day, zone)

    assert len(planned) + len(skipped) == 96
    assert len({place.start_at for place in planned}) == len(planned)


def test_an_ordinary_day_is_cut_with_pauses() -> None:
    assert starts(window("09:00", "12:00", 45, 15), date(2027, 1, 4)) == ["04 08:00", "04 09:00", "04 10:00"]


def test_a_lesson_that_ends_with_the_window_fits_and_one_that_ends_later_does_not() -> None:
    assert starts(window("09:00", "10:30", 45), date(2027, 1, 4)) == ["04 08:00", "04 08:45"]
    assert starts(window("09:00", "10:29", 45), date(2027, 1, 4)) == ["04 08:00"]


def test_in_spring_the_hour_that_does_not_exist_is_skipped_and_reported() -> None:
    planned, skipped = cut(window("01:00", "05:00"), date(2027, 3, 28), date(2027, 3, 28), BERLIN)

    assert [f"{place.start_at:%H:%M}" for place in planned] == ["00:00", "01:00", "02:00"]
    assert [(each.local, each.code) for each in skipped] == [(datetime(2027, 3, 28, 2), "no_such_local_time")]


def test_in_spring_a_lesson_that_would_begin_before_the_last_one_ends_is_skipped_and_reported() -> None:
    planned, skipped = cut(window("01:00", "07:00", 120), date(2027, 3, 28), date(2027, 3, 28), BERLIN)

    assert [place.local.hour for place in planned] == [1, 5]
    assert [(each.local.hour, each.code) for each in skipped] == [(3, "cut_by_clock_change")]


def test_in_spring_a_window_that_lost_its_hour_holds_only_the_real_minutes() -> None:
    planned, skipped = cut(window("01:00", "03:00", 120), date(2027, 3, 28), date(2027, 3, 28), BERLIN)

    assert planned == []
    assert [each.code for each in skipped] == ["cut_by_clock_change"]


def test_in_spring_a_window_that_ends_in_the_gap_ends_with_the_change() -> None:
    assert end_utc(datetime(2027, 3, 28, 2, 30), BERLIN) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert starts(window("01:00", "02:30"), date(2027, 3, 28)) == ["28 00:00"]


def test_in_autumn_the_hour_that_comes_twice_is_taken_once_the_first() -> None:
    assert starts(window("01:00", "05:00"), date(2027, 10, 31)) == ["30 23:00", "31 00:00", "31 02:00", "31 03:00"]


def test_in_autumn_a_lesson_over_the_change_lasts_its_real_minutes() -> None:
    planned, _ = cut(window("02:30", "04:00", 90), date(2027, 10, 31), date(2027, 10, 31), BERLIN)

    assert [(place.start_at, place.end_at) for place in planned] == [
        (datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 2, tzinfo=UTC))
    ]


def test_a_window_may_cross_midnight_and_belongs_to_the_day_on_which_it_starts() -> None:
    sunday = frozenset({6})
    planned, _ = cut(window("22:00", "02:00", 60, weekdays=sunday), date(2027, 1, 3), date(2027, 1, 4), BERLIN)

    assert [f"{place.start_at:%d %H}" for place in planned] == ["03 21", "03 22", "03 23", "04 00"]


def test_a_window_may_end_at_24_00() -> None:
    assert starts(window("22:00", "24:00"), date(2027, 1, 4)) == ["04 21:00", "04 22:00"]
    assert len(starts(window("00:00", "24:00"), date(2027, 1, 4))) == 24


def test_a_day_that_a_country_left_out_gives_nothing_and_says_so() -> None:
    planned, skipped = cut(window("09:00", "11:00"), date(2011, 12, 30), date(2011, 12, 30), ZoneInfo("Pacific/Apia"))

    assert planned == []
    assert [each.code for each in skipped] == ["no_such_local_time"] * 2


@pytest.mark.parametrize("text", ["24:00", "9:00", "09:60", "0900", "", "٠٩:00", "09:00:00"])
def test_a_time_of_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time of day"):
        wall_clock(text)


@pytest.mark.parametrize(
    ("start", "seconds", "wrong"),
    [
        (NOW + timedelta(seconds=1), 900, []),
        (NOW + timedelta(hours=1), 14_400, []),
        (NOW + timedelta(hours=1), 899, ["slot_too_short"]),
        (NOW + timedelta(hours=1), 14_401, ["slot_too_long"]),
        (NOW + timedelta(hours=1), -3600, ["slot_too_short"]),
        (NOW, 3600, ["slot_in_the_past"]),
        (NOW - timedelta(days=1), 300, ["slot_in_the_past", "slot_too_short"]),
        (NOW + timedelta(hours=1, microseconds=1), 3600, ["not_whole_seconds", "not_whole_seconds"]),
        (datetime(9998, 12, 31, 22, tzinfo=UTC), 3600, []),
        (datetime(9998, 12, 31, 23, 30, tzinfo=UTC), 3600, ["time_out_of_range"]),
        (datetime(9998, 12, 31, 22, 30, tzinfo=timezone(-timedelta(hours=2))), 3600, ["time_out_of_range"] * 2),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), 3600, ["time_out_of_range"] * 2),
        (datetime(2027, 1, 1, 10), 3600, ["naive_time"] * 2),
    ],
)  # fmt: skip
def test_a_slot_is_15_to_240_minutes_in_the_future_in_whole_seconds(
    start: datetime, seconds: int, wrong: list[str]
) -> None:
    assert codes(slot_problems(start, start + timedelta(seconds=seconds), NOW)) == wrong


def test_the_largest_time_there_is_is_refused_and_not_tripped_over() -> None:
    assert (
        codes(slot_problems(datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), NOW))
        == ["time_out_of_range"] * 2
    )


@pytest.mark.parametrize(
    ("asked", "first", "last", "wrong"),
    [
        (window("09:00", "12:00"), date(2027, 1, 1), date(2028, 1, 1), []),
        (window("09:00", "12:00"), date(2027, 1, 1), date(2028, 1, 2), ["too_many_days"]),
        (window("09:00", "12:00"), date(2027, 1, 2), date(2027, 1, 1), ["days_reversed"]),
        (window("09:00", "12:00"), date.max, date.max, ["time_out_of_range"]),
        (window("09:00", "12:00", weekdays=frozenset()), date(2027, 1, 1), date(2027, 1, 1), ["bad_weekdays"]),
        (window("09:00", "12:00", weekdays=frozenset({7})), date(2027, 1, 1), date(2027, 1, 1), ["bad_weekdays"]),
        (window("09:00", "09:59"), date(2027, 1, 1), date(2027, 1, 1), ["window_too_short"]),
        (window("09:00", "09:00"), date(2027, 1, 1), date(2027, 1, 1), ["empty_window"]),
        (window("09:00", "12:00", 14, -1), date(2027, 1, 1), date(2027, 1, 1), ["bad_buffer_minutes", "bad_lesson_minutes"]),
        (window("09:00", "12:00", 241, 241), date(2027, 1, 1), date(2027, 1, 1), ["bad_buffer_minutes", "bad_lesson_minutes"]),
        (Window(EVERY_DAY, time(9, 0, 0, 1), time(12), 60), date(2027, 1, 1), date(2027, 1, 1), ["bad_local_time"]),
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_cut_names_every_reason(
    asked: Window, first: date, last: date, wrong: list[str]
) -> None:
    assert codes(window_problems(asked, first, last)) == wrong
