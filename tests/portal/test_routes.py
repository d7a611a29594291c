"""Every route of the portal names a permission; teachers come in, nobody else, and only to what is their own."""

from __future__ import annotations

import pytest
from flask import Flask

from guitaronline.actor import SYSTEM, Role
from guitaronline.booking.models import Booking
from guitaronline.identity import access
from guitaronline.identity.access import Scope
from guitaronline.identity.service import set_password
from guitaronline.lessons.models import Lesson
from guitaronline.portal import gate
from tests.admin.browser import Browser, signed_in, words
from tests.portal.conftest import actions
from tests.world import PASSWORD, World

STAFF = {Role.SUPPORT: "sue", Role.FINANCE: "finn", Role.AUDITOR: "audrey", Role.ADMIN: "ada"}


def addresses(app: Flask, record_id: object) -> dict[str, tuple[str, set[str]]]:
    """Every route by its name: its address about that record, and its methods."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in gate.portal_endpoints(app)]
    return {
        rule.endpoint: (rule.rule.replace("<uuid:id>", str(record_id)), set(rule.methods or ()) & {"GET", "POST"})
        for rule in rules
    }


def test_every_route_names_a_permission_that_teachers_have_for_their_own(app: Flask) -> None:
    needed = {each: gate.permission_of(app, each) for each in gate.portal_endpoints(app)}

    assert len(needed) > 20
    assert None not in needed.values()
    assert {access.TABLE[each][Role.TEACHER] for each in needed.values() if each} == {Scope.OWN}


def test_start_up_fails_for_a_route_without_a_permission() -> None:
    bare = Flask("bare")
    bare.add_url_rule("/teacher/back-door", "back_door", lambda: "come in")

    with pytest.raises(RuntimeError, match="back_door"):
        gate.guard(bare)


@pytest.mark.parametrize("role", STAFF)
def test_staff_are_shown_the_way_to_the_console(app: Flask, world: World, booked: Booking, role: Role) -> None:
    browser = signed_in(app, getattr(world, STAFF[role]))
    pages = {name: url for name, (url, methods) in addresses(app, booked.id).items() if "GET" in methods}

    answers = {name: browser.get(url) for name, url in pages.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(pages, 403)
    assert 'href="/admin/"' in answers["portal.today"].text


def test_no_post_of_staff_gets_in(app: Flask, world: World, booked: Booking) -> None:
    browser = signed_in(app, world.ada)
    token = browser.get("/admin/account/password").text
    posts = {name: url for name, (url, methods) in addresses(app, booked.id).items() if "POST" in methods}
    before = actions()

    answered = {name: browser.post(url, {}, opened=token).status_code for name, url in posts.items()}

    assert answered == dict.fromkeys(posts, 403)
    assert actions() == before


def test_a_stranger_is_asked_to_sign_in_everywhere(app: Flask, booked: Booking) -> None:
    stranger = Browser(app)
    pages = [url for url, methods in addresses(app, booked.id).values() if "GET" in methods]

    assert {stranger.get(url).headers.get("Location", "")[:9] for url in pages} == {"/sign-in?"}


def test_a_student_does_not_get_in(app: Flask, world: World) -> None:
    set_password(SYSTEM, world.ann.id, password=PASSWORD)
    browser = Browser(app)

    answer = browser.sign_in("ann@people.example")

    assert answer.status_code == 403
    assert browser.get("/teacher/").status_code == 303


def test_another_teachers_records_look_as_if_they_did_not_exist(
    app: Flask, world: World, booked: Booking, begun: Lesson
) -> None:
    tina = signed_in(app, world.tina)
    ids = (booked.id, begun.booking_id, booked.slot_id, world.ann.id)
    routes = [url for each in ids for url, _ in addresses(app, each).values() if str(each) in url]
    token = tina.get("/teacher/profile").text
    before = actions()

    seen = {tina.get(url).status_code for url in routes}
    sent = {tina.post(url, {"reason": "mine"}, opened=token).status_code for url in routes}

    assert seen <= {404, 405}
    assert sent <= {404, 405}
    assert actions() == before


def test_what_is_sent_without_a_token_is_refused(tom: Browser, begun: Lesson) -> None:
    before = actions()

    answer = tom.send("POST", f"/teacher/bookings/{begun.booking_id}/taken", data={"key": "12345678"})

    assert answer.status_code == 400
    assert actions() == before


def test_pages_carry_the_strict_policy_and_are_not_stored(tom: Browser) -> None:
    answer = tom.get("/teacher/hours")

    assert "script-src 'self' 'nonce-" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert " style=" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/teacher/calendar?day=9999-99-99",
        "/teacher/calendar?day=%00",
        "/teacher/calendar?day=2000-01-01",
        "/teacher/calendar?day=2099-12-31",
        "/teacher/students?page=-1",
        "/teacher/students?page=999",
        "/teacher/lessons?month=2026-13",
        "/teacher/lessons?month=2099-12",
        "/teacher/time-off/new?day=1e9",
    ],
)
def test_odd_addresses_show_a_page(tom: Browser, path: str) -> None:
    assert tom.get(path).status_code == 200


def test_a_page_that_does_not_exist_leads_back_to_the_portal(tom: Browser) -> None:
    answer = tom.get("/teacher/bookings/00000000-0000-0000-0000-000000000000")

    assert answer.status_code == 404
    assert 'href="/teacher/"' in answer.text
    assert "There is no such record" in words(answer.text)
