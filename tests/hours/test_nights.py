"""The nights on which clocks change, told from a teacher's hours to the slots that students are offered."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from tests.hours.conftest import give_hours, standing
from tests.hours.planning import window
from tests.world import World

SATURDAY, SUNDAY, MONDAY = 5, 6, 0


def night(
    db: Session, world: World, zone: str, eve: datetime, week: tuple[int, str, str, int]
) -> tuple[list[str], list[str]]:
    """The slots of the first such night after `eve`, as that clock shows them and in UTC; and what was skipped."""
    with clock.standing_at(eve):
        teacher = world.person("Nora", Role.TEACHER, timezone=zone)
        weekday, start, end, minutes = week
        plan = give_hours(world, window(weekday, start, end, minutes), teacher=teacher).plan
        soon = [each for each in standing(db) if (each.start_at - eve).days < 2]
    shown = [
        f"{each.start_at.astimezone(ZoneInfo(zone)):%H:%M%z}={each.start_at:%H:%M}-{each.end_at:%H:%M}" for each in soon
    ]
    return shown, [f"{each.local:%d %H:%M} {each.code}" for each in plan.skipped]


def test_berlin_in_spring_loses_the_hour_from_two(db: Session, world: World) -> None:
    eve = datetime(2027, 3, 27, 12, tzinfo=UTC)

    assert night(db, world, "Europe/Berlin", eve, (SUNDAY, "01:00", "05:00", 60)) == (
        ["01:00+0100=00:00-01:00", "03:00+0200=01:00-02:00", "04:00+0200=02:00-03:00"],
        ["28 02:00 no_such_local_time"],
    )


def test_berlin_in_autumn_takes_the_hour_from_two_once_and_rests_in_the_second(db: Session, world: World) -> None:
    eve = datetime(2027, 10, 30, 12, tzinfo=UTC)

    assert night(db, world, "Europe/Berlin", eve, (SUNDAY, "01:00", "04:00", 60)) == (
        ["01:00+0200=23:00-00:00", "02:00+0200=00:00-01:00", "03:00+0100=02:00-03:00"],
        [],
    )


def test_berlin_in_spring_has_too_few_minutes_for_a_long_lesson_over_the_change(db: Session, world: World) -> None:
    eve = datetime(2027, 3, 27, 12, tzinfo=UTC)

    assert night(db, world, "Europe/Berlin", eve, (SATURDAY, "23:00", "03:30", 120)) == (
        ["23:00+0100=22:00-00:00"],
        ["28 01:00 cut_by_clock_change"],
    )


def test_new_york_in_spring_and_in_autumn(db: Session, world: World) -> None:
    eve = datetime(2027, 3, 13, 18, tzinfo=UTC)

    assert night(db, world, "America/New_York", eve, (SUNDAY, "01:30", "04:30", 60)) == (
        ["01:30-0500=06:30-07:30", "03:30-0400=07:30-08:30"],
        ["14 02:30 no_such_local_time"],
    )


def test_new_york_in_autumn_runs_through_midnight_and_the_hour_that_comes_twice(db: Session, world: World) -> None:
    eve = datetime(2027, 11, 6, 18, tzinfo=UTC)

    assert night(db, world, "America/New_York", eve, (SATURDAY, "23:00", "03:00", 60)) == (
        ["23:00-0400=03:00-04:00", "00:00-0400=04:00-05:00", "01:00-0400=05:00-06:00", "02:00-0500=07:00-08:00"],
        [],
    )


def test_lord_howe_in_spring_is_half_an_hour_ahead(db: Session, world: World) -> None:
    eve = datetime(2026, 10, 3, 2, tzinfo=UTC)

    assert night(db, world, "Australia/Lord_Howe", eve, (SUNDAY, "01:00", "04:00", 30)) == (
        ["01:00+1030=14:30-15:00", "01:30+1030=15:00-15:30", "02:30+1100=15:30-16:00", "03:00+1100=16:00-16:30", "03:30+1100=16:30-17:00"],
        ["04 02:00 no_such_local_time"],
    )  # fmt: skip


def test_lord_howe_in_autumn_has_the_half_hour_before_two_twice(db: Session, world: World) -> None:
    eve = datetime(2027, 4, 3, 2, tzinfo=UTC)

    assert night(db, world, "Australia/Lord_Howe", eve, (SUNDAY, "01:00", "03:00", 30)) == (
        ["01:00+1100=14:00-14:30", "01:30+1100=14:30-15:00", "02:00+1030=15:30-16:00", "02:30+1030=16:00-16:30"],
        [],
    )


def test_sao_paulo_in_the_spring_of_2018_had_no_midnight(db: Session, world: World) -> None:
    eve = datetime(2018, 11, 3, 15, tzinfo=UTC)

    assert night(db, world, "America/Sao_Paulo", eve, (SATURDAY, "22:00", "02:00", 60)) == (
        ["22:00-0300=01:00-02:00", "23:00-0300=02:00-03:00", "01:00-0200=03:00-04:00"],
        ["04 00:00 no_such_local_time"],
    )


def test_sao_paulo_in_the_spring_of_2018_ends_at_the_midnight_that_was_none(db: Session, world: World) -> None:
    eve = datetime(2018, 11, 3, 15, tzinfo=UTC)

    assert night(db, world, "America/Sao_Paulo", eve, (SATURDAY, "22:00", "24:00", 60)) == (
        ["22:00-0300=01:00-02:00", "23:00-0300=02:00-03:00"],
        [],
    )


def test_sao_paulo_in_the_autumn_of_2018_had_the_hour_before_midnight_twice(db: Session, world: World) -> None:
    eve = datetime(2018, 2, 17, 15, tzinfo=UTC)

    assert night(db, world, "America/Sao_Paulo", eve, (SATURDAY, "22:00", "01:00", 60)) == (
        ["22:00-0200=00:00-01:00", "23:00-0200=01:00-02:00", "00:00-0300=03:00-04:00"],
        [],
    )


def test_samoa_had_no_30th_of_december_2011(db: Session, world: World) -> None:
    eve = datetime(2011, 12, 29, 22, tzinfo=UTC)  # noon of the 29th there

    assert night(db, world, "Pacific/Apia", eve, (3, "22:00", "03:00", 60)) == (
        ["22:00-1000=08:00-09:00", "23:00-1000=09:00-10:00"],
        ["30 00:00 no_such_local_time", "30 01:00 no_such_local_time", "30 02:00 no_such_local_time"],
    )


@pytest.mark.parametrize(
    ("eve", "hours"), [(datetime(2027, 3, 27, 12, tzinfo=UTC), 23), (datetime(2027, 10, 30, 12, tzinfo=UTC), 24)]
)
def test_a_whole_day_is_24_places_less_the_hour_that_is_none(
    db: Session, world: World, eve: datetime, hours: int
) -> None:
    """On the day of 25 hours the second pass of the hour that comes twice stays free."""
    assert len(night(db, world, "Europe/Berlin", eve, (SUNDAY, "00:00", "24:00", 60))[0]) == hours


def test_every_week_shows_the_same_hour_before_and_after_the_change(db: Session, world: World) -> None:
    eve = datetime(2027, 3, 15, 6, tzinfo=UTC)
    with clock.standing_at(eve):
        teacher = world.person("Nora", Role.TEACHER, timezone="Europe/Berlin")
        give_hours(world, window(MONDAY, "15:00", "16:00"), teacher=teacher)
        slots = standing(db)

    assert [f"{each.start_at:%d.%m. %H}" for each in slots][:4] == ["15.03. 14", "22.03. 14", "29.03. 13", "05.04. 13"]
    assert {(each.wall_start.hour, each.wall_zone) for each in slots if each.wall_start} == {(15, "Europe/Berlin")}
