"""The weekly hours editor: looked at before they are saved, errors at their fields, nothing typed is lost."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import func, select

from guitaronline.actor import Role
from guitaronline.booking.horizon import hours_of, set_hours
from guitaronline.db import session
from guitaronline.portal.far_clocks import far_hours
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import Window
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher
from tests.admin.browser import Browser, signed_in, words
from tests.portal.conftest import actions
from tests.world import World, as_actor

MONDAY = {
    "windows-0-weekday": "0",
    "windows-0-start_local": "14:00",
    "windows-0-end_local": "16:00",
    "windows-0-lesson_minutes": "60",
    "windows-0-buffer_minutes": "0",
}
TUESDAY = {name.replace("-0-", "-1-"): value for name, value in MONDAY.items()} | {"windows-1-weekday": "1"}
HOURS = "/teacher/hours"


def carried(page: str) -> dict[str, str]:
    """What the form carries unseen: the hours at opening, and those that were looked at."""

    found = dict(re.findall(r'name="(base|seen)" type="hidden" value="([^"]*)"', page))
    return {"base": found.get("base", ""), "seen": found.get("seen", "")}


def send(browser: Browser, typed: dict[str, Any], *, opened: str | None = None) -> Any:
    page = opened or browser.get(HOURS).text
    return browser.post(HOURS, {**carried(page), **typed}, opened=page)


def open_slots(world: World) -> int:
    session().rollback()
    query = (
        select(func.count()).select_from(Slot).where(Slot.teacher_id == world.tom.id, Slot.status == SlotStatus.OPEN)
    )
    return session().scalar(query) or 0


def test_looking_says_what_changes_and_changes_nothing(tom: Browser, world: World) -> None:
    before = actions()

    page = send(tom, {**MONDAY, "do": "look"})

    assert page.status_code == 200
    assert "What changes" in words(page.text)
    assert re.search(r"New: 1[678]", words(page.text))  # two a Monday, eight or nine Mondays
    assert (actions(), open_slots(world)) == (before, 0)


def test_what_was_looked_at_is_saved_and_slots_follow_at_once(tom: Browser, world: World) -> None:
    looked = send(tom, {**MONDAY, "do": "look"}).text

    saved = send(tom, {**MONDAY, "do": "save"}, opened=looked)

    assert saved.status_code == 303
    assert hours_of(session(), world.tom.id) == [Window(frozenset([0]), time(14), time(16), 60)]
    assert open_slots(world) >= 16
    assert actions("schedule.set") == 1


def test_a_second_click_changes_nothing(tom: Browser) -> None:
    looked = send(tom, {**MONDAY, "do": "look"}).text
    send(tom, {**MONDAY, "do": "save"}, opened=looked)

    again = send(tom, {**MONDAY, "do": "save"}, opened=looked)

    assert again.status_code == 303
    assert actions("schedule.set") == 1


def test_what_was_changed_after_looking_is_looked_at_again(tom: Browser, world: World) -> None:
    looked = send(tom, {**MONDAY, "do": "look"}).text

    answer = send(tom, {**MONDAY, **TUESDAY, "do": "save"}, opened=looked)

    assert answer.status_code == 409
    assert "Look at what changes, then save" in words(answer.text)
    assert hours_of(session(), world.tom.id) == []


def test_hours_that_somebody_else_changed_are_not_overwritten_unseen(tom: Browser, world: World) -> None:
    looked = send(tom, {**MONDAY, "do": "look"}).text
    theirs = Window(frozenset([4]), time(9), time(12), 60)
    set_hours(as_actor(world.ada), world.tom.id, windows=[theirs])

    answer = send(tom, {**MONDAY, "do": "save"}, opened=looked)

    assert answer.status_code == 409
    assert "Somebody changed these hours after you opened the page" in words(answer.text)
    assert 'value="14:00"' in answer.text
    assert hours_of(session(), world.tom.id) == [theirs]
    assert send(tom, {**MONDAY, "do": "save"}, opened=answer.text).status_code == 303  # what it changes now stood there


def test_a_row_is_added_and_removed_without_javascript(tom: Browser) -> None:
    added = send(tom, {**MONDAY, "do": "add"})
    removed = send(tom, {**MONDAY, **TUESDAY, "do": "remove-windows-0"})

    assert 'name="windows-1-start_local"' in added.text
    assert 'name="windows-0-start_local"' not in removed.text
    assert 'name="windows-1-start_local"' in removed.text


def test_overlapping_windows_are_named_at_the_row_and_nothing_typed_is_lost(tom: Browser) -> None:
    answer = send(tom, {**MONDAY, **TUESDAY, "windows-1-weekday": "0", "windows-1-start_local": "15:00", "do": "save"})

    assert answer.status_code == 422
    assert "This window overlaps window 1" in words(answer.text)
    assert 'value="15:00"' in answer.text


def test_a_nine_hour_lesson_is_refused_at_its_field(tom: Browser) -> None:
    answer = send(tom, {**MONDAY, "windows-0-end_local": "23:30", "windows-0-lesson_minutes": "540", "do": "look"})

    assert answer.status_code == 422
    assert "A lesson takes 15 to 240 minutes" in words(answer.text)
    assert 'value="540"' in answer.text


def test_what_is_no_time_is_refused_and_still_stands_there(tom: Browser) -> None:
    answer = send(tom, {**MONDAY, "windows-0-start_local": "25:99", "windows-0-valid_from": "9999-99-99", "do": "look"})

    assert answer.status_code == 422
    assert 'value="25:99"' in answer.text


def test_a_thousand_windows_are_refused_in_words(tom: Browser, world: World) -> None:
    many = {f"windows-{number}-weekday": "0" for number in range(1_000)}

    answer = send(tom, {**many, "do": "save"})

    assert answer.status_code == 422
    assert "at most 100 windows" in words(answer.text)
    assert hours_of(session(), world.tom.id) == []


def test_the_hours_of_a_disabled_teacher_are_refused_in_words(app: Flask, world: World) -> None:
    tom = signed_in(app, world.tom)
    profile = profile_of(session(), world.tom.id)
    assert profile
    disable_teacher(as_actor(world.ada), profile.id, reason="ill")
    looked = send(tom, {**MONDAY, "do": "look"}).text

    answer = send(tom, {**MONDAY, "do": "save"}, opened=looked)

    assert answer.status_code == 409
    assert "This teacher is not active" in words(answer.text)


def test_the_students_clocks_are_shown(app: Flask, world: World) -> None:
    teacher = world.person("Bert", Role.TEACHER, timezone="Europe/Berlin")
    student = world.person("Nell", Role.STUDENT, timezone="America/New_York")
    world.package(student)
    world.booking(world.slot(teacher), student)

    page = words(send(signed_in(app, teacher), {**MONDAY, "do": "look"}).text)

    assert "New York" in page
    assert "Mon 14:00–16:00" in page


def test_far_clocks_change_when_either_place_changes_its_clocks() -> None:
    monday = Window(frozenset([0]), time(15), time(19), 60)

    far = far_hours([monday], ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), date(2026, 11, 27))

    assert far.since == [date(2026, 11, 27), date(2027, 3, 14), date(2027, 3, 28)]
    assert far.hours == [["Mon 09:00–13:00", "Mon 10:00–14:00", "Mon 09:00–13:00"]]


def test_far_clocks_across_the_date_line() -> None:
    monday = Window(frozenset([0]), time(20), time(0), 60)

    far = far_hours([monday], ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Tokyo"), date(2026, 11, 27))

    assert far.hours == [["Tue 13:00–17:00", "Tue 12:00–16:00"]]
