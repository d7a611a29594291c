"""Signing in and out: the cookie is a random token, its row in the database decides what it is worth."""

from __future__ import annotations

from flask import Flask

from guitaronline.actor import SYSTEM, Role
from guitaronline.identity.service import create_person, deactivate_person, invite_person, set_password, set_role
from tests.admin.browser import Browser, signed_in, words
from tests.world import PASSWORD, World, as_actor


def test_staff_sign_in_and_see_today(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)

    page = browser.get("/admin/")

    assert page.status_code == 200
    assert "Sue" in words(page.text)


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(app: Flask, world: World) -> None:
    set_password(SYSTEM, world.sue.id, password=PASSWORD)

    answer = Browser(app).sign_in("sue@people.example")

    cookie = next(each for each in answer.headers.getlist("Set-Cookie") if each.startswith("gol="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Max-Age" not in cookie


def test_a_copied_cookie_is_worth_nothing_after_signing_out(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)
    copied = browser.client.get_cookie("gol")

    browser.post("/sign-out", {}, opened=browser.get("/admin/").text)
    thief = Browser(app)
    thief.client.set_cookie("gol", copied.value if copied else "")

    assert thief.get("/admin/").status_code == 303


def test_a_wrong_password_is_refused_in_words(app: Flask, world: World) -> None:
    assert world.sue

    answer = Browser(app).sign_in("sue@people.example", "not the password at all")

    assert answer.status_code == 401
    assert "E-mail address or password is wrong" in words(answer.text)


def test_a_teacher_lands_in_the_portal_and_is_shown_the_way_from_the_console(app: Flask, world: World) -> None:
    set_password(SYSTEM, world.tom.id, password=PASSWORD)
    browser = Browser(app)

    landed = browser.sign_in("tom@people.example")
    console = browser.get("/admin/")

    assert landed.headers["Location"] == "/teacher/"
    assert console.status_code == 403
    assert 'href="/teacher/"' in console.text
    assert "The console is for staff" in words(console.text)


def test_a_student_is_sent_to_the_app(app: Flask, world: World) -> None:
    set_password(SYSTEM, world.ann.id, password=PASSWORD)

    answer = Browser(app).sign_in("ann@people.example")

    assert answer.status_code == 403
    assert "app" in words(answer.text)


def test_a_lost_role_holds_on_the_very_next_request(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)
    assert browser.get("/admin/bookings/new").status_code == 200

    set_role(as_actor(world.ada), world.sue.id, role=Role.AUDITOR, reason="moved")

    assert browser.get("/admin/bookings/new").status_code in (303, 403)


def test_a_deactivated_person_is_out_on_the_very_next_request(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)

    deactivate_person(as_actor(world.ada), world.sue.id, reason="left")

    assert browser.get("/admin/").status_code == 303


def test_signing_in_leads_on_to_the_page_that_was_asked_for(app: Flask, world: World) -> None:
    set_password(SYSTEM, world.sue.id, password=PASSWORD)
    browser = Browser(app)
    asked = browser.get("/admin/lessons/?outcome=missing").headers["Location"]

    answer = browser.client.get(asked)
    next_hidden = 'value="/admin/lessons/?outcome=missing"' in answer.text

    signed = browser.sign_in("sue@people.example", next="/admin/lessons/?outcome=missing")
    assert next_hidden
    assert signed.headers["Location"] == "/admin/lessons/?outcome=missing"


def test_signing_in_never_leads_to_another_site(app: Flask, world: World) -> None:
    set_password(SYSTEM, world.sue.id, password=PASSWORD)
    targets = ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\x00/x", "evil"]

    led_to = [Browser(app).sign_in("sue@people.example", next=target).headers.get("Location") for target in targets]

    assert led_to == ["/admin/"] * len(targets)


def test_a_form_without_its_token_is_refused_and_what_was_typed_is_shown(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)

    answer = browser.send("POST", "/admin/people/new", data={"full_name": "Nobody Typed Twice"})

    assert answer.status_code == 400
    assert "out of date" in words(answer.text)
    assert "Nobody Typed Twice" in words(answer.text)


def test_a_form_sent_after_signing_out_shows_what_was_typed(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)
    opened = browser.get("/admin/people/new").text
    browser.client.delete_cookie("gol")

    answer = browser.post("/admin/people/new", {"full_name": "Nobody Typed Twice"}, opened=opened)

    assert answer.status_code == 401
    assert "Nobody Typed Twice" in words(answer.text)


def test_a_password_typed_after_signing_out_is_not_shown(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)
    opened = browser.get("/admin/account/password").text
    typed = {"old_password": "six old strings", "new_password": "seven wooden drums hum"}
    browser.client.delete_cookie("gol")

    late = browser.post("/admin/account/password", typed, opened=opened)
    forged = browser.send("POST", "/admin/account/password", data=typed)

    assert (late.status_code, forged.status_code) == (401, 400)
    assert "strings" not in late.text + forged.text
    assert "drums" not in late.text + forged.text


def test_an_invited_person_chooses_a_password_once(app: Flask, world: World) -> None:
    ada = as_actor(world.ada)
    person = create_person(ada, role=Role.SUPPORT, full_name="Noa", email="noa@people.example")
    link = f"/invitation/{invite_person(ada, person.id)}"
    browser = Browser(app)

    answer = browser.post(link, {"password": PASSWORD, "again": PASSWORD})

    assert answer.headers["Location"] == "/sign-in"
    assert browser.sign_in("noa@people.example").headers["Location"] == "/admin/"
    assert browser.get(link).status_code == 404


def test_a_weak_password_is_refused_with_the_reason_and_the_link_lives_on(app: Flask, world: World) -> None:
    ada = as_actor(world.ada)
    person = create_person(ada, role=Role.SUPPORT, full_name="Noa", email="noa@people.example")
    link = f"/invitation/{invite_person(ada, person.id)}"

    answer = Browser(app).post(link, {"password": "short", "again": "short"})

    assert answer.status_code == 422
    assert "15" in words(answer.text)
    assert Browser(app).get(link).status_code == 200


def test_a_guessed_invitation_is_no_page(app: Flask, world: World) -> None:
    assert Browser(app).get("/invitation/gol_in_guess").status_code == 404


def test_two_clients_of_one_test_share_nothing(app: Flask, world: World) -> None:
    assert signed_in(app, world.sue).get("/admin/").status_code == 200

    assert Browser(app).get("/admin/").status_code == 303
