"""What only reads is answered by the standby while the primary is away; pages of numbers read there by wish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

import config
from guitaronline import create_app, policy, standby
from guitaronline.db import STANDBY, database, database_url
from tests.admin.browser import Browser, signed_in, words
from tests.world import World

NOBODY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    before = policy.current()
    yield
    standby.note_primary_is_back()
    policy.set_current(before)


@pytest.fixture
def cut_off(settings: config.Settings) -> Flask:
    """The school's web, whose primary is gone; the standby has everything."""
    return create_app(replace(settings, DATABASE_URL=NOBODY, DATABASE_READ_URL=settings.DATABASE_URL))


@pytest.fixture
def with_both(settings: config.Settings) -> Flask:
    return create_app(replace(settings, DATABASE_READ_URL=settings.DATABASE_URL))


def browser_of(app: Flask, signed: Browser) -> Browser:
    """The same browser at another web host."""
    browser = Browser(app)
    cookie = signed.client.get_cookie("gol")
    assert cookie
    browser.client.set_cookie("gol", cookie.value)
    return browser


def asked(app: Flask) -> dict[str, list[str]]:
    """The statements that each of the two databases gets from here on."""
    found: dict[str, list[str]] = {"primary": [], "standby": []}
    with app.app_context():
        for name, engine in (("primary", database.engine), ("standby", database.engines[STANDBY])):
            event.listen(engine, "before_cursor_execute", lambda *told, said=found[name]: said.append(told[2]))
    return found


def test_pages_go_on_without_the_primary_and_say_that_they_only_read(app: Flask, world: World, cut_off: Flask) -> None:
    browser = browser_of(cut_off, signed_in(app, world.ada))

    first, second = browser.get("/admin/bookings/"), browser.get("/admin/")

    assert (first.status_code, second.status_code) == (200, 200)
    assert "Only reading just now" in words(first.text)
    assert browser.get("/api/v1/scheduling/slots/open").status_code == 200


def test_what_changes_something_is_refused_and_what_tells_the_state_tells_it(
    app: Flask, world: World, cut_off: Flask
) -> None:
    browser = browser_of(cut_off, signed_in(app, world.ada))
    page = browser.get("/admin/account/password").text

    posted = browser.post("/admin/account/password", {"old": "x", "new": "y", "again": "y"}, opened=page)

    assert posted.status_code == 503
    assert "The database does not answer" in posted.text
    assert browser.get("/ready").status_code == 503


def test_the_primary_is_asked_again_after_a_while(app: Flask, world: World, with_both: Flask) -> None:
    browser = browser_of(with_both, signed_in(app, world.ada))
    standby.note_primary_is_away()
    meanwhile = browser.get("/admin/bookings/").text
    standby.note_primary_is_back()

    assert "Only reading just now" in words(meanwhile)
    assert "Only reading just now" not in words(browser.get("/admin/bookings/").text)


def test_pages_of_numbers_read_from_the_standby_and_lists_do_not(app: Flask, world: World, with_both: Flask) -> None:
    browser = browser_of(with_both, signed_in(app, world.ada))
    said = asked(with_both)

    numbers = browser.get("/admin/kpis/")
    of_numbers = {name: len(each) for name, each in said.items()}
    lists = browser.get("/admin/bookings/")

    assert (numbers.status_code, lists.status_code) == (200, 200)
    assert any("kpi_days" in each for each in said["standby"])
    assert not any("kpi_days" in each for each in said["primary"])
    assert len(said["standby"]) == of_numbers["standby"]


def test_without_a_standby_nothing_is_asked_twice(settings: config.Settings, db: Session) -> None:
    alone = create_app(replace(settings, DATABASE_URL=NOBODY))

    answer = alone.test_client().get("/api/v1/scheduling/slots/open")

    assert answer.status_code == 503
    assert not standby.primary_is_away()


@pytest.mark.parametrize(
    ("url", "known_as"),
    [
        ("postgres://a:b@db/school", "postgresql+psycopg2://a:b@db/school"),
        ("postgresql://a:b@db:1/school?sslmode=require", "postgresql+psycopg2://a:b@db:1/school?sslmode=require"),
        (
            "postgresql://a:b@db1:1,db2:2/school?target_session_attrs=read-write",
            "postgresql+psycopg2://a:b@/school?host=db1:1&host=db2:2&target_session_attrs=read-write",
        ),
        ("postgresql://a@db1,db2/school", "postgresql+psycopg2://a@/school?host=db1&host=db2"),
    ],
)
def test_an_address_may_name_several_hosts(url: str, known_as: str) -> None:
    assert database_url(url) == known_as
