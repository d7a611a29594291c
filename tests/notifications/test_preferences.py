"""Preferences: what may be switched off, by oneself, by staff, or by the link under a message."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.audit.models import AuditAction
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.models import User
from guitaronline.notifications import unsubscribing
from guitaronline.notifications.models import Preference
from guitaronline.notifications.preferences import preferences_of, set_preferences
from tests.world import World, as_actor

OFF = {Preference.OFFERS: False}
ALL_ON = dict.fromkeys(Preference, True)


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """Of a stranger."""
    return app.test_client()


def link(person: User, preference: Preference = Preference.OFFERS) -> str:
    return urlsplit(unsubscribing.url_of(person.id, preference)).path


def test_everything_is_on_until_somebody_says_otherwise(db: Session, world: World) -> None:
    assert preferences_of(db, world.ann.id) == ALL_ON


def test_what_is_not_named_stays(db: Session, world: World) -> None:
    me = as_actor(world.ann)
    set_preferences(me, world.ann.id, wanted={Preference.REMINDERS: False})

    found = set_preferences(me, world.ann.id, wanted={Preference.OFFERS: False, Preference.REMINDERS: True})

    assert found == preferences_of(db, world.ann.id) == {**ALL_ON, Preference.OFFERS: False}


def test_staff_may_do_it_for_somebody_on_the_phone(db: Session, world: World) -> None:
    set_preferences(as_actor(world.sue), world.ann.id, wanted=OFF, reason="asked on the phone")

    assert preferences_of(db, world.ann.id)[Preference.OFFERS] is False


def test_nobody_else_may(world: World) -> None:
    with pytest.raises(NotAllowed):
        set_preferences(as_actor(world.ben), world.ann.id, wanted=OFF)
    with pytest.raises(NotFound):
        set_preferences(as_actor(world.sue), world.package().id, wanted=OFF)


def test_to_look_at_the_link_changes_nothing(db: Session, world: World, browser: FlaskClient) -> None:
    answer = browser.get(link(world.ann))

    assert answer.status_code == 200
    assert "No more of these messages?" in answer.text
    assert preferences_of(db, world.ann.id) == ALL_ON


def test_a_mail_programs_button_switches_them_off(db: Session, world: World, browser: FlaskClient) -> None:
    """RFC 8058: a post without cookie or token of a form."""
    answer = browser.post(link(world.ann), data={"List-Unsubscribe": "One-Click"})

    assert (answer.status_code, "They are switched off" in answer.text) == (200, True)
    db.rollback()
    assert preferences_of(db, world.ann.id) == {**ALL_ON, Preference.OFFERS: False}


def test_it_is_the_persons_own_act_with_its_reason(db: Session, world: World, browser: FlaskClient) -> None:
    browser.post(link(world.ann))

    action = db.scalars(select(AuditAction).where(AuditAction.name == "notification.prefer")).one()
    assert (action.actor_id, action.reason) == (world.ann.id, "by the link in a message")


def test_the_same_page_switches_them_on_again(db: Session, world: World, browser: FlaskClient) -> None:
    browser.post(link(world.ann))

    browser.post(link(world.ann), data={"again": "1"})

    db.rollback()
    assert preferences_of(db, world.ann.id) == ALL_ON


@pytest.mark.parametrize(
    "change",
    [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t[:-1], lambda _: "ä" * 44, lambda t: "B" + t[1:]],
)
def test_a_link_that_we_did_not_write_leads_nowhere(world: World, browser: FlaskClient, change: object) -> None:
    token = link(world.ann).rpartition("/")[2]

    assert browser.post(f"/unsubscribe/{change(token)}").status_code == 404  # type: ignore[operator]


def test_a_link_is_about_one_preference_of_one_person(world: World) -> None:
    tokens = {link(person, each) for person in (world.ann, world.ben) for each in Preference}
    read = {unsubscribing.read(token.rpartition("/")[2]) for token in tokens}

    assert len(tokens) == len(read) == 6


def test_every_preference_has_its_place_in_links() -> None:
    assert set(unsubscribing.ORDER) == set(Preference)
    assert unsubscribing.ORDER[:3] == (Preference.REMINDERS, Preference.PACKAGES, Preference.OFFERS)
