"""A teacher changes their own password."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.audit.models import IdempotencyKey
from tests.admin.browser import Browser, signed_in_by_password, words
from tests.world import PASSWORD, World

NEW = "eight brass trumpets play"


def test_the_new_password_holds_and_this_browser_stays_signed_in(app: Flask, world: World) -> None:
    here = signed_in_by_password(app, world.tom)
    there = Browser(app)
    there.sign_in("tom@people.example")

    done = here.post("/teacher/password", {"old": PASSWORD, "new": NEW})

    assert done.headers["Location"] == "/teacher/"
    assert "Your password is changed" in words(here.get("/teacher/").text)
    assert there.get("/teacher/").status_code == 303
    assert Browser(app).sign_in("tom@people.example", NEW).status_code == 303


def test_a_wrong_present_password_changes_nothing(app: Flask, world: World) -> None:
    here = signed_in_by_password(app, world.tom)

    refused = here.post("/teacher/password", {"old": "not it at all", "new": NEW})

    assert refused.status_code == 401
    assert "This is not your present password" in words(refused.text)
    assert "not it at all" not in refused.text
    assert Browser(app).sign_in("tom@people.example").status_code == 303


def test_an_unfit_one_is_refused_at_its_field(app: Flask, world: World) -> None:
    here = signed_in_by_password(app, world.tom)

    short = here.post("/teacher/password", {"old": PASSWORD, "new": "short"})
    empty = here.post("/teacher/password", {"old": "", "new": ""})

    assert (short.status_code, empty.status_code) == (422, 422)
    assert "at least 15" in words(short.text)
    assert "A new password is needed" in words(empty.text)


def test_no_digest_of_a_password_is_kept_with_the_answer(app: Flask, db: Session, world: World) -> None:
    here = signed_in_by_password(app, world.tom)

    here.post("/teacher/password", {"old": PASSWORD, "new": NEW})

    assert db.scalars(select(IdempotencyKey)).all() == []


def test_the_menu_leads_there(app: Flask, world: World) -> None:
    tom = signed_in_by_password(app, world.tom)

    assert 'href="/teacher/account"' in tom.get("/teacher/").text
    assert 'href="/teacher/password"' in tom.get("/teacher/account").text
