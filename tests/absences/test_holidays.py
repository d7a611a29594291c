"""A calendar file of public holidays is read as it is meant, and imported as often as one likes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.booking.absences import cancel_closure
from guitaronline.booking.holidays import Imported, Standing, import_closures, judge_holidays
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.scheduling.holidays import CalendarUnreadable, Found, Holiday, read_calendar
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure
from tests.booking.conftest import refused
from tests.world import World, as_actor

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def calendar(*events: str) -> bytes:
    body = "".join(
        f"BEGIN:VEVENT\r\n{each.strip().replace(chr(10), chr(13) + chr(10))}\r\nEND:VEVENT\r\n" for each in events
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{body}END:VCALENDAR\r\n".encode()


def event(days: str, *, uid: str = "one@holidays.example", name: str = "New Year") -> str:
    return f"UID:{uid}\nSUMMARY:{name}\n{days}"


def read(*events: str) -> Found:
    return read_calendar(calendar(*events), today=TODAY)


def days(found: Found) -> list[tuple[date, date]]:
    assert found.unusable == []
    return [(each.first_day, each.last_day) for each in found.holidays]


def why(found: Found) -> str:
    assert found.holidays == []
    return found.unusable[0].why


@pytest.mark.parametrize(
    ("given_days", "first", "last"),
    [
        ("DTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20270102", date(2027, 1, 1), date(2027, 1, 1)),
        ("DTSTART;VALUE=DATE:20270101", date(2027, 1, 1), date(2027, 1, 1)),
        ("DTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20270101", date(2027, 1, 1), date(2027, 1, 1)),
        ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270103", date(2026, 12, 24), date(2027, 1, 2)),
        ("DTSTART;VALUE=DATE:20261224\nDURATION:P3D", date(2026, 12, 24), date(2026, 12, 26)),
        ("DTSTART;VALUE=DATE:20261224\nDURATION:P1W", date(2026, 12, 24), date(2026, 12, 30)),
        ("DTSTART;VALUE=DATE:20261120\nDTEND;VALUE=DATE:20261124", date(2026, 11, 20), date(2026, 11, 23)),
    ],
)
def test_whole_days_are_read_and_the_end_is_the_day_after(given_days: str, first: date, last: date) -> None:
    assert days(read(event(given_days))) == [(first, last)]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (event("DTSTART:20270101T090000Z\nDTEND:20270101T100000Z"), "time of day"),
        (event("DTSTART;TZID=Europe/Berlin:20270101T000000"), "time of day"),
        (event("DTSTART;VALUE=DATE:20270101\nDTEND:20270101T100000Z"), "time of day"),
        (event("DTSTART;VALUE=DATE:20270105\nDTEND;VALUE=DATE:20270101"), "ends before it starts"),
        (event("DTSTART;VALUE=DATE:20270101\nDURATION:PT5H"), "whole days"),
        (event("DTSTART;VALUE=DATE:20271399"), "cannot be read"),
        (event("DTSTART;VALUE=DATE:20270101\nDTSTART;VALUE=DATE:20270102"), "twice"),
        (event("DESCRIPTION:nothing"), "DTSTART is missing"),
        (event("DTSTART;VALUE=DATE:20200101"), "It is over"),
        (event("DTSTART;VALUE=DATE:99991231\nDURATION:P9999999D"), "too many or too far"),
        (event("DTSTART;VALUE=DATE:20270101\nSTATUS:CANCELLED"), "canceled in the calendar"),
        (event("DTSTART;VALUE=DATE:20270101\nRECURRENCE-ID;VALUE=DATE:20270101"), "single days"),
        (event("DTSTART;VALUE=DATE:20270101", uid=""), "no UID"),
        (event("DTSTART;VALUE=DATE:20270101", uid="x" * 250), "no UID"),
        (event("DTSTART;VALUE=DATE:20270101", name=""), "no name"),
        (event("DTSTART;VALUE=DATE:20270101", name="a\x00b"), "no name"),
        (event("DTSTART;VALUE=DATE:20270101", name="x" * 201), "no name"),
        (event("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=WEEKLY"), "repeats in a way"),
        (event("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=YEARLY;BYDAY=1MO"), "repeats in a way"),
        (event("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=YEARLY;BYMONTH=2"), "repeats in a way"),
        (event("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=YEARLY;INTERVAL=0"), "repeats in a way"),
        (event("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=NEVER"), "RRULE"),
        (event("DTSTART;VALUE=DATE:20100101\nRRULE:FREQ=YEARLY;COUNT=3"), "does not come again"),
        (event("DTSTART;VALUE=DATE:20400101\nRRULE:FREQ=YEARLY"), "does not come again"),
    ],
)
def test_what_cannot_be_used_is_said(said: str, words: str) -> None:
    assert words in why(read(said))


@pytest.mark.parametrize(
    ("rule", "years"),
    [
        ("FREQ=YEARLY", [2026, 2027]),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25", [2026, 2027]),
        ("FREQ=YEARLY;UNTIL=20261231", [2026]),
        ("FREQ=YEARLY;UNTIL=20271231T000000Z", [2026, 2027]),
        ("FREQ=YEARLY;COUNT=8", [2026, 2027]),
        ("FREQ=YEARLY;COUNT=7", [2026]),
        ("FREQ=YEARLY;INTERVAL=2", [2026]),
        ("FREQ=YEARLY;WKST=MO\nEXDATE;VALUE=DATE:20261225", [2027]),
    ],
)
def test_yearly_events_are_told_for_two_years(rule: str, years: list[int]) -> None:
    found = read(event(f"DTSTART;VALUE=DATE:20201225\nRRULE:{rule}"))

    assert days(found) == [(date(year, 12, 25),) * 2 for year in years]
    assert [each.uid for each in found.holidays] == [f"one@holidays.example#{year}-12-25" for year in years]


def test_a_leap_day_comes_when_there_is_one() -> None:
    leap = event("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY")

    assert days(read_calendar(calendar(leap), today=date(2027, 1, 1))) == [(date(2028, 2, 29),) * 2]


def test_a_uid_that_stands_twice_counts_once() -> None:
    found = read(event("DTSTART;VALUE=DATE:20270101"), event("DTSTART;VALUE=DATE:20270201"))

    assert [each.first_day for each in found.holidays] == [date(2027, 1, 1)]
    assert "twice" in found.unusable[0].why


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        bytes(range(256)),
        calendar()[:-16],
        calendar() * 2,
        b"BEGIN:VCARD\r\nEND:VCARD\r\n",
        calendar(event("DTSTART;VALUE=DATE:20270101", name="Fete")).replace(b"Fete", "Fête".encode("latin-1")),
        b"x" * 1_000_001,
        calendar(*[event("DTSTART;VALUE=DATE:20270101", uid=f"{n}") for n in range(501)]),
        calendar(*["X:" for n in range(2001)]),
    ],
)
def test_files_that_are_no_calendar_are_refused_in_words(content: bytes) -> None:
    with pytest.raises(CalendarUnreadable) as refusal:
        read_calendar(content, today=TODAY)
    assert refusal.value.text.endswith(".")


LINES = st.sampled_from("DTSTART DTEND DURATION RRULE EXDATE UID SUMMARY STATUS RDATE X-A".split())
VALUES = st.one_of(
    st.sampled_from(
        ["20270101", "P1D", "FREQ=YEARLY", "FREQ=YEARLY;COUNT=x", "20270101T000000Z", ";;", "P1DT", "-P1D", "00010101"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(LINES, st.sampled_from(["", ";VALUE=DATE", ";VALUE=PERIOD"]), VALUES), max_size=8))
def test_no_file_makes_it_stumble(lines: list[tuple[str, str, str]]) -> None:
    content = calendar("\n".join(f"{name}{kind}:{value}" for name, kind, value in lines) or "X:")

    try:
        found = read_calendar(content, today=TODAY)
    except CalendarUnreadable:
        return
    assert len(found.holidays) + len(found.unusable) >= 1


@pytest.fixture(autouse=True)
def monday() -> Any:
    with clock.standing_at(NOW):
        yield


XMAS = Holiday("xmas", "Christmas", date(2026, 12, 25), date(2026, 12, 26))
NEW_YEAR = Holiday("ny", "New Year", date(2027, 1, 1), date(2027, 1, 1))


def imported(world: World, *holidays: Holiday) -> Imported:
    return import_closures(as_actor(world.sue), holidays=holidays)


def closures(db: Session) -> list[Closure]:
    db.rollback()
    return list(db.scalars(select(Closure).order_by(Closure.first_day, Closure.id)))


def test_importing_twice_changes_nothing(db: Session, world: World) -> None:
    first, second = imported(world, XMAS, NEW_YEAR), imported(world, XMAS, NEW_YEAR)

    assert (len(first.made), first.left) == (2, 0)
    assert (second.made, second.changed, second.left) == ([], [], 2)
    assert [(each.name, each.start_at.isoformat()) for each in closures(db)] == [
        ("Christmas", "2026-12-25T00:00:00+00:00"),
        ("New Year", "2027-01-01T00:00:00+00:00"),
    ]


def test_other_days_change_the_closure_and_what_was_called_off_stays_so(db: Session, world: World) -> None:
    christmas, new_year = imported(world, XMAS, NEW_YEAR).made
    cancel_closure(as_actor(world.ada), new_year.id)
    longer = Holiday("xmas", "Christmas", date(2026, 12, 24), date(2026, 12, 26))

    judged = judge_holidays(db, [longer, NEW_YEAR, XMAS], NOW)
    again = imported(world, longer, NEW_YEAR)

    assert [each.standing for each in judged] == [Standing.CHANGED, Standing.CALLED_OFF, Standing.KNOWN]
    assert ([each.id for each in again.changed], again.made, again.left) == ([christmas.id], [], 1)
    assert world.again(christmas).start_at == datetime(2026, 12, 24, tzinfo=UTC)
    assert world.again(new_year).status is AbsenceStatus.CANCELED


def test_one_that_cannot_be_imported_stops_all(db: Session, world: World) -> None:
    over = Holiday("old", "Long ago", date(2026, 1, 1), date(2026, 1, 1))

    with refused("in_the_past", code="closure_invalid"):
        imported(world, XMAS, over)
    with refused("closure_invalid"):
        imported(world)
    with refused("closure_invalid"):
        imported(world, XMAS, XMAS)
    assert closures(db) == []


def test_only_the_school_closes(world: World) -> None:
    with pytest.raises(NotFound):
        import_closures(as_actor(world.tom), holidays=[XMAS])
    with pytest.raises(NotAllowed):
        import_closures(as_actor(world.audrey), holidays=[XMAS])
