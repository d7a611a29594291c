"""A teacher walks through a week, on a desk and on a phone; every page is readable for everybody."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.axe import COLORS, grave_problems
from tests.browser.conftest import Visit
from tests.browser.school import DemoSchool
from tests.browser.student import StudentApp
from tests.browser.visitor import Visitor

PAGES = (
    "/teacher/",
    "/teacher/calendar",
    "/teacher/hours",
    "/teacher/students",
    "/teacher/time-off",
    "/teacher/time-off/new",
    "/teacher/lessons",
    "/teacher/profile",
    "/teacher/password",
    "/teacher/slots/new",
)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BEGUN = """
    UPDATE lessons SET scheduled_start_at = clock_timestamp() - interval '1 minute', scheduled_end_at = clock_timestamp() + interval '1 hour'
    WHERE booking_id = %s::uuid
"""


def a_saturday(weeks: int) -> date:
    """One that lies ahead as a whole; no teacher of the demo gives lessons then."""
    first = date.today() + timedelta(weeks=weeks)  # noqa: DTZ011  # which day is all the same: another zone's is near enough
    return first + timedelta(days=(5 - first.weekday()) % 7)


def add_hours(teacher: Visitor, first: int) -> None:
    teacher.open("/teacher/hours")
    teacher.main.get_by_role("button", name="Add a window").click()
    row = teacher.main.locator("[data-row]").last
    row.get_by_label("Day", exact=True).select_option("Saturday")
    row.get_by_label("From").fill(f"{first:02}:00")
    row.get_by_label("Until").fill(f"{first + 2:02}:00")
    teacher.main.get_by_role("button", name="See what changes").click()
    preview = teacher.main.get_by_role("region", name="What changes")
    expect(preview).to_contain_text("new")
    assert grave_problems(teacher.page) == []
    preview.get_by_role("button", name="Save these hours").click()
    expect(teacher.main.get_by_role("status").first).to_contain_text("Your hours are saved")


def slot_of(teacher: Visitor, day: date, hour: int) -> str:
    """The slot that begins then, which is open; its id."""
    teacher.open(f"/teacher/calendar?day={day}")
    entry = teacher.main.locator(".day.is-chosen .entry", has_text=f"{hour:02}:00–{hour + 1:02}:00")
    expect(entry).to_contain_text("open")
    found = UUID.search(entry.get_attribute("href") or "")
    assert found
    return found[0]


@pytest.mark.parametrize(
    ("phone", "weeks", "hour", "student"),
    [(False, 1, 9, "Walter Desk"), (True, 4, 14, "Phoebe Phone")],
    ids=["desk", "phone"],
)
def test_a_teacher_walks_through_a_week(
    school: DemoSchool, visit: Visit, phone: bool, weeks: int, hour: int, student: str
) -> None:
    teacher = visit("teacher", phone=phone)
    day = a_saturday(weeks)

    add_hours(teacher, hour)
    booking = StudentApp(teacher.page.request, student).books(slot_of(teacher, day, hour))
    teacher.page.reload()
    expect(teacher.main.locator(".day.is-chosen .entry.booked")).to_contain_text(student)

    school.time_passes(BEGUN, booking)
    teacher.open("/teacher/")
    teacher.main.get_by_role("button", name=f"The lesson with {student} was taken").click()
    teacher.main.get_by_label("Topic").fill("The blues in A")
    teacher.main.get_by_role("button", name="Save the report").click()
    mine = teacher.main.locator(".lesson", has_text=student)
    expect(mine).to_contain_text("taken")
    expect(mine).to_contain_text("The blues in A")

    week_after = day + timedelta(days=7)
    teacher.open(f"/teacher/time-off/new?day={week_after}")
    teacher.main.get_by_role("button", name="See what it does").click()
    expect(teacher.main).to_contain_text("No lessons are booked then")
    teacher.main.get_by_role("button", name="Save the time off").click()
    expect(teacher.main.get_by_role("status").first).to_contain_text("You are away")
    teacher.open(f"/teacher/calendar?day={week_after}")
    expect(teacher.main.locator(".day.is-chosen")).to_contain_text("Time off")
    expect(teacher.main.locator(".day.is-chosen .entry.open")).to_have_count(0)
    assert teacher.sideways() == 0


@pytest.mark.parametrize("path", PAGES)
def test_every_page_can_be_read_by_everybody(visit: Visit, path: str) -> None:
    teacher = visit("teacher", phone=True)
    teacher.open(path)

    light = grave_problems(teacher.page)
    sideways = teacher.sideways()
    teacher.page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")

    assert light == []
    assert sideways == 0
    assert grave_problems(teacher.page, only=COLORS) == []


def test_pages_of_a_lesson_can_be_read_by_everybody(visit: Visit) -> None:
    teacher = visit("teacher")
    teacher.open("/teacher/students")
    teacher.main.locator(".people a").first.click()
    of_student = grave_problems(teacher.page)
    teacher.main.locator("a[href*='/teacher/bookings/']").first.click()
    of_lesson = grave_problems(teacher.page)
    teacher.main.get_by_role("link", name=re.compile("report")).click()

    assert (of_student, of_lesson, grave_problems(teacher.page)) == ([], [], [])


def test_more_opens_and_closes_by_keyboard(visit: Visit) -> None:
    teacher = visit("teacher")
    teacher.open("/teacher/")
    more = teacher.page.locator(".tabs summary")

    more.press("Enter")
    expect(teacher.page.get_by_role("link", name="Lessons taught")).to_be_visible()
    teacher.page.keyboard.press("Escape")

    expect(teacher.page.get_by_role("link", name="Lessons taught")).to_be_hidden()
    expect(more).to_be_focused()
