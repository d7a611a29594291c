"""The pages that links in mails lead to: looking changes nothing, the button does, and a used link says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import ANONYMOUS, SYSTEM, Role
from guitaronline.audit.models import OutboxEvent
from guitaronline.identity import links
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.service import invite_person, register_student, set_password
from tests.admin.browser import Browser, hidden, signed_in, words
from tests.portal.conftest import actions
from tests.world import PASSWORD, World

NEW = {"password": "eight brass trumpets play", "again": "eight brass trumpets play"}


def newest(db: Session) -> str:
    """The path of the newest link, as it stands in the mail."""
    db.rollback()
    link = db.scalars(select(SignInLink).order_by(SignInLink.id.desc()).limit(1)).one()
    return str(links.url_of(link)).removeprefix("http://127.0.0.1:8000")


@pytest.fixture
def forgetful(app: Flask, db: Session, world: World) -> str:
    """The path of the link that Sue asked for."""
    assert world.sue
    Browser(app).post("/forgot", {"email": "sue@people.example"})
    return newest(db)


@pytest.fixture
def kim(world: World) -> User:
    return register_student(ANONYMOUS, email="kim@people.example", password=PASSWORD, full_name="Kim")


def test_every_purpose_has_its_page(app: Flask) -> None:
    pages = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("links.")}

    assert {f"{path}<token>" for path in links.PATHS.values()} <= pages
    assert set(links.PATHS) == set(links.PREFIXES) == set(LinkPurpose)


def test_the_page_to_sign_in_leads_to_a_new_password(app: Flask) -> None:
    assert 'href="/forgot"' in Browser(app).get("/sign-in").text

    with policy.changed(MAIL_TRANSPORT="off"):
        assert 'href="/forgot"' not in Browser(app).get("/sign-in").text
        assert "Ask the school" in words(Browser(app).get("/forgot").text)


def test_asking_says_the_same_whoever_is_asked_about(app: Flask, db: Session, world: World) -> None:
    assert world.sue
    answers, pages = [], []
    known, unknown = Browser(app), Browser(app)

    answers = [
        known.post("/forgot", {"email": "sue@people.example"}),
        unknown.post("/forgot", {"email": "who@x.example"}),
    ]
    pages = [words(each.get("/sign-in").text) for each in (known, unknown)]

    assert [(each.status_code, each.headers["Location"]) for each in answers] == [(303, "/sign-in")] * 2
    assert pages[0] == pages[1]
    assert "If somebody is registered with that address" in pages[0]
    assert db.scalars(select(OutboxEvent.topic)).all() == ["person.password_forgotten"]


def test_asking_without_an_address_is_refused(app: Flask) -> None:
    assert Browser(app).post("/forgot", {"email": ""}).status_code == 422


def test_asking_too_often_is_refused_in_words(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from guitaronline.identity import forgotten

    monkeypatch.setattr(forgotten, "ASKS_PER_ADDRESS", 1)
    browser = Browser(app)
    browser.post("/forgot", {"email": "who@people.example"})

    answer = browser.post("/forgot", {"email": "another@people.example"})

    assert answer.status_code == 429
    assert "Too many attempts" in words(answer.text)


def test_staff_choose_a_new_password_and_sign_in(app: Flask, forgetful: str) -> None:
    browser = Browser(app)

    done = browser.post(forgetful, NEW)

    assert done.headers["Location"] == "/sign-in"
    assert browser.sign_in("sue@people.example", NEW["password"]).headers["Location"] == "/admin/"


def test_looking_at_a_link_changes_nothing(app: Flask, forgetful: str) -> None:
    before = actions()

    pages = [Browser(app).get(forgetful) for _ in range(3)]

    assert {page.status_code for page in pages} == {200}
    assert {page.headers["Referrer-Policy"] for page in pages} == {"strict-origin"}
    assert "sue@people.example" in pages[0].text
    assert actions() == before


@pytest.mark.parametrize(("referrer", "status"), [("https://localhost/", 303), ("", 400)])
def test_over_https_the_host_alone_is_enough(
    app: Flask, monkeypatch: pytest.MonkeyPatch, forgetful: str, referrer: str, status: int
) -> None:
    """What a browser sends as the page that a form came from, under the policy of that page; without it, nothing passes."""
    monkeypatch.setitem(app.config, "WTF_CSRF_SSL_STRICT", True)
    browser, over = Browser(app), {"base_url": "https://localhost"}
    opened = browser.get(forgetful, **over).text

    answer = browser.send("POST", forgetful, data={**hidden(opened), **NEW}, headers={"Referer": referrer}, **over)

    assert answer.status_code == status


def test_a_used_link_says_so_and_leads_on(app: Flask, forgetful: str) -> None:
    Browser(app).post(forgetful, NEW)

    page = Browser(app).get(forgetful)

    assert page.status_code == 404
    assert "does not work any more" in words(page.text)
    assert 'href="/forgot"' in page.text


def test_a_link_used_while_its_page_was_open_says_so(app: Flask, forgetful: str) -> None:
    browser = Browser(app)
    opened = browser.get(forgetful).text
    Browser(app).post(forgetful, NEW)

    answer = browser.post(forgetful, NEW, opened=opened)

    assert answer.status_code == 404
    assert "does not work any more" in words(answer.text)


def test_a_weak_password_is_refused_with_the_reason_and_the_link_lives_on(app: Flask, forgetful: str) -> None:
    short = Browser(app).post(forgetful, {"password": "short", "again": "short"})
    unlike = Browser(app).post(forgetful, {**NEW, "again": "nine"})

    assert (short.status_code, unlike.status_code) == (422, 422)
    assert "at least 15" in words(short.text)
    assert "not the same" in words(unlike.text)
    assert Browser(app).get(forgetful).status_code == 200


def test_what_is_sent_without_a_token_of_the_form_is_refused(app: Flask, forgetful: str) -> None:
    answer = Browser(app).send("POST", forgetful, data=NEW)

    assert answer.status_code == 400
    assert Browser(app).get(forgetful).status_code == 200


def test_a_student_chooses_here_and_signs_in_with_the_app(app: Flask, db: Session, kim: User) -> None:
    browser = Browser(app)
    browser.post("/forgot", {"email": "kim@people.example"})

    done = browser.post(newest(db), {"password": "twelve signs", "again": "twelve signs"})

    assert done.headers["Location"] == "/"
    assert "in the app" in words(browser.get("/").text)


@pytest.mark.parametrize("path", ["/reset/", "/verify/", "/invitation/"])
@pytest.mark.parametrize("token", ["gol_pw_guess", "%00", "%ed%a0%80", "x" * 3000])
def test_a_guessed_link_is_no_page(app: Flask, db: Session, path: str, token: str) -> None:
    page = Browser(app).get(path + token)

    assert page.status_code == 404
    assert "does not work any more" in words(page.text)


def test_a_link_leads_to_its_own_page_only(app: Flask, forgetful: str) -> None:
    assert Browser(app).get(forgetful.replace("/reset/", "/invitation/")).status_code == 404
    assert Browser(app).get(forgetful.replace("/reset/", "/verify/")).status_code == 404


def test_an_address_is_confirmed_by_the_button_alone(app: Flask, db: Session, world: World, kim: User) -> None:
    link, browser = newest(db), Browser(app)
    page = browser.get(link)
    before = world.again(kim).email_verified_at

    done = browser.post(link, {})

    assert "kim@people.example" in page.text
    assert before is None
    assert world.again(kim).email_verified_at is not None
    assert done.headers["Location"] == "/"
    assert "Your address is confirmed" in words(browser.get("/").text)
    assert browser.get(link).status_code == 404


def test_an_invitation_goes_by_mail_and_shows_no_link(app: Flask, db: Session, world: World) -> None:
    browser = signed_in(app, world.sue)
    invite = f"/admin/people/{world.ann.id}/invite"

    opened = browser.get(invite)
    done = browser.post(invite, {}, opened=opened.text)

    assert "A link is mailed to ann@people.example" in words(opened.text)
    assert done.status_code == 303
    assert "gol_in_" not in browser.get(done.headers["Location"]).text
    assert db.scalars(select(OutboxEvent.topic).where(OutboxEvent.topic == "person.invited")).all() == [
        "person.invited"
    ]
    assert Browser(app).get(newest(db)).status_code == 200


def test_a_second_click_sends_no_second_invitation(app: Flask, db: Session, world: World) -> None:
    browser = signed_in(app, world.sue)
    invite = f"/admin/people/{world.ann.id}/invite"
    opened = browser.get(invite).text

    answers = [browser.post(invite, {}, opened=opened).status_code for _ in range(2)]

    assert answers == [303, 303]
    assert len(db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "person.invited")).all()) == 1


def test_where_no_mail_is_sent_the_link_is_shown_once(app: Flask, db: Session, world: World) -> None:
    browser = signed_in(app, world.sue)
    invite = f"/admin/people/{world.ann.id}/invite"

    with policy.changed(MAIL_TRANSPORT="off"):
        shown = browser.post(invite, {})

    assert newest(db) in shown.text
    assert "person.invited" not in db.scalars(select(OutboxEvent.topic)).all()


def test_an_invitation_lives_its_hours(app: Flask, db: Session, world: World) -> None:
    invite_person(SYSTEM, world.person("Noa", Role.SUPPORT).id)

    with clock.moved_by(timedelta(hours=73)):
        assert Browser(app).get(newest(db)).status_code == 404


def test_a_browser_keeps_a_cookie_by_which_it_is_known(app: Flask, db: Session, world: World) -> None:
    set_password(SYSTEM, world.sue.id, password=PASSWORD)
    browser = Browser(app)

    answer = browser.sign_in("sue@people.example")
    browser.post("/sign-out", {}, opened=browser.get("/admin/").text)
    browser.sign_in("sue@people.example")
    Browser(app).sign_in("sue@people.example")

    cookie = next(each for each in answer.headers.getlist("Set-Cookie") if each.startswith("gol-browser="))
    news = db.scalars(select(OutboxEvent.topic).where(OutboxEvent.topic == "person.new_device")).all()
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert len(news) == 1


def test_the_page_of_a_person_says_whether_the_address_is_confirmed(
    app: Flask, db: Session, world: World, kim: User
) -> None:
    browser = signed_in(app, world.sue)
    page = f"/admin/people/details/?id={kim.id}"
    before = words(browser.get(page).text)
    Browser(app).post(newest(db), {})

    assert "Confirmed not yet" in before
    assert "Confirmed not yet" not in words(browser.get(page).text)
