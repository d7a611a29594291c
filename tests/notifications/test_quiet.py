"""Quiet hours: what can wait does, on the clock of whoever gets it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

import config
from guitaronline.notifications.quiet import QuietHours, after_quiet, around_quiet, read_quiet_hours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(21), time(8))
NOON_REST = QuietHours(time(13), time(15))


def berlin(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (berlin(27, 20, 59), berlin(27, 20, 59)),
        (berlin(27, 21), berlin(28, 8)),
        (berlin(28, 0, 30), berlin(28, 8)),
        (berlin(28, 7, 59), berlin(28, 8)),
        (berlin(28, 8), berlin(28, 8)),
    ],
)
def test_what_can_wait_goes_at_the_end_of_the_night(moment: datetime, expected: datetime) -> None:
    assert after_quiet(moment, BERLIN, NIGHT, latest=None) == expected


def test_the_night_is_that_of_the_reader() -> None:
    moment = berlin(27, 22)

    assert after_quiet(moment, ZoneInfo("America/New_York"), NIGHT, latest=None) == moment
    assert after_quiet(moment, ZoneInfo("Asia/Tokyo"), NIGHT, latest=None) == datetime(2026, 11, 27, 23, tzinfo=UTC)


def test_where_the_morning_is_too_late_it_goes_at_once() -> None:
    moment = berlin(27, 22)

    assert after_quiet(moment, BERLIN, NIGHT, latest=berlin(28, 8, 29)) == moment
    assert after_quiet(moment, BERLIN, NIGHT, latest=berlin(28, 8, 30)) == berlin(28, 8)


def test_a_reminder_for_which_the_morning_is_too_late_goes_the_evening_before() -> None:
    due, starts = berlin(28, 5, 30), berlin(28, 7, 30)

    assert around_quiet(due, BERLIN, NIGHT, latest=starts) == berlin(27, 21)
    assert around_quiet(due, BERLIN, NIGHT, latest=berlin(28, 9)) == berlin(28, 8)


def test_the_night_on_which_the_clocks_change_ends_at_eight_all_the_same() -> None:
    """2026-10-25: Berlin has 02:00 twice; the night is an hour longer."""
    moment = berlin(24, 22, month=10)

    end = after_quiet(moment, BERLIN, NIGHT, latest=None)

    assert end.astimezone(BERLIN).time() == time(8)
    assert end - moment == timedelta(hours=11)


def test_quiet_hours_need_no_midnight() -> None:
    assert after_quiet(berlin(27, 13, 30), BERLIN, NOON_REST, latest=None) == berlin(27, 15)
    assert after_quiet(berlin(27, 15), BERLIN, NOON_REST, latest=None) == berlin(27, 15)
    assert (NOON_REST.length, NIGHT.length) == (timedelta(hours=2), timedelta(hours=11))


def test_nobody_has_any_when_there_are_none() -> None:
    assert read_quiet_hours("off") is None
    assert after_quiet(berlin(27, 23), BERLIN, None, latest=None) == berlin(27, 23)


def test_they_are_read_as_they_are_written() -> None:
    assert read_quiet_hours("21:00-08:00") == NIGHT


@pytest.mark.parametrize("written", ["21-8", "25:00-08:00", "21:00-21:00", "21:00 - 08:00", "٢١:00-08:00"])
def test_what_cannot_be_read_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="two times of day"):
        read_quiet_hours(written)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUIET_HOURS", "21-8"),
        ("QUIET_HOURS", "08:00-08:00"),
        ("REMINDER_HOURS", "48, 2"),
        ("REMINDER_HOURS", "0"),
        ("REMINDER_HOURS", "1,2,3,4,5,6"),
    ],
)
def test_a_setting_that_cannot_be_read_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(config.BadConfig, match=f"{name}="):
        config.load({name: value})


@pytest.mark.parametrize(("quiet", "hours"), [("off", "off"), ("22:30-06:00", "72,24,2")])
def test_settings_that_can_be_read_are_taken(quiet: str, hours: str) -> None:
    settings = config.load({"QUIET_HOURS": quiet, "REMINDER_HOURS": hours})

    assert (settings.QUIET_HOURS, settings.REMINDER_HOURS) == (quiet, hours)
