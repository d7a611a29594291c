"""One SECRET_KEY after another: who is signed in stays so, open forms post, links in mails work, pages of lists go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

import config
from guitaronline import create_app, policy
from guitaronline.actor import SYSTEM
from guitaronline.admin import cursor
from guitaronline.admin.listing import Order, Place
from guitaronline.db import new_id
from guitaronline.identity import links
from guitaronline.identity.models import SignInLink, User
from guitaronline.identity.service import invite_person, set_password
from guitaronline.notifications import unsubscribing
from guitaronline.notifications.models import Preference
from tests.admin.browser import Browser, signed_in
from tests.world import PASSWORD, World, as_actor

NEW = "a new secret, xE5-pL9sNc2Ud-hG4fMa1Wj"
ORDER = Order(User.full_name, User.id)


@pytest.fixture
def newer(settings: config.Settings, db: Session) -> Iterator[Flask]:
    """The application after the swap, beside that of before."""
    yield create_app(replace(settings, SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=settings.SECRET_KEY))
    policy.set_current(settings)


@pytest.fixture
def careless(settings: config.Settings, db: Session) -> Iterator[Flask]:
    """The application after a swap that forgot the fallback."""
    yield create_app(replace(settings, SECRET_KEY=NEW))
    policy.set_current(settings)


def moved(browser: Browser, app: Flask) -> Browser:
    """The same browser, with its cookies, at another application."""
    there = Browser(app)
    there.client._cookies = browser.client._cookies
    return there


def test_who_is_signed_in_stays_so_and_posts_the_form_that_was_open(app: Flask, world: World, newer: Flask) -> None:
    browser = signed_in(app, world.ada)
    page = browser.get("/admin/").text

    answer = moved(browser, newer).post("/stay-signed-in", {}, opened=page)

    assert answer.status_code == 200
    assert answer.json["seconds"] > 0  # type: ignore[index]


def test_a_stranger_posts_the_sign_in_that_was_open(app: Flask, world: World, newer: Flask) -> None:
    set_password(SYSTEM, world.ada.id, password=PASSWORD)
    browser = Browser(app)
    page = browser.get("/sign-in").text

    answer = moved(browser, newer).post("/sign-in", {"email": "ada@people.example", "password": PASSWORD}, opened=page)

    assert answer.status_code == 303


def test_control_without_the_fallback_the_open_form_is_out_of_date(app: Flask, world: World, careless: Flask) -> None:
    set_password(SYSTEM, world.ada.id, password=PASSWORD)
    browser = Browser(app)
    page = browser.get("/sign-in").text

    answer = moved(browser, careless).post(
        "/sign-in", {"email": "ada@people.example", "password": PASSWORD}, opened=page
    )

    assert answer.status_code == 400
    assert "This form is out of date" in answer.text


def test_a_form_made_after_the_swap_needs_no_fallback(newer: Flask, settings: config.Settings) -> None:
    browser = Browser(newer)
    page = browser.get("/sign-in").text
    later = create_app(replace(settings, SECRET_KEY=NEW))

    answer = moved(browser, later).post("/sign-in", {"email": "nobody@people.example", "password": "x"}, opened=page)

    assert "This form is out of date" not in answer.text


def test_a_mail_with_a_link_can_be_written_again(world: World, db: Session) -> None:
    token = invite_person(as_actor(world.ada), world.ann.id)
    link = db.scalars(select(SignInLink)).one()
    before = links.url_of(link)

    with policy.changed(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=f"another, {policy.current().SECRET_KEY}"):
        after = links.url_of(link)

    assert before is not None
    assert before.endswith(token)
    assert after == before


def test_the_link_under_a_mail_works_while_the_secret_is_believed() -> None:
    person = new_id()
    token = unsubscribing.url_of(person, Preference.OFFERS).rpartition("/")[2]
    old = policy.current().SECRET_KEY

    with policy.changed(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=old):
        read = unsubscribing.read(token)
        newest = unsubscribing.url_of(person, Preference.OFFERS)
    with policy.changed(SECRET_KEY=NEW):
        forgotten = unsubscribing.read(token)
        assert unsubscribing.read(newest.rpartition("/")[2]) == read

    assert read == unsubscribing.Unsubscription(person, Preference.OFFERS)
    assert forgotten is None


def test_a_page_of_a_list_goes_on_while_the_secret_is_believed() -> None:
    place = Place("Ann", new_id(), 20)
    written = cursor.write(ORDER, place)
    old = policy.current().SECRET_KEY

    with policy.changed(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=old):
        assert cursor.read(ORDER, written) == place
        newest = cursor.write(ORDER, place)
    with policy.changed(SECRET_KEY=NEW):
        assert cursor.read(ORDER, newest) == place
        with pytest.raises(ValueError, match="not a cursor"):
            cursor.read(ORDER, written)
