"""The calendar shows whose time is what, in the viewer's zone, and leads on; it changes nothing itself."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.booking.calendar import TimeState, time_of_teachers
from guitaronline.booking.service import cancel_booking
from guitaronline.booking.slots import withdraw_slot
from guitaronline.db import session
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School, actions
from tests.world import World

FEED = "/admin/calendar/events"


def shown(browser: Browser, first: date, days: int = 7, **more: Any) -> list[dict[str, Any]]:
    """The events that the calendar draws."""
    query = {"start": first.isoformat(), "end": (first + timedelta(days=days)).isoformat(), **more}
    answer = browser.get(FEED, query_string=query)
    assert answer.status_code == 200
    assert answer.json is not None
    events: list[dict[str, Any]] = answer.json["events"]
    return events


def test_time_is_open_held_booked_or_blocked(ada: Browser, school: School) -> None:
    expected = {
        school.open_slot.id: "open",
        school.held.slot_id: "held",
        school.booked.slot_id: "booked",
        school.blocked.id: "blocked",
    }

    events = shown(ada, school.world.now.date(), 10)

    assert {each["id"]: each["state"] for each in events} == {str(key): state for key, state in expected.items()}


def test_what_is_over_for_good_is_not_shown(ada: Browser, school: School) -> None:
    withdrawn = withdraw_slot(school.admin, school.world.slot(hours=200).id, reason="moved away")
    lapsing = school.held
    cancel_booking(school.admin, school.booked.id, reason="ill", cause="student")

    with clock.moved_by(timedelta(minutes=15)):
        events = {each["id"]: each["state"] for each in shown(ada, school.world.now.date(), 15)}

    assert str(withdrawn.id) not in events
    assert events[str(lapsing.slot_id)] == "open"
    assert events[str(school.booked.slot_id)] == "open"


def test_a_booking_says_who_and_leads_to_its_record_and_its_move(ada: Browser, school: School) -> None:
    booked, slot = school.booked, school.open_slot

    events = {each["state"]: each for each in shown(ada, school.world.now.date())}

    assert events["booked"]["title"] == "Ann · Tom"
    assert events["booked"]["url"] == f"/admin/bookings/details/?id={booked.id}"
    assert events["booked"]["move_url"] == f"/admin/bookings/{booked.id}/reschedule"
    assert events["open"]["url"] == f"/admin/slots/details/?id={slot.id}"
    assert events["open"]["move_url"] is None


def test_a_slot_it_is_dropped_on_stands_in_the_form_and_nothing_has_happened(ada: Browser, school: School) -> None:
    booked, slot = school.booked, school.open_slot
    before = actions()

    page = ada.get(f"/admin/bookings/{booked.id}/reschedule?new_slot_id={slot.id}").text

    assert re.search(rf'<input[^>]*checked[^>]*value="{slot.id}"', page)
    assert "The old lesson" in page
    assert actions() == before


def test_those_who_may_not_move_are_not_led_there(app: Flask, school: School) -> None:
    finance = signed_in(app, school.world.finn)
    assert school.booked

    event = shown(finance, school.world.now.date())[0]
    page = finance.get("/admin/calendar/", query_string={"view": "week", "day": school.booked.start_at.date()}).text

    assert event["move_url"] is None
    assert "reschedule" not in page
    assert school.booked.reference in page


def test_times_are_the_viewers_wall_clock(app: Flask, world: World) -> None:
    berlin = world.person("Bea", Role.SUPPORT, timezone="Europe/Berlin")
    start = (world.now + timedelta(days=3)).replace(hour=23, minute=30, second=0)
    world.slot(start_at=start)
    local = start.astimezone(ZoneInfo("Europe/Berlin"))

    event = shown(signed_in(app, berlin), local.date(), 1)[0]

    assert event["start"] == local.replace(tzinfo=None).isoformat()
    assert event["end"] == (local.replace(tzinfo=None) + timedelta(hours=1)).isoformat()


def test_a_lesson_over_the_night_of_the_clocks_keeps_its_length(app: Flask, world: World) -> None:
    berlin = world.person("Bea", Role.SUPPORT, timezone="Europe/Berlin")
    year = world.now.year + 1
    last_sunday = max(day for day in range(25, 32) if date(year, 10, day).weekday() == 6)
    world.slot(start_at=datetime(year, 10, last_sunday, 0, 30, tzinfo=UTC))

    event = shown(signed_in(app, berlin), date(year, 10, last_sunday), 1)[0]

    assert (event["start"][-8:], event["end"][-8:]) == ("02:30:00", "03:30:00")


def test_one_teachers_time_is_shown_alone(ada: Browser, world: World) -> None:
    world.slot(world.tom, hours=48)
    mine = world.slot(world.tina, hours=48)

    events = shown(ada, world.now.date(), teacher=world.tina.id)

    assert [each["id"] for each in events] == [str(mine.id)]
    assert events[0]["title"] == ""


def test_everybodys_week_leaves_out_open_time_and_says_so(ada: Browser, school: School) -> None:
    booked, slot, blocked = school.booked, school.open_slot, school.blocked
    week = {"view": "week", "day": booked.start_at.date()}

    taken = shown(ada, school.world.now.date(), 10, taken="1")
    page = ada.get("/admin/calendar/", query_string=week).text

    assert {each["id"] for each in taken} == {str(booked.slot_id), str(blocked.id)}
    assert "Open time is left out" in page
    assert slot.reference not in page


def test_the_page_lists_the_same_without_a_script(ada: Browser, school: School) -> None:
    booked = school.booked

    page = ada.get("/admin/calendar/", query_string={"day": booked.start_at.date()}).text

    assert f"/admin/bookings/details/?id={booked.id}" in page
    assert f"/admin/bookings/{booked.id}/reschedule" in page
    assert f"/admin/bookings/{booked.id}/cancel" in page
    assert "All times are in UTC" in words(page)


def test_a_teacher_is_shown_by_week_and_others_by_day(ada: Browser, world: World) -> None:
    assert 'data-view="day"' in ada.get("/admin/calendar/").text
    assert 'data-view="week"' in ada.get("/admin/calendar/", query_string={"teacher": world.tom.id}).text
    assert 'data-view="week"' in ada.get("/admin/calendar/?find=tom").text


def test_only_the_calendar_may_write_its_styles(ada: Browser) -> None:
    calendar, other = ada.get("/admin/calendar/"), ada.get("/admin/bookings/")

    assert "; style-src 'self' 'nonce-" in calendar.headers["Content-Security-Policy"]
    assert "fullcalendar" in calendar.text
    assert "style-src" not in other.headers["Content-Security-Policy"]
    assert "fullcalendar" not in other.text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "start=2026-11-23",
        "start=2026-11-23&end=2026-11-23",
        "start=2026-11-24&end=2026-11-23",
        "start=2026-11-23&end=2027-01-08",
        "start=2026-02-30&end=2026-03-02",
        "start=0000-01-01&end=0000-01-02",
        "start=2026-11-23T00:00&end=2026-11-24",
        "start=2026-11-23%00&end=2026-11-24",
        "start=2026-11-23&end=2026-11-24&teacher=nobody",
        "start=2026-11-23&end=2026-11-24&teacher=01a21d20-6b8b-7420-bbfc-75e7e4a0b8fa",
    ],
)
def test_a_range_that_means_nothing_is_refused_in_words(ada: Browser, query: str) -> None:
    answer = ada.get(f"{FEED}?{query}")

    assert answer.status_code == 422
    assert len((answer.json or {})["error"]) > 15


@pytest.mark.parametrize("query", ["start=2026-11-23&end=2027-01-07", "start=1000-01-01&end=1000-01-02"])
def test_the_widest_range_and_far_years_are_answered(ada: Browser, query: str) -> None:
    assert ada.get(f"{FEED}?{query}").json == {"events": [], "away": [], "is_cut": False}


@pytest.mark.parametrize(
    "query", ["day=2026-02-30", "day=%00", "view=year", "teacher=x", "find=nobody", "find=%00", "find=" + "x" * 5000]
)
def test_a_page_that_means_nothing_shows_the_usual_one_and_says_so(ada: Browser, query: str) -> None:
    answer = ada.get(f"/admin/calendar/?{query}")

    assert answer.status_code == 200
    assert "alert-warning" in answer.text


def test_the_feed_ends_at_its_limit(world: World) -> None:
    first = world.slot(hours=48)
    world.slot(hours=50)

    found = time_of_teachers(session(), now=world.now, start=world.now, end=world.now + timedelta(days=9), limit=1)

    assert [(each.slot_id, each.state) for each in found] == [(first.id, TimeState.OPEN)]
