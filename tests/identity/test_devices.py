"""Devices: the first is no news, another one is, and only once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.audit.models import AuditAction, OutboxEvent
from guitaronline.identity import devices, sessions, tokens
from guitaronline.identity.housekeeping import forget_old_sign_ins
from guitaronline.identity.models import KnownDevice, User
from guitaronline.identity.service import InvalidCredentials
from tests.concurrency import at_once
from tests.world import PASSWORD, World

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
APP = "GuitarOnline/2.1 (iPhone)"


@pytest.fixture
def ann(world: World) -> User:
    return world.person("Ann", Role.STUDENT, password=PASSWORD)


@pytest.fixture
def tom(world: World) -> User:
    return world.person("Tom", Role.TEACHER, password=PASSWORD)


def by_app(label: str | None = "Ann's phone", agent: str = APP, **more: Any) -> tokens.TokenPair:
    return tokens.login("ann@people.example", PASSWORD, device_label=label, agent=agent, **more)


def by_browser(cookie: str | None = None) -> sessions.SessionOpened:
    return sessions.open_session("tom@people.example", PASSWORD, device=FIREFOX, browser=cookie)


def news(db: Session) -> list[OutboxEvent]:
    db.rollback()
    query = select(OutboxEvent).where(OutboxEvent.topic == "person.new_device")
    return list(db.scalars(query.order_by(OutboxEvent.id)))


def test_the_first_device_is_no_news(db: Session, ann: User) -> None:
    by_app()

    assert news(db) == []


def test_another_device_is_told_once(db: Session, ann: User) -> None:
    by_app()
    tablet = by_app("Ann's tablet")
    by_app("Ann's tablet")

    assert [(each.record_id, each.payload) for each in news(db)] == [(ann.id, {"family_id": str(tablet.family_id)})]


def test_a_device_seen_before_is_no_news(db: Session, ann: User) -> None:
    by_app()
    by_app()
    by_app(agent="GuitarOnline/2.2 (iPhone)")  # it was updated

    assert news(db) == []


def test_the_same_name_on_another_program_is_news(db: Session, ann: User) -> None:
    by_app()
    by_app(agent="curl/8.1")

    assert len(news(db)) == 1


def test_who_does_not_get_in_is_no_news(db: Session, ann: User) -> None:
    by_app()
    with pytest.raises(InvalidCredentials):
        tokens.login("ann@people.example", "not the password", device_label="a stranger's")

    assert news(db) == []


def test_a_browser_is_known_by_its_cookie(db: Session, tom: User) -> None:
    first = by_browser()
    again = by_browser(first.browser)
    other = by_browser()

    assert again.browser == first.browser
    assert [(each.record_id, each.payload) for each in news(db)] == [(tom.id, {"session_id": str(other.session_id)})]


def test_the_database_holds_no_cookie(db: Session, tom: User) -> None:
    cookie = by_browser().browser

    assert db.scalars(select(KnownDevice.mark)).all() == [devices.mark_of_browser(cookie)]
    assert cookie.encode() not in devices.mark_of_browser(cookie)


def test_a_device_of_one_person_is_not_known_for_another(db: Session, tom: User, world: World) -> None:
    world.person("Tina", Role.TEACHER, password=PASSWORD)
    shared = by_browser().browser
    sessions.open_session("tina@people.example", PASSWORD, browser=devices.new_browser())

    sessions.open_session("tina@people.example", PASSWORD, browser=shared)

    assert len(news(db)) == 1


def test_it_stands_in_the_history_of_the_person(db: Session, ann: User) -> None:
    by_app()
    by_app("Ann's tablet")

    action = db.scalars(select(AuditAction).where(AuditAction.name == "person.notice_device")).one()
    assert (action.record_id, action.actor_kind) == (ann.id, "system")


def test_a_new_device_that_signs_in_twice_at_once_is_told_once(app: Flask, db: Session, ann: User) -> None:
    by_app()

    at_once(app, *[lambda where=f"192.0.2.{n}": by_app("Ann's tablet", address=where) for n in range(4)])

    assert len(news(db)) == 1


def test_control_without_the_constraint_each_of_them_is_told(
    app: Flask, db: Session, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_app()
    marks = iter(bytes([n]) for n in range(4))
    before = devices._device
    monkeypatch.setattr(devices, "_device", lambda user_id, mark, now: before(user_id, next(marks), now))

    at_once(app, *[lambda where=f"192.0.2.{n}": by_app("Ann's tablet", address=where) for n in range(4)])

    assert len(news(db)) == 4


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0", ""),
        ("Ann's phone", "Ann's phone"),
        (None, ""),
    ],
)  # fmt: skip
def test_devices_are_named_as_people_know_them(said: str | None, shown: str) -> None:
    assert devices.in_words(said) == shown


def test_what_signed_in_can_be_named_later(db: Session, ann: User, tom: User) -> None:
    with clock.standing_at(NOON):
        family, session = by_app().family_id, by_browser().session_id

    assert devices.sign_in_of(db, family_id=family) == ("Ann's phone", NOON)
    assert devices.sign_in_of(db, session_id=session) == ("Firefox on Linux", NOON)
    assert devices.sign_in_of(db) is None


def test_a_device_not_seen_for_400_days_is_forgotten(db: Session, ann: User) -> None:
    by_app()

    with clock.moved_by(timedelta(days=399)):
        forget_old_sign_ins()
        kept = len(db.scalars(select(KnownDevice)).all())
    with clock.moved_by(timedelta(days=401)):
        forget_old_sign_ins()

    db.rollback()
    assert kept == 1
    assert db.scalars(select(KnownDevice)).all() == []
