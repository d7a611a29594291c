"""What somebody on the phone is told, and what staff are told before they promise it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from guitaronline.booking.service import cancel_booking
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School
from tests.world import World

NEW = "/admin/bookings/new"
SOMEBODY_NEW = {"look": "1", "student_id": "new", "full_name": "Mia", "timezone": "UTC"}
RARE = re.compile(r'<details class="more-actions">.*?</details>', re.DOTALL)


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


def test_who_may_not_grant_learns_before_typing_that_somebody_new_needs_a_package(sue: Browser) -> None:
    assert "Somebody new needs a package first" in words(sue.get(NEW).text)


def test_looking_tells_whoever_may_not_grant_where_the_package_comes_from(sue: Browser) -> None:
    page = words(sue.post(NEW, SOMEBODY_NEW).text)

    assert "Somebody new has no package yet. Finance or an admin sells or grants one" in page


def test_looking_tells_whoever_may_grant_to_grant_one_here(ada: Browser) -> None:
    page = words(ada.post(NEW, SOMEBODY_NEW).text)

    assert "Somebody new has no package yet. Choose to grant one under 3" in page
    assert "Somebody new needs a package first" not in page


def test_with_a_grant_nothing_stands_in_the_way_of_somebody_new(ada: Browser) -> None:
    page = words(ada.post(NEW, SOMEBODY_NEW | {"package_id": "new", "lessons_total": "1"}).text)

    assert "As things stand" not in page


def test_a_child_is_booked_with_the_parent_who_called(ada: Browser, school: School) -> None:
    given = SOMEBODY_NEW | {"parent_name": "Eva", "parent_email": "eva@people.example", "reason": "called"}
    del given["look"]
    slot = {"slot_id": str(school.open_slot.id), "clock": "mine", "confirm": "yes"}
    grant = {"package_id": "new", "lessons_total": "1", "currency": "USD", "is_trial": "y"}

    booked = ada.post(NEW, given | slot | grant)

    assert booked.status_code == 303
    child = _link_to(ada.get(booked.location).text, "Mia")
    assert "Eva Relation: parent Pays: yes" in words(ada.get(child).text)


def test_a_parent_without_an_address_is_asked_for_one(ada: Browser, school: School) -> None:
    given = {"student_id": "new", "full_name": "Mia", "timezone": "UTC", "parent_name": "Eva"}

    answer = ada.post(NEW, given | {"slot_id": str(school.open_slot.id)})

    assert answer.status_code == 422
    assert "A parent can be reached by e-mail." in answer.text


def test_a_canceled_booking_says_who_canceled_it(sue: Browser, school: School) -> None:
    cancel_booking(school.admin, school.booked.id, reason="ill", cause="student")

    page = words(sue.get(f"/admin/bookings/details/?id={school.booked.id}").text)

    assert "Canceled by Ada" in page


def test_a_hold_that_was_canceled_awaits_no_lesson(sue: Browser, school: School) -> None:
    cancel_booking(school.admin, school.held.id, reason="called", cause="student")

    page = words(sue.get(f"/admin/bookings/details/?id={school.held.id}").text)

    assert "None: it was never confirmed." in page


def test_a_late_move_without_a_second_lesson_names_what_helps(sue: Browser, world: World) -> None:
    world.package(lessons=1)
    booking, other = world.booking(world.slot(hours=10)), world.slot(hours=60)
    page = f"/admin/bookings/{booking.id}/reschedule"
    asked: dict[str, Any] = {"look": "1", "new_slot_id": str(other.id), "cause": "student"}

    refused = words(sue.post(page, asked).text)
    waived = words(sue.post(page, asked | {"waive": "y"}).text)

    assert "The package has no lesson available." in refused
    assert "so it counts as used" in refused
    assert "What helps With “Keep the lesson although the notice was too short” ticked below" in refused
    assert "As things stand" not in waived


def test_a_refusal_is_said_once(sue: Browser, world: World) -> None:
    world.package(lessons=1)
    booking, other = world.booking(world.slot(hours=10)), world.slot(hours=60)

    answer = sue.post(
        f"/admin/bookings/{booking.id}/reschedule", {"new_slot_id": str(other.id), "cause": "student", "reason": "ill"}
    )

    assert answer.status_code == 409
    assert "This was not done" in answer.text
    assert "As things stand" not in answer.text


def test_a_day_that_means_nothing_is_answered_with_what_does(sue: Browser) -> None:
    assert "Days are written so: yesterday, last Thursday" in words(sue.get("/admin/bookings/?day=someday").text)


def test_rare_actions_and_what_is_not_possible_fold_away_on_a_persons_page(ada: Browser, world: World) -> None:
    page = ada.get(f"/admin/people/details/?id={world.ann.id}").text

    folded = words(RARE.findall(page)[0])
    assert "Change role" in folded
    assert "Reactivate — The person is active." in folded
    assert folded.index("Deactivate") > folded.index("View as")
    assert "New booking" not in folded


def test_a_look_answers_with_what_was_typed_and_offers_no_draft(ada: Browser) -> None:
    assert "data-answer" not in ada.get(NEW).text
    assert "data-answer" in ada.post(NEW, SOMEBODY_NEW).text


def test_a_bulk_page_says_whose_lesson_and_when(ada: Browser, school: School) -> None:
    page = words(ada.get(f"/admin/bookings/bulk/cancel?id={school.booked.id}").text)

    assert re.search(rf"{school.booked.reference} · \w+ \d+ \w+, \d\d:\d\d · Ann", page)


def _link_to(page: str, label: str) -> str:
    found = re.search(rf'href="([^"]+)">{label}</a>', page)
    assert found
    return found[1]
