"""One's own account in the console: the app that has to be set up first, confirming that it is you, and one's devices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from guitaronline import clock, policy
from guitaronline.audit.models import IdempotencyKey
from guitaronline.identity import links
from guitaronline.identity.models import SignInLink, TokenFamily
from guitaronline.identity.recovery import HOW_MANY
from tests.admin.browser import Browser, signed_in, signed_in_by_password, words
from tests.admin.conftest import School, actions
from tests.signing_in import code_of, now_code, signed_in_app, with_app
from tests.world import PASSWORD, World

SECRET = re.compile(r'<p class="once" tabindex="0">([A-Z2-7]{32})</p>')
INPUT = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


@pytest.fixture
def required() -> Iterator[None]:
    with policy.changed(STAFF_TOTP="required"):
        yield


def shown_secret(page: TestResponse) -> str:
    found = SECRET.search(page.text)
    assert found
    return found[1]


def confirmed(browser: Browser, asking: TestResponse, url: str, **typed: str) -> TestResponse:
    """What the page that asks sends on: all that was typed, with the password."""
    carried = [(unescape(name), unescape(value)) for name, value in INPUT.findall(asking.text)]
    body = {name: [value for each, value in carried if each == name] for name, _ in carried}
    return browser.send("POST", url, data={**body, "confirm_password": PASSWORD, **typed})


# The app that has to be set up


def test_without_it_nothing_but_setting_it_up_is_open(required: None, app: Flask, world: World) -> None:
    browser = signed_in_by_password(app, world.sue)
    opened = browser.get("/admin/account/authenticator")

    pages = [browser.get(url) for url in ("/admin/", "/admin/people/", "/admin/account/", "/admin/account/password")]
    sent = browser.post("/admin/people/new", {"full_name": "Eve"}, opened=opened.text)

    assert {each.headers.get("Location") for each in pages} == {"/admin/account/authenticator"}
    assert sent.status_code == 403
    assert opened.status_code == 200
    assert "nothing else is open until it works" in words(opened.text).lower()
    assert "/admin/people" not in opened.text


def test_a_code_of_the_shown_secret_opens_the_rest(required: None, app: Flask, world: World) -> None:
    browser = signed_in_by_password(app, world.sue)
    page = browser.get("/admin/account/authenticator")
    code = code_of(shown_secret(page), world.now)

    wrong = browser.post("/admin/account/authenticator", {"code": "000000"})
    done = browser.post("/admin/account/authenticator", {"code": f" {code[:3]} {code[3:]}"})

    assert wrong.status_code == 401
    assert shown_secret(wrong) == shown_secret(page)
    assert done.status_code == 200
    assert len(re.findall(r'<li class="once">[A-Z2-7-]{19}</li>', done.text)) == HOW_MANY
    assert browser.get("/admin/").status_code == 200


def test_the_picture_needs_no_style_no_script_and_no_other_address(app: Flask, world: World) -> None:
    page = signed_in(app, world.sue).get("/admin/account/authenticator")
    picture = page.text[page.text.index('class="qr"') : page.text.index("</svg>", page.text.index('class="qr"'))]

    assert "style" not in picture
    assert "href" not in picture
    assert "<title>QR code" in picture


def test_a_recovery_code_signs_in_at_the_page(app: Flask, world: World) -> None:
    browser = signed_in_by_password(app, world.sue)
    code = code_of(shown_secret(browser.get("/admin/account/authenticator")), world.now)
    shown = browser.post("/admin/account/authenticator", {"code": code}).text
    recovery = re.findall(r'<li class="once">([A-Z2-7-]{19})</li>', shown)[0]
    typed = ("", recovery.lower(), recovery)

    answers = [Browser(app).sign_in("sue@people.example", otp=each).status_code for each in typed]

    assert answers == [401, 303, 401]


def test_an_admin_resets_it_and_the_person_begins_anew(required: None, app: Flask, world: World) -> None:
    with_app(world.ada)
    ada = signed_in(app, world.ada)
    with_app(world.sue)

    done = ada.post(f"/admin/people/{world.sue.id}/authenticator/reset", {"reason": "lost the phone"})
    own = ada.get(f"/admin/people/{world.ada.id}/authenticator/reset")
    sue = signed_in_by_password(app, world.sue)

    assert done.status_code == 303
    assert "Nobody resets their own" in words(own.text)
    assert sue.get("/admin/").headers["Location"] == "/admin/account/authenticator"


# Confirming that it is you


@pytest.fixture
def late_ada(app: Flask, world: World) -> Browser:
    """Ada, who signed in a quarter of an hour ago."""
    with clock.moved_by(timedelta(minutes=-15)):
        return signed_in_by_password(app, world.ada)


def test_a_refund_asks_first_keeps_what_was_typed_and_is_done_once(late_ada: Browser, school: School) -> None:
    url = f"/admin/payments/{school['paid'].id}/refund"
    typed = {"amount": "5", "cancel": [str(school["booked"].id)], "reason": "a <long> & careful reason"}

    asking = late_ada.post(url, typed)
    nothing_yet = actions("refund.ask_with_bookings")
    wrong = confirmed(late_ada, asking, url, confirm_password="not it at all")
    done = confirmed(late_ada, wrong, url)
    again = confirmed(late_ada, wrong, url)

    assert (asking.status_code, wrong.status_code, done.status_code) == (403, 401, 303)
    assert "Is it you?" in words(asking.text)
    assert "a &lt;long&gt; &amp; careful reason" in asking.text
    assert nothing_yet == 0
    assert again.headers["Location"] == done.headers["Location"]
    assert actions("refund.ask_with_bookings") == 1


def test_it_is_not_asked_again_for_ten_minutes(late_ada: Browser, world: World) -> None:
    typed = {"role": "auditor", "reason": "moved"}
    url = f"/admin/people/{world.sue.id}/role"
    first = confirmed(late_ada, late_ada.post(url, typed), url)

    second = late_ada.post(f"/admin/people/{world.finn.id}/role", typed)

    assert (first.status_code, second.status_code) == (303, 303)


def test_with_an_app_the_code_is_asked_for_too(app: Flask, world: World) -> None:
    signed_in_by_password(app, world.ada)
    with_app(world.ada)
    with clock.moved_by(timedelta(minutes=-15)):
        ada = signed_in(app, world.ada)
    url = f"/admin/people/{world.sue.id}/role"
    asking = ada.post(url, {"role": "auditor", "reason": "moved"})

    without = confirmed(ada, asking, url)
    done = confirmed(ada, without, url, confirm_code=now_code(world.ada))

    assert (without.status_code, done.status_code) == (401, 303)


def test_a_file_with_personal_data_asks_first(late_ada: Browser, world: World) -> None:
    assert world.ann
    page = late_ada.get("/admin/people/?role=student").text
    token = {"csrf_token": re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]}
    typed = {**token, "format": "csv", "role": "student", "columns": ["full_name", "email"]}

    asking = late_ada.send("POST", "/admin/people/export", data=typed)
    file = confirmed(late_ada, asking, "/admin/people/export")
    slots = late_ada.send("POST", "/admin/slots/export", data={**token, "format": "csv"})

    assert asking.status_code == 403
    assert file.content_type.startswith("text/csv")
    assert "ann@people.example" in file.text
    assert slots.status_code == 200


def test_ordinary_work_asks_for_nothing(late_ada: Browser, world: World) -> None:
    answer = late_ada.post(
        f"/admin/people/{world.ann.id}/edit", {"full_name": "Ann B", "email": "ann@people.example", "timezone": "UTC"}
    )

    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/admin/people/new", {"full_name": "Eve", "email": "eve@people.example", "timezone": "UTC", "role": "admin"}),
        ("/admin/people/{sue}/edit", {"full_name": "Sue", "email": "thief@people.example", "timezone": "UTC"}),
        ("/admin/people/{sue}/invite", {}),
        ("/admin/people/{sue}/authenticator/reset", {"reason": "lost"}),
        ("/admin/tax-rates/new", {"country": "AT", "rate": "20", "valid_from": "2026-12-01"}),
    ],
)
def test_what_a_thief_of_an_open_browser_would_want_asks_first(
    late_ada: Browser, world: World, path: str, typed: dict[str, str]
) -> None:
    with_app(world.sue)
    before = actions()

    answer = late_ada.post(path.format(sue=world.sue.id), typed)

    assert answer.status_code == 403
    assert "Is it you?" in words(answer.text)
    assert actions() == before


def test_no_digest_of_the_password_is_kept(db: Session, late_ada: Browser, world: World) -> None:
    url = f"/admin/people/{world.sue.id}/role"
    asking = late_ada.post(url, {"role": "auditor", "reason": "moved"})
    confirmed(late_ada, asking, url)
    kept = db.scalars(select(IdempotencyKey)).one().body_hash
    fresh = late_ada.post(url, {"role": "auditor", "reason": "moved"}, opened=asking.text)

    assert fresh.status_code == 303  # the same request, without the password: the same digest
    assert db.scalars(select(IdempotencyKey)).one().body_hash == kept


# Devices and address


def test_the_page_tells_where_one_is_signed_in_and_signs_out_there(app: Flask, world: World) -> None:
    here, there = signed_in_by_password(app, world.sue), signed_in(app, world.sue)
    phone = signed_in_app(world.sue, address="192.0.2.9")

    page = here.get("/admin/account/").text
    one = here.post(f"/admin/account/devices/sign-out?device_id={phone.id}", {"device_id": str(phone.id)})
    rest = here.post("/admin/account/sign-out-elsewhere", {})

    assert "192.0.2.9" in words(page)
    assert words(page).count("this one") == 1
    assert (one.status_code, rest.status_code) == (303, 303)
    assert there.get("/admin/").status_code == 303
    assert here.get("/admin/").status_code == 200


def test_nobody_signs_out_somebody_elses_device(app: Flask, world: World) -> None:
    phone = signed_in_app(world.ada)

    answer = signed_in(app, world.sue).post("/admin/account/devices/sign-out", {"device_id": str(phone.id)})

    assert answer.status_code == 404
    assert actions("person.sign_out_device") == 0


def path_of_newest(db: Session) -> str:
    """Of the newest link, as it stands in the mail."""
    db.rollback()
    link = db.scalars(select(SignInLink).order_by(SignInLink.id.desc()).limit(1)).one()
    return str(links.url_of(link)).removeprefix("http://127.0.0.1:8000")


def test_a_change_of_address_from_the_page_to_the_undoing(app: Flask, db: Session, world: World) -> None:
    sue = signed_in_by_password(app, world.sue)
    wrong = sue.post("/admin/account/email", {"email": "sue@new.example", "password": "not it at all"})
    asked = sue.post("/admin/account/email", {"email": "sue@new.example", "password": PASSWORD})
    stranger, link = Browser(app), path_of_newest(db)
    looked = stranger.get(link)
    done = stranger.post(link, {})
    undo = path_of_newest(db)
    question = stranger.get(undo)
    undone = stranger.post(undo, {})

    assert (wrong.status_code, asked.status_code) == (401, 303)
    assert "sue@new.example" in words(looked.text)
    assert (done.status_code, question.status_code, undone.status_code) == (303, 200, 303)
    assert undone.headers["Location"].startswith("/reset/")
    assert stranger.get(undone.headers["Location"]).status_code == 200
    assert stranger.get(undo).status_code == stranger.get(link).status_code == 404
    assert sue.get("/admin/").status_code == 303


def test_the_address_waits_until_it_is_confirmed(app: Flask, db: Session, world: World) -> None:
    sue = signed_in_by_password(app, world.sue)
    sue.post("/admin/account/email", {"email": "sue@new.example", "password": PASSWORD})

    page = words(sue.get("/admin/account/").text)

    assert "sue@new.example was mailed there" in page
    assert world.again(world.sue).email == "sue@people.example"


def test_a_teacher_has_the_same_in_the_portal(app: Flask, db: Session, world: World) -> None:
    tom = signed_in_by_password(app, world.tom)
    phone, tablet = signed_in_app(world.tom), signed_in_app(world.tom)
    page = tom.get("/teacher/account")

    one = tom.post(f"/teacher/account/devices/{phone.id}/sign-out", {}, opened=page.text)
    wrong = tom.post("/teacher/account/email", {"email": "tom@new.example", "password": "not it at all"})
    asked = tom.post("/teacher/account/email", {"email": "tom@new.example", "password": PASSWORD})
    rest = tom.post("/teacher/account/sign-out-elsewhere", {}, opened=tom.get("/teacher/account").text)

    assert page.status_code == 200
    assert "phone" in words(page.text)
    assert [each.status_code for each in (one, wrong, asked, rest)] == [303, 401, 303, 303]
    assert path_of_newest(db).startswith("/address/gol_ea_")
    assert actions("person.sign_out_device") == 1
    assert world.reloaded(TokenFamily, tablet.id).revoked_at
