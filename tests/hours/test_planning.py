"""The pure rule: weekly hours, absences and what stands become a plan. Tables, and properties over all zones there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guitaronline.scheduling import rules
from guitaronline.scheduling.planning import Absence, Plan, Standing, hours_problems, plan
from guitaronline.scheduling.rules import Window
from tests.hours.planning import (
    DAY,
    HOUR,
    LONG_AGO,
    ZONES,
    all_week,
    applied,
    nights,
    not_by_the_clock,
    not_this_long,
    overlapping,
    stands,
    window,
)

UTC_ZONE = ZoneInfo("UTC")
MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def planned(*windows: Window, days: int = 7, now: datetime = NOON - 12 * HOUR, **around: Any) -> Plan:
    last = MONDAY + timedelta(days=days - 1)
    return plan(windows, UTC_ZONE, first_day=MONDAY, last_day=last, now=now, **around)


def hours_made(made: Plan) -> list[int]:
    return [each.start_at.hour for each in made.make]


def why_skipped(made: Plan) -> list[tuple[int, str]]:
    return [(each.local.hour, each.code) for each in made.skipped]


def test_pauses_lie_between_lessons_and_after_the_last() -> None:
    made = planned(window(0, "10:00", "12:30", 45, 15)).make

    assert [f"{each.start_at:%H:%M}-{each.end_at:%H:%M}-{each.busy_until:%H:%M}" for each in made] == [
        "10:00-10:45-11:00",
        "11:00-11:45-12:00",
    ]


def test_several_lengths_stand_in_one_week() -> None:
    made = planned(
        window(0, "10:00", "11:00", 30), window(0, "11:00", "13:00", 60), window(2, "09:00", "10:30", 90)
    ).make

    assert [(each.start_at.day, (each.end_at - each.start_at).seconds // 60) for each in made] == [
        (2, 30), (2, 30), (2, 60), (2, 60), (4, 90),
    ]  # fmt: skip


def test_only_what_lies_ahead_is_made() -> None:
    assert hours_made(planned(window(0, "10:00", "14:00"), now=NOON)) == [13]
    assert planned(window(0, "10:00", "14:00"), now=NOON).skipped == []


def test_a_window_holds_from_its_first_day_to_its_last() -> None:
    week = window(0, "10:00", "11:00", valid_from=MONDAY + 7 * DAY, valid_until=MONDAY + 14 * DAY)

    assert [each.start_at.day for each in planned(week, days=28).make] == [9, 16]


def test_the_last_day_of_a_window_reaches_over_midnight() -> None:
    made = planned(window(6, "22:00", "02:00", 120, valid_until=date(2026, 3, 8)), days=21).make

    assert [f"{each.start_at:%d %H}" for each in made] == ["08 22", "09 00"]


def test_a_slot_that_is_asked_for_and_there_stays_whoever_made_it() -> None:
    there = stands(1, (NOON - 2 * HOUR, 60), "made_by_hand")

    made = planned(window(0, "10:00", "12:00"), standing=[there])

    assert (made.same, hours_made(made), made.kept) == ([there], [11], [])


def test_the_same_time_with_another_pause_is_another_slot() -> None:
    there = stands(1, (NOON - 2 * HOUR, 60), pause=15)

    made = planned(window(0, "10:00", "11:00", 60, 10), standing=[there])

    assert (made.remove, hours_made(made)) == ([there], [10])


def test_a_pause_that_the_clocks_push_into_the_next_window_costs_its_first_lesson() -> None:
    """In spring 02:00 to 03:00 is no time, so that the pause after 01:00 to 02:00 lasts until 04:00."""
    sunday = date(2027, 3, 28)
    week = [window(6, "01:00", "02:00", 60, 60), window(6, "03:00", "05:00")]

    made = plan(week, ZoneInfo("Europe/Berlin"), first_day=sunday, last_day=sunday, now=LONG_AGO)

    assert [each.local.hour for each in made.make] == [1, 4]
    assert why_skipped(made) == [(3, "cut_by_clock_change")]


def test_a_free_slot_of_another_wall_clock_is_made_anew() -> None:
    there = replace(stands(1, (NOON, 60)), wall=(NOON.replace(tzinfo=None) + HOUR, "Europe/Berlin"))

    made = planned(window(0, "12:00", "13:00"), standing=[there])
    with_booking = planned(window(0, "12:00", "13:00"), standing=[replace(there, stays_because="occupied")])

    assert (made.remove, hours_made(made)) == ([there], [12])
    assert (with_booking.remove, with_booking.make, len(with_booking.same)) == ([], [], 1)


@pytest.mark.parametrize("because", ["made_by_hand", "blocked", "occupied"])
def test_what_must_stay_keeps_others_away_up_to_the_end_of_its_pause(because: str) -> None:
    there = stands(1, (NOON - HOUR, 30), because, pause=45)

    made = planned(window(0, "10:00", "14:00"), standing=[there])

    assert (made.kept, made.remove) == ([there], [])
    assert hours_made(made) == [10, 13]
    assert why_skipped(made) == [(11, "overlaps_slot"), (12, "overlaps_slot")]


def test_the_pause_of_a_new_slot_keeps_clear_of_what_stands() -> None:
    there = stands(1, (NOON - HOUR, 60), "occupied")

    assert hours_made(planned(window(0, "10:00", "11:00", 60, 1), standing=[there])) == []
    assert hours_made(planned(window(0, "10:00", "11:00", 60, 0), standing=[there])) == [10]


def test_what_nobody_asks_for_and_nobody_needs_goes() -> None:
    there = stands(1, (NOON, 60))

    assert planned(standing=[there]).remove == [there]


def test_a_lesson_that_touches_an_absence_is_not_made_and_one_beside_it_is() -> None:
    away = Absence(NOON - HOUR, NOON + 30 * timedelta(minutes=1), "time_off", "The teacher is away.")

    made = planned(window(0, "10:00", "14:00"), absences=[away])

    assert (hours_made(made), why_skipped(made)) == ([10, 13], [(11, "time_off"), (12, "time_off")])


def test_a_free_slot_inside_an_absence_goes_and_an_occupied_one_stays() -> None:
    free, booked = stands(1, (NOON, 60)), stands(2, (NOON + HOUR, 60), "occupied")
    closed = Absence(NOON - HOUR, NOON + DAY, "closure", "The school is closed: Carnival.")

    made = planned(window(0, "12:00", "14:00"), absences=[closed], standing=[free, booked])

    assert (made.remove, made.kept, made.make) == ([free], [booked], [])


def test_new_days_are_added_and_nothing_goes() -> None:
    other, in_the_way = stands(1, (NOON - 6 * HOUR, 60)), stands(2, (NOON - HOUR, 30))

    made = planned(window(0, "10:00", "13:00"), standing=[other, in_the_way], is_whole=False)

    assert (made.remove, made.kept, hours_made(made)) == ([], [], [10, 12])
    assert not made.is_settled


@pytest.mark.parametrize(
    ("because", "is_settled"), [("made_by_hand", True), ("begun", True), ("occupied", False), ("blocked", False)]
)
def test_a_plan_is_settled_unless_something_stands_only_for_now(because: str, is_settled: bool) -> None:
    assert planned(standing=[stands(1, (NOON, 60), because)]).is_settled is is_settled


MORNING = window(0, "09:00", "12:00")
PROBLEMS: list[tuple[list[Window], list[tuple[str, str]]]] = [
    ([], []),
    ([MORNING, window(0, "12:00", "13:00")], []),
    ([MORNING, window(1, "09:00", "12:00")], []),
    ([MORNING, window(0, "11:00", "13:00")], [("/windows/1/start_local", "windows_overlap")]),
    ([window(0, "11:00", "13:00"), MORNING], [("/windows/1/start_local", "windows_overlap")]),
    ([MORNING, MORNING], [("/windows/1/start_local", "windows_overlap")]),
    ([window(0, "22:00", "02:00"), window(1, "01:00", "03:00")], [("/windows/1/start_local", "windows_overlap")]),
    ([window(0, "22:00", "02:00"), window(1, "02:00", "03:00")], []),
    ([window(0, "01:00", "03:00"), window(6, "22:00", "02:00")], [("/windows/1/start_local", "windows_overlap")]),
    ([window(6, "22:00", "24:00"), window(0, "00:00", "03:00")], []),
    # the pause after the last lesson
    ([window(0, "09:00", "12:00", 60, 15), window(0, "12:00", "13:00")], []),
    ([window(0, "09:00", "11:15", 60, 15), window(0, "11:15", "13:00", 30)], [("/windows/0/buffer_minutes", "pause_overlaps")]),
    ([window(0, "13:00", "14:00"), window(0, "12:00", "13:00", 60, 5)], [("/windows/1/buffer_minutes", "pause_overlaps")]),
    ([window(6, "23:00", "24:00", 60, 10), window(0, "00:00", "01:00")], [("/windows/0/buffer_minutes", "pause_overlaps")]),
    # on days on which both hold
    ([window(0, "09:00", "12:00", valid_until=MONDAY), window(0, "09:00", "12:00", valid_from=MONDAY + DAY)], []),
    ([window(0, "09:00", "12:00", valid_until=MONDAY), window(0, "09:00", "12:00", valid_from=MONDAY)], [("/windows/1/start_local", "windows_overlap")]),
    # the ranges meet, but on no Monday
    ([window(0, "09:00", "12:00", valid_until=MONDAY + 3 * DAY), window(0, "09:00", "12:00", valid_from=MONDAY + DAY)], []),
    # the ranges do not meet, the night does
    ([window(0, "22:00", "02:00", valid_until=MONDAY), window(1, "01:00", "02:00", valid_from=MONDAY + DAY)], [("/windows/1/start_local", "windows_overlap")]),
    # field by field
    ([window(0, "09:00", "12:00", 0)], [("/windows/0/lesson_minutes", "bad_lesson_minutes")]),
    ([MORNING, window(1, "09:00", "20:00", 540)], [("/windows/1/lesson_minutes", "bad_lesson_minutes")]),
    ([window(0, "09:00", "12:00", 60, -1)], [("/windows/0/buffer_minutes", "bad_buffer_minutes")]),
    ([window(7, "09:00", "12:00")], [("/windows/0/weekday", "bad_weekday")]),
    ([window(0, "09:00", "09:00")], [("/windows/0/end_local", "empty_window")]),
    ([window(0, "09:00", "09:59")], [("/windows/0/end_local", "window_too_short")]),
    ([window(0, "09:00", "12:00", valid_from=date.max)], [("/windows/0/valid_from", "time_out_of_range")]),
    ([window(0, "09:00", "12:00", valid_from=MONDAY, valid_until=MONDAY - DAY)], [("/windows/0/valid_until", "days_reversed")]),
    ([window(0, "09:00", "12:00", valid_from=MONDAY + DAY, valid_until=MONDAY + 6 * DAY)], [("/windows/0/valid_until", "never_holds")]),
    ([Window(frozenset(), time(9), time(10), 60)], [("/windows/0/weekday", "bad_weekday")]),
    ([MORNING] * 101, [("/windows", "too_many_windows")]),
]  # fmt: skip


@pytest.mark.parametrize(("windows", "found"), PROBLEMS)
def test_hours_that_cannot_be_a_week_are_told_field_by_field(
    windows: list[Window], found: list[tuple[str, str]]
) -> None:
    assert [(each.pointer, each.code) for each in hours_problems(windows)] == found


def test_ten_thousand_windows_are_one_problem() -> None:
    assert [each.code for each in hours_problems([MORNING] * 10_000)] == ["too_many_windows"]


# Properties: any week without problems, any zone, above all around the nights on which its clocks change.
quarters = st.integers(0, 95).map(lambda number: time(number // 4, number % 4 * 15))
weeks = st.lists(
    st.builds(
        Window,
        st.integers(0, 6).map(lambda weekday: frozenset([weekday])),
        quarters,
        quarters,
        st.sampled_from([15, 30, 45, 50, 60, 90, 240]),
        st.sampled_from([0, 0, 5, 15, 60]),
    ),
    min_size=1,
    max_size=8,
).filter(lambda windows: not hours_problems(windows))
zones = st.sampled_from(ZONES)


@st.composite
def days(draw: st.DrawFn, name: str) -> date:
    """A day some nights before the clocks change, where they ever do."""
    strange = nights(name)
    day = draw(st.sampled_from(strange)) if strange else draw(st.dates(date(2005, 1, 3), date(2027, 1, 1)))
    return day - draw(st.integers(0, 6)) * DAY


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Window], ZoneInfo, date, datetime]:
    name = draw(zones)
    day = draw(days(name))
    now = datetime.combine(day, time(), UTC) + draw(st.integers(-48 * 60, 48 * 60)) * timedelta(minutes=1)
    return draw(weeks), ZoneInfo(name), day, draw(st.sampled_from([now, LONG_AGO]))


@st.composite
def slots(draw: st.DrawFn, day: date) -> list[Standing]:
    """Slots that stand around then, none overlapping another."""
    free_from, found = datetime.combine(day, time(), UTC) - DAY, []
    for number in range(draw(st.integers(0, 8))):
        start = free_from + draw(st.integers(0, 30 * 4)) * timedelta(minutes=15)
        minutes, pause = draw(st.sampled_from([15, 60, 240])), draw(st.sampled_from([0, 10]))
        because = draw(st.sampled_from([None, None, "occupied", "blocked", "made_by_hand"]))
        found.append(stands(number, (start, minutes), because, pause=pause))
        free_from = found[-1].busy_until
    return found


def over(life: tuple[list[Window], ZoneInfo, date, datetime], **around: Any) -> Plan:
    windows, zone, day, now = life
    return plan(windows, zone, first_day=day, last_day=day + 8 * DAY, now=now, **around)


@given(lives())
@settings(max_examples=250, deadline=None)
def test_no_lesson_overlaps_another_and_each_starts_by_the_wall_clock(
    life: tuple[list[Window], ZoneInfo, date, datetime],
) -> None:
    made = over(life)

    assert overlapping(applied(made)) == []
    assert not_by_the_clock(made.make, life[1]) == []
    assert [each for each in made.make if each.start_at <= life[3]] == []


@given(st.data(), lives())
@settings(max_examples=150, deadline=None)
def test_a_plan_that_was_carried_out_asks_for_nothing_more(
    data: st.DataObject, life: tuple[list[Window], ZoneInfo, date, datetime]
) -> None:
    day = life[2]
    standing = data.draw(slots(day))
    starts = datetime.combine(day, time(), UTC) + data.draw(st.integers(0, 200)) * HOUR
    away = [Absence(starts, starts + data.draw(st.integers(1, 90)) * HOUR, "time_off", "The teacher is away.")]

    first = over(life, standing=standing, absences=away)
    again = over(life, standing=applied(first), absences=away)

    assert overlapping(applied(first)) == []
    assert (again.make, again.remove) == ([], [])
    assert again.skipped == first.skipped
    kept = {each.slot_id for each in [*first.same, *first.kept]}
    assert {each.slot_id for each in standing if each.stays_because} <= kept


@given(lives(), st.integers(0, 7))
@settings(max_examples=120, deadline=None)
def test_days_added_one_after_the_other_come_to_the_same_as_all_at_once(
    life: tuple[list[Window], ZoneInfo, date, datetime], split: int
) -> None:
    windows, zone, day, now = life
    last = day + 8 * DAY

    before = plan(windows, zone, first_day=day, last_day=day + split * DAY, now=now)
    added = plan(
        windows,
        zone,
        first_day=day + (split + 1) * DAY,
        last_day=last,
        now=now,
        standing=applied(before),
        is_whole=False,
    )

    whole = over(life)
    assert sorted(each.start_at for each in [*before.make, *added.make]) == [each.start_at for each in whole.make]


@given(zones, st.data(), st.sampled_from([15, 45, 60, 90]), st.sampled_from([0, 15]))
@settings(max_examples=150, deadline=None)
def test_every_place_of_the_wall_clock_is_made_or_told_and_takes_its_real_minutes(
    name: str, data: st.DataObject, minutes: int, pause: int
) -> None:
    day = data.draw(days(name))
    week = all_week("00:00", "24:00", minutes, pause)

    made = plan(week, ZoneInfo(name), first_day=day, last_day=day, now=LONG_AGO)

    places = (24 * 60 - minutes) // (minutes + pause) + 1
    assert len(made.make) + len(made.skipped) == places
    assert not_this_long(made.make, minutes, pause) == []
    assert {each.code for each in made.skipped} <= {"no_such_local_time", "cut_by_clock_change"}


@given(zones, st.dates(date(2005, 1, 3), date(2027, 1, 1)), weeks)
@settings(max_examples=120, deadline=None)
def test_on_ordinary_days_nothing_is_lost(name: str, day: date, windows: list[Window]) -> None:
    assume(not [each for each in nights(name) if -2 * DAY <= each - day <= 9 * DAY])

    made = plan(windows, ZoneInfo(name), first_day=day, last_day=day + 6 * DAY, now=LONG_AGO)

    assert made.skipped == []
    assert len(made.make) == sum(len(rules.cut(each, day, day + 6 * DAY, UTC_ZONE)[0]) for each in windows)


def test_on_every_night_on_which_clocks_change_anywhere_no_lesson_overlaps_and_each_is_by_the_clock() -> None:
    week = all_week("22:30", "06:00", 45, 15) + all_week("06:00", "22:30", 45, 15)
    assert wrong_nights(week) == []


def wrong_nights(week: list[Window]) -> list[tuple[str, date]]:
    """(zone, day) on which something is wrong, over all zones."""
    found = []
    for name in ZONES:
        zone = ZoneInfo(name)
        for day in nights(name, datetime(2025, 7, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)):
            made = plan(week, zone, first_day=day - DAY, last_day=day, now=LONG_AGO)
            if overlapping(applied(made)) or any(
                each.start_at.astimezone(zone).replace(tzinfo=None, fold=0) != each.local for each in made.make
            ):
                found.append((name, day))
    return found


@given(zones, st.datetimes(datetime(2005, 1, 1), datetime(2028, 1, 1)), st.data())  # noqa: DTZ001
@settings(max_examples=250, deadline=None)
def test_the_next_day_begins_ahead_and_within_two_days(name: str, moment: datetime, data: st.DataObject) -> None:
    strange = nights(name)
    around = datetime.combine(data.draw(st.sampled_from(strange)), time(), UTC) if strange else None
    spread = data.draw(st.integers(-20 * 60, 30 * 60)) * timedelta(minutes=1)
    now = around + spread if around and data.draw(st.booleans()) else moment.replace(tzinfo=UTC)
    zone = ZoneInfo(name)

    begins = rules.next_day_begins(now, zone)

    assert now < begins <= now + timedelta(hours=49)
    assert begins.astimezone(zone).date() > now.astimezone(zone).date() or begins.astimezone(zone).fold == 1
