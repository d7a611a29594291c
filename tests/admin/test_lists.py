"""Lists: chips, presets, columns, order, and addresses that can be kept."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

import pytest
from flask import Flask

from guitaronline.actor import Role
from guitaronline.admin import DESKS, dates, filters, selection
from guitaronline.admin.base import Desk
from guitaronline.admin.bookings import BookingsDesk
from guitaronline.admin.selection import Selection
from tests.admin.browser import Browser, links, signed_in, words
from tests.admin.conftest import School
from tests.statements import statements
from tests.world import World

TODAY = date(2026, 11, 25)  # a Wednesday
MEANT = [
    ("today", "2026-11-25", "2026-11-25"),
    ("yesterday", "2026-11-24", "2026-11-24"),
    ("Tomorrow", "2026-11-26", "2026-11-26"),
    ("this week", "2026-11-23", "2026-11-29"),
    ("last week", "2026-11-16", "2026-11-22"),
    ("next week", "2026-11-30", "2026-12-06"),
    ("next 7 days", "2026-11-25", "2026-12-01"),
    ("this month", "2026-11-01", "2026-11-30"),
    ("last month", "2026-10-01", "2026-10-31"),
    ("last 30 days", "2026-10-27", "2026-11-25"),
    ("last Thursday", "2026-11-19", "2026-11-19"),
    ("last wednesday", "2026-11-18", "2026-11-18"),
    ("wednesday", "2026-11-25", "2026-11-25"),
    ("next wednesday", "2026-12-02", "2026-12-02"),
    ("monday", "2026-11-30", "2026-11-30"),
    ("2026-12", "2026-12-01", "2026-12-31"),
    ("2024-02", "2024-02-01", "2024-02-29"),
    ("2026-11-23..2026-11-30", "2026-11-23", "2026-11-30"),
]

OF_TABS = ("SELECT set_config(", "SELECT count(*)")  # each saved view has its own count


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


@pytest.mark.parametrize(("value", "first", "last"), MEANT)
def test_days_are_meant_as_people_say_them(value: str, first: str, last: str) -> None:
    assert dates.days_meant(value, today=TODAY) == (date.fromisoformat(first), date.fromisoformat(last))


def test_a_range_may_be_open_at_one_end() -> None:
    assert dates.days_meant("2026-11-23..", today=TODAY) == (date(2026, 11, 23), None)
    assert dates.days_meant("..2026-11-23", today=TODAY) == (None, date(2026, 11, 23))


@pytest.mark.parametrize(
    "value", ["", "..", "last", "first monday", "2026-13", "2026-02-30", "2026-11-30..2026-11-23", "soon", "٢٠٢٦-11-23"]
)
def test_what_means_no_days_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        dates.days_meant(value, today=TODAY)


def test_last_month_at_the_turn_of_the_year() -> None:
    assert dates.days_meant("last month", today=date(2027, 1, 31)) == (date(2026, 12, 1), date(2026, 12, 31))


def test_a_chip_takes_away_its_own_filter_and_nothing_else(sue: Browser) -> None:
    page = sue.get("/admin/bookings/?state=confirmed&day=today&sort=id&desc=1&search=ann").text

    assert _chip(page, "State") == "/admin/bookings/?search=ann&day=today&sort=id&desc=1&on=all"
    assert _chip(page, "Search") == "/admin/bookings/?state=confirmed&day=today&sort=id&desc=1&on=all"


def test_the_last_chip_leads_to_everything(sue: Browser) -> None:
    assert _chip(sue.get("/admin/bookings/?state=confirmed").text, "State") == "/admin/bookings/?view=all"


def test_a_preset_is_a_link_that_keeps_the_other_filters(sue: Browser) -> None:
    page = sue.get("/admin/bookings/?state=confirmed").text

    assert "/admin/bookings/?state=confirmed&on=all&day=last+month" in links(page)


def test_a_first_and_a_last_day_are_one_range(sue: Browser, school: School) -> None:
    day = school.booked.start_at.date().isoformat()
    reference = school["booked"].reference

    hit = sue.get(f"/admin/bookings/?day=&day.first={day}&day.last={day}")
    miss = sue.get("/admin/bookings/?day.first=2001-01-01&day.last=2001-01-02")

    assert (reference in hit.text, reference in miss.text) == (True, False)
    assert f"Day of the lesson: {day}..{day}" in words(hit.text)


def test_columns_are_chosen_and_stand_in_the_order_that_was_asked_for(sue: Browser, school: School) -> None:
    assert school.booked

    assert _headings(sue.get("/admin/bookings/?columns=package,reference").text) == ["Package", "Booking"]
    assert _headings(sue.get("/admin/bookings/?columns=reference&columns=package").text) == ["Booking", "Package"]


def test_a_column_that_the_list_does_not_have_is_named_and_left_out(sue: Browser, school: School) -> None:
    assert school.booked
    page = sue.get("/admin/bookings/?columns=reference,password_hash").text

    assert "no column “password_hash”" in words(page)
    assert _headings(page) == ["Booking"]


def test_columns_that_are_not_usual_are_shown_when_chosen_only(sue: Browser, school: School) -> None:
    assert school.booked

    assert "Package" not in _headings(sue.get("/admin/bookings/").text)


def test_a_list_is_sorted_by_a_columns_name_or_as_old_links_say_it_by_its_number(sue: Browser, school: School) -> None:
    assert [school.booked, school.held]

    by_name, by_number = (_references(sue.get(f"/admin/bookings/?sort={sort}").text) for sort in ("start_at", "1"))

    assert by_name == by_number == [school["booked"].reference, school["held"].reference]


def test_sorting_by_a_column_that_is_not_shown_is_said(sue: Browser, school: School) -> None:
    assert school.booked
    page = words(sue.get("/admin/bookings/?columns=reference&sort=start_at").text)

    assert "sorted by “Starts”, a column that is not shown" in page


@pytest.mark.parametrize("sort", ["student", "password_hash", "-1", "99"])
def test_what_cannot_be_sorted_by_is_said(sue: Browser, sort: str) -> None:
    assert "cannot be sorted that way" in words(sue.get(f"/admin/bookings/?sort={sort}").text)


def test_a_filter_that_the_list_does_not_have_is_named(sue: Browser) -> None:
    assert "no filter “colour”" in words(sue.get("/admin/bookings/?colour=red").text)


@pytest.mark.parametrize("typed", ["Tom", "tom"])
def test_a_teacher_is_typed_by_name(sue: Browser, school: School, typed: str) -> None:
    assert school.booked

    assert _references(sue.get(f"/admin/bookings/?teacher={typed}").text) == [school["booked"].reference]
    assert _references(sue.get("/admin/bookings/?teacher=tina").text) == []


def test_a_name_that_finds_very_many_people_is_told(
    sue: Browser, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [school.booked, school.world.ben]
    monkeypatch.setattr(filters, "PEOPLE_SEARCHED", 2)

    assert "very many people" in words(sue.get("/admin/bookings/?search=n").text)
    assert "very many people" not in words(sue.get("/admin/bookings/?search=ann").text)


def test_a_person_from_a_link_stands_in_the_field_as_their_reference(sue: Browser, school: School) -> None:
    assert school.booked
    teacher = school.world.tom
    page = sue.get(f"/admin/bookings/?teacher={teacher.id}").text

    assert f'value="{teacher.reference}"' in page
    assert _references(sue.get(f"/admin/bookings/?teacher={teacher.reference}").text) == [school["booked"].reference]
    assert "Teacher: Tom" in words(page)


@pytest.mark.parametrize(
    ("asked", "is_found"), [("90", True), ("80..100", True), ("..89.99", False), ("90.01..", False)]
)
def test_payments_are_found_by_their_amount(sue: Browser, school: School, asked: str, is_found: bool) -> None:
    assert school.paid

    assert (school["paid"].reference in sue.get(f"/admin/payments/?amount={asked}").text) is is_found


@pytest.mark.parametrize("asked", ["..", "x", "-1", "1e3", "٣", "9" * 30, "1..x"])
@pytest.mark.parametrize(("path", "name"), [("payments", "amount"), ("packages", "left")])
def test_what_is_no_amount_is_said(sue: Browser, path: str, name: str, asked: str) -> None:
    answer = sue.get(f"/admin/{path}/?{name}={asked}")

    assert answer.status_code == 200
    assert "means nothing for" in words(answer.text)


@pytest.mark.parametrize(("asked", "is_found"), [("9", True), ("1..9", True), ("0", False), ("10..", False)])
def test_packages_are_found_by_what_is_left(sue: Browser, school: School, asked: str, is_found: bool) -> None:
    assert school.package

    assert (school["package"].reference in sue.get(f"/admin/packages/?left={asked}").text) is is_found


def test_a_strict_reading_refuses_what_a_page_forgives(app: Flask, world: World) -> None:
    desk = app.extensions["admin"][0].desks["bookings"]
    assert isinstance(desk, BookingsDesk)

    asked = desk.selection({"sort": "1", "desc": "1", "search": " Ann  B "})

    assert asked == Selection("Ann B", {}, "start_at", is_descending=True)
    assert desk.selection(desk.to_args(asked)) == asked


@pytest.mark.parametrize("args", [{"colour": "red"}, {"cause": "x"}, {"sort": "student"}, {"search": "\x00"}])
def test_a_strict_reading_says_what_is_wrong(app: Flask, args: dict[str, str]) -> None:
    desk = app.extensions["admin"][0].desks["bookings"]

    with pytest.raises(ValueError, match=r"left out|usual order"):
        selection.read_strictly(desk, args)


def test_an_empty_list_says_how_to_fill_it_and_a_narrow_one_how_to_widen_it(sue: Browser, world: World) -> None:
    assert "Take the first one" in words(sue.get("/admin/bookings/").text)
    assert "Take a filter away" in words(sue.get("/admin/bookings/?state=hold").text)


def test_names_and_searches_are_shown_as_text(sue: Browser, world: World) -> None:
    world.person("<b>Eve</b>", Role.STUDENT, email=None)
    page = sue.get("/admin/people/?search=<b>Eve").text

    assert "<b>Eve" not in page
    assert "&lt;b&gt;Eve" in page


def _chip(page: str, label: str) -> str:
    found = re.search(rf'href="([^"]*)" aria-label="Without {label}:', page)
    assert found
    return found[1].replace("&amp;", "&")


def _headings(page: str) -> list[str]:
    head = page[page.index("<thead>") : page.index("</thead>")]
    return [
        words(each)
        for each in re.findall(r"<th [^>]*>(.*?)</th>", head, re.DOTALL)
        if words(each) and "visually-hidden" not in each
    ]


def _references(page: str) -> list[str]:
    return re.findall(r">(BK-[0-9A-Z]+)</a>", page)


def test_slots_are_found_by_the_state_that_their_booking_gives_them(sue: Browser, world: World) -> None:
    world.package()
    booked, held, later = world.slot(hours=40), world.slot(hours=44), world.slot(hours=60)
    world.booking(booked)
    world.hold(held)

    assert slots_shown(sue, "booked") == [booked.reference]
    assert slots_shown(sue, "held") == [held.reference]
    assert slots_shown(sue, "open") == [later.reference]


def slots_shown(browser: Browser, state: str) -> list[str]:
    page = browser.get(f"/admin/slots/?state={state}").text
    return list(dict.fromkeys(re.findall(r"SLT-[0-9A-Z]{4,12}", page)))


@pytest.mark.parametrize("desk", DESKS, ids=[desk.path for desk in DESKS])
def test_no_list_asks_the_database_anew_for_each_of_its_rows(app: Flask, school: School, desk: type[Desk]) -> None:
    school.everything()
    [*map(school.world.person, ("Tara", "Till", "Tove"), [Role.TEACHER] * 3)]
    ada = signed_in(app, school.world.ada)
    ada.get(f"/admin/{desk.path}/")

    with statements() as sent:
        ada.get(f"/admin/{desk.path}/")

    of_rows = [each for each in sent if not each.startswith(OF_TABS)]
    assert [each for each, times in Counter(of_rows).items() if times > 2] == []
