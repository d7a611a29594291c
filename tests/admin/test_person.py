"""The person page: everything about a student or a teacher on one screen, at a cost that does not grow with them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from guitaronline.identity import service as identity
from guitaronline.identity.tokens import login
from tests.admin.browser import Browser, signed_in, words
from tests.admin.busy import given, past_lesson
from tests.admin.conftest import School
from tests.statements import statements
from tests.world import PASSWORD, World, as_actor

MOST_STATEMENTS = 30
FIGURE = re.compile(r'<div class="muted">([^<]+)</div><div class="figure-value">(.*?)</div>')
ACTIONS = re.compile(r'<section class="actions".*?</section>', re.DOTALL)


def page_of(browser: Browser, person: Any) -> str:
    return browser.get(f"/admin/people/details/?id={person.id}").text


def figures(page: str) -> dict[str, str]:
    return {label: words(value) for label, value in FIGURE.findall(page)}


def test_a_students_balance_stands_on_top(app: Flask, school: School) -> None:
    world = school.world
    assert [school.held, school.booked]
    world.package(world.ann, lessons=3)

    shown = figures(page_of(signed_in(app, world.sue), world.ann))

    assert (shown["Lessons left"], shown["Reserved by holds"]) == ("11", "1")
    assert shown["Next expiry"] != "none"
    assert shown["Next lesson"] != "none"


def test_frozen_and_expired_packages_are_not_in_the_balance(app: Flask, school: School) -> None:
    assert [school.frozen, school.expired]

    page = page_of(signed_in(app, school.world.sue), school.world.ben)

    assert figures(page)["Lessons left"] == "0"
    assert "and 2 frozen" in words(page)


def test_everything_about_a_student_is_on_one_screen(app: Flask, school: School) -> None:
    world = school.world
    assert [school.booked, school.given, school.paid]
    identity.add_guardian(school.admin, world.ann.id, guardian_id=world.ben.id)
    identity.set_password(school.admin, world.ann.id, password=PASSWORD)
    login("ann@people.example", PASSWORD, device_label="Ann's tablet")

    page = words(page_of(signed_in(app, world.sue), world.ann))

    parts = ("Packages", "Ledger", "Upcoming lessons", "Past lessons", "Payments", "Guardians", "Devices", "Timeline")
    assert [each for each in parts if each not in page] == []
    references = (school.booked.reference, school.given.reference, school.paid.reference, school.package.reference)
    assert [each for each in references if each not in page] == []
    assert "available −1, reserved +1" in page
    assert "Ann's tablet" in page


def test_a_teachers_week_students_and_missing_outcomes(app: Flask, school: School) -> None:
    world = school.world
    assert [school.waiting, school.booked, school.open_slot, school.blocked]

    page = page_of(signed_in(app, world.sue), world.tom)
    read = words(page)

    assert figures(page) == {"Lessons in 7 days": "1", "Open slots in 7 days": "1", "Outcomes missing": "1"}
    assert school.waiting.reference in read
    assert re.search(r"\d\d:\d\d Ann", read)
    assert re.search(r"\d\d:\d\d blocked", read)
    assert "Student Lessons Next Ann 2" in read


def test_the_profile_shows_the_same_week(app: Flask, school: School) -> None:
    assert school.booked

    page = signed_in(app, school.world.sue).get(f"/admin/teachers/details/?id={school.profile.id}").text

    assert figures(page)["Lessons in 7 days"] == "1"


def test_a_long_life_costs_no_more_statements_than_a_short_one(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    world.package(world.ben, lessons=1)
    given(world, past_lesson(world, world.ben, days=1))
    world.package(lessons=50)
    [given(world, past_lesson(world, world.ann, days=3 + number)) for number in range(12)]
    [world.booking(world.slot(hours=50 + 2 * number)) for number in range(12)]
    [world.package() for _ in range(11)]

    with statements() as short:
        page_of(browser, world.ben)
    with statements() as long:
        page_of(browser, world.ann)

    assert len(long) <= len(short) + 1
    assert len(long) <= MOST_STATEMENTS


def test_a_teacher_with_many_lessons_costs_no_more(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    world.package(lessons=50)
    assert world.tina
    [given(world, past_lesson(world, world.ann, days=3 + number)) for number in range(4)]
    [world.booking(world.slot(hours=50 + 2 * number)) for number in range(12)]

    with statements() as sent:
        page_of(browser, world.tom)

    assert len(sent) <= MOST_STATEMENTS


@pytest.mark.parametrize("record", ["booked", "package", "paid"])
def test_an_auditor_has_no_action_but_reads_why(app: Flask, school: School, record: str) -> None:
    shown = school[record]

    page = signed_in(app, school.world.audrey).get(f"/admin/{shown.__tablename__}/details/?id={shown.id}").text

    actions = ACTIONS.search(page)
    assert actions
    assert "href" not in actions[0]
    assert "Your role does not allow this" in words(actions[0])


@pytest.mark.parametrize("who", ["ann", "tom"])
def test_of_a_person_an_auditor_may_ask_for_contact_data_and_nothing_else(app: Flask, school: School, who: str) -> None:
    page = signed_in(app, school.world.audrey).get(f"/admin/people/details/?id={school[who].id}").text

    actions = ACTIONS.search(page)
    assert actions
    assert re.findall(r'href="[^"]*/([a-z-]+)"', actions[0]) == ["contacts"]


def test_what_is_dangerous_stands_apart_and_what_is_not_possible_says_why(app: Flask, school: School) -> None:
    page = signed_in(app, school.world.sue).get(f"/admin/bookings/details/?id={school.booked.id}").text

    actions = ACTIONS.search(page)
    assert actions
    usual, _, apart = actions[0].partition('class="buttons apart"')
    assert ("Move" in usual, "btn-outline-danger" in usual, "Cancel" in apart) == (True, False, True)
    assert "Confirm — It is confirmed: a lesson will be given." in words(actions[0])


def test_every_table_of_the_page_folds_on_a_phone(app: Flask, school: School) -> None:
    assert school.everything()

    page = page_of(signed_in(app, school.world.ada), school.world.ann)

    tables = re.findall(r'<table class="([^"]+)"', page)
    assert len(tables) >= 4
    assert [each for each in tables if "stack" not in each] == []


def test_staff_have_a_page_without_lessons(app: Flask, world: World) -> None:
    page = page_of(signed_in(app, world.ada), world.sue)

    assert figures(page) == {}
    assert "Past lessons" not in words(page)
    assert as_actor(world.sue).is_staff
