"""Where one is signed in, and being signed out there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity import sessions, tokens
from guitaronline.identity.models import User
from guitaronline.identity.service import sign_out_device, sign_out_elsewhere, sign_out_everywhere
from guitaronline.identity.signed_in_devices import devices_of
from tests.world import PASSWORD, World, as_actor

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def tom(world: World) -> User:
    return world.person("Tom", Role.TEACHER, password=PASSWORD)


def browser() -> sessions.SessionOpened:
    return sessions.open_session("tom@people.example", PASSWORD, address="192.0.2.1", device=FIREFOX)


def phone() -> tokens.TokenPair:
    return tokens.login("tom@people.example", PASSWORD, device_label="Tom's phone", address="192.0.2.2")


def names(db: Session, person: User) -> list[tuple[str, str | None]]:
    db.rollback()
    return [(each.name, each.address) for each in devices_of(db, person.id, now=clock.read(db))]


def test_browsers_and_apps_stand_there_the_last_used_first(db: Session, tom: User) -> None:
    with clock.moved_by(timedelta(minutes=-5)):
        phone()
    browser()

    assert names(db, tom) == [("Firefox on Linux", "192.0.2.1"), ("Tom's phone", "192.0.2.2")]


def test_what_is_over_does_not(db: Session, tom: User) -> None:
    with clock.moved_by(timedelta(minutes=-31)):
        browser()
    with clock.moved_by(timedelta(days=-91)):
        phone()
    sessions.close_session(browser().token)

    assert names(db, tom) == []


def test_one_is_signed_out_and_the_others_stay(tom: User) -> None:
    here, there, app = browser(), browser(), phone()

    sign_out_device(as_actor(tom), tom.id, device_id=there.session_id)
    sign_out_device(as_actor(tom), tom.id, device_id=app.family_id)
    sign_out_device(as_actor(tom), tom.id, device_id=app.family_id)

    assert sessions.actor_of_session(here.token)
    assert sessions.actor_of_session(there.token) is None
    assert tokens.actor_of_token(app.access_token) is None


def test_somebody_elses_is_not_found(world: World, tom: User) -> None:
    here = browser()

    with pytest.raises(NotFound):
        sign_out_device(as_actor(world.ben), world.ben.id, device_id=here.session_id)
    with pytest.raises(NotFound):
        sign_out_device(as_actor(world.ben), tom.id, device_id=here.session_id)
    assert sessions.actor_of_session(here.token)


def test_everything_else_is_signed_out(tom: User) -> None:
    here, there, app = browser(), browser(), phone()

    sign_out_elsewhere(as_actor(tom), tom.id, keep_session=here.session_id)

    assert sessions.actor_of_session(here.token)
    assert sessions.actor_of_session(there.token) is None
    assert tokens.actor_of_token(app.access_token) is None


def test_staff_sign_somebody_out_everywhere_with_a_reason(world: World, tom: User) -> None:
    here, app = browser(), phone()

    sign_out_everywhere(as_actor(world.sue), tom.id, reason="the phone was stolen")

    assert sessions.actor_of_session(here.token) is None
    assert tokens.actor_of_token(app.access_token) is None
    with pytest.raises(NotAllowed):
        sign_out_everywhere(as_actor(world.sue), world.ada.id, reason="an admin's")
