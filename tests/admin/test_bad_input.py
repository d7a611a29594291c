"""Nothing that is typed into an address or a form gives a 5xx; the answer is words."""

from __future__ import annotations

import pytest
from flask import Flask

from guitaronline.admin import DESKS
from guitaronline.admin.command_page import commands
from tests.admin.browser import Browser, hidden, signed_in, words
from tests.admin.conftest import School
from tests.admin.test_commands import CASES, _url
from tests.world import World

PATHS = [desk.path for desk in DESKS]
ODD_QUERIES = [
    "page=-1", "page=1e3", "page=٣", "page=99999999999999999999", "page=201", "page=", "sort=99", "sort=-1", "sort=x",
    "sort=0&desc=x", "search=%00", "search=%25%27%22%3B--", "search=%F0%9F%8E%B8", "search=_", "state=%00", "state=nonsense", "day=yesteryear",
    "day=2026-13-45", "day=2026-02-30", "day=9999-12-31", "day=1000-01-01..2999-12-31", "day=2026-05-02..2026-05-01",
    "student=1", "student=%7B%7D", "teacher=00000000-0000-0000-0000-000000000000", "flt0_0=1", "unknown=1", "owner=somebody",
]  # fmt: skip
NOT_WITH_GARBAGE = {"RenewRecoveryCodes", "SignOutElsewhere", "InvitePerson"}  # nothing is typed there
ODD_IDS = ["", "1", "x", "%00", "' OR 1=1", "00000000-0000-0000-0000-000000000000", "9" * 400]


@pytest.fixture
def ada(app: Flask, world: World) -> Browser:
    world.slot()
    return signed_in(app, world.ada)


@pytest.mark.parametrize("path", PATHS)
def test_odd_addresses_of_lists_are_answered_with_a_list(ada: Browser, path: str) -> None:
    answered = {query: ada.get(f"/admin/{path}/?{query}").status_code for query in ODD_QUERIES}

    assert answered == dict.fromkeys(ODD_QUERIES, 200)


@pytest.mark.parametrize("path", PATHS)
def test_ids_of_nothing_are_not_found_in_words(ada: Browser, path: str) -> None:
    answers = [ada.get(f"/admin/{path}/details/?id={each}") for each in ODD_IDS[1:]]

    assert {answer.status_code for answer in answers} == {404}
    assert all("no such record" in words(answer.text) for answer in answers)


def test_a_command_page_of_no_record_is_not_found(ada: Browser) -> None:
    urls = [f"/admin/{page.path}" for page in commands.pages if page.record is not None]
    addresses = [url.replace("<uuid:id>", each) for url in urls for each in ("x", ODD_IDS[5])]

    assert {ada.get(each).status_code for each in addresses} == {404}


def test_a_note_about_nothing_is_not_found(ada: Browser) -> None:
    queries = ["", "?record_type=users", "?record_type=console_sessions&record_id=x", "?record_type=%00&record_id=%00"]

    assert {ada.get(f"/admin/{page}/new{query}").status_code for query in queries for page in ("notes", "tasks")} == {
        404
    }


def test_a_page_past_the_last_says_what_to_do(ada: Browser) -> None:
    page = words(ada.get("/admin/slots/?page=201").text)

    assert "narrow your filter" in page


def test_a_very_long_search_is_left_out(ada: Browser) -> None:
    answer = ada.get(f"/admin/people/?search={'x' * 5000}")

    assert answer.status_code == 200
    assert "at most 100 characters" in words(answer.text)


def test_a_value_that_means_nothing_is_named(ada: Browser) -> None:
    assert "means nothing for State" in words(ada.get("/admin/bookings/?state=flying").text)


GARBAGE = ["\x00\u202e\x07", "-1", ODD_IDS[5], "<script>alert(1)</script>" + "x" * 9000]


@pytest.mark.parametrize("garbage", GARBAGE, ids=[str(number) for number in range(len(GARBAGE))])
def test_garbage_in_every_field_is_answered_in_words(app: Flask, school: School, garbage: str) -> None:
    browser = signed_in(app, school.world.ada)
    urls = {name: _url(school, name, on) for name, (on, _, _) in CASES.items() if name not in NOT_WITH_GARBAGE}
    typed = {
        name: dict.fromkeys({*CASES[name][2](school), "reason"}, garbage) | {"record_type": "users"} for name in urls
    }

    answers = {name: browser.post(url, typed[name]) for name, url in urls.items()}

    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code >= 500} == {}
    assert [name for name, answer in answers.items() if "<script>alert" in answer.text] == []


def test_a_tampered_version_or_key_is_refused_in_words(app: Flask, school: School) -> None:
    browser = signed_in(app, school.world.ada)
    url = f"/admin/bookings/{school['booked'].id}/cancel"
    opened = browser.get(url).text
    odd = [
        {"version": "x"},
        {"version": "9" * 20},
        {"version": "-1"},
        {"key": ""},
        {"key": "x" * 300},
        {"key": "\x00" * 10},
        {"version": ""},
    ]

    answers = [browser.post(url, {"cause": "flying", "reason": "why", **each}, opened=opened) for each in odd]

    assert {answer.status_code for answer in answers} == {422}


def test_a_body_that_is_too_large_is_refused_in_words(ada: Browser) -> None:
    token = hidden(ada.get("/admin/people/new").text)

    answer = ada.send("POST", "/admin/people/new", data={**token, "full_name": "x" * 1_100_000})

    assert answer.status_code == 413
    assert "too much at once" in words(answer.text)
