"""Forgotten passwords: a link to the stored address, and nothing learned by who asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import ANONYMOUS, SYSTEM, Role
from guitaronline.audit.models import AuditAction, OutboxEvent
from guitaronline.identity import links, tokens
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.service import (
    LinkInvalid,
    PasswordUnfit,
    TooManyAttempts,
    deactivate_person,
    forgetful_person,
    forgot_password,
    invite_person,
    reset_password,
)
from tests.concurrency import at_once, refused
from tests.statements import statements
from tests.world import PASSWORD, World, as_actor

HOME, CAFE = "192.0.2.1", "198.51.100.7"
NEW = "eight brass trumpets play"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def ann(world: World) -> User:
    return world.person("Ann", Role.STUDENT, password=PASSWORD)


def asked(email: str = "ann@people.example", address: str = HOME) -> None:
    forgot_password(email, address=address)


def events(db: Session, topic: str = "person.password_forgotten") -> list[OutboxEvent]:
    db.rollback()
    return list(db.scalars(select(OutboxEvent).where(OutboxEvent.topic == topic).order_by(OutboxEvent.id)))


def token(db: Session) -> str:
    """What stands in the newest mail."""
    db.rollback()
    link = db.scalars(select(SignInLink).order_by(SignInLink.id.desc()).limit(1)).one()
    return links.token_of(link.purpose, link.id)


def test_who_asks_gets_a_link_that_sets_a_password(db: Session, ann: User) -> None:
    asked(" ANN@People.example ")
    event = events(db)[0]

    person = reset_password(ANONYMOUS, token=token(db), password=NEW)

    assert (event.record_type, event.record_id, list(event.payload)) == ("users", ann.id, ["link_id"])
    assert person.id == ann.id
    assert tokens.login("ann@people.example", NEW)


def test_the_event_and_the_row_hold_nothing_that_signs_in(db: Session, ann: User) -> None:
    asked()

    link = db.scalars(select(SignInLink)).one()
    secret = token(db)
    assert secret.removeprefix("gol_pw_") not in str(events(db)[0].payload) + link.token_hash.decode("latin-1")
    assert link.token_hash == links.digest(secret)


def test_the_asking_stands_in_the_history_of_the_person(db: Session, ann: User) -> None:
    asked()

    action = db.scalars(select(AuditAction).where(AuditAction.name == "person.forgot_password")).one()
    assert (action.record_type, action.record_id, action.actor_kind) == ("users", ann.id, "anonymous")


@pytest.mark.parametrize("email", ["nobody@people.example", "no address", "", "\ud800\x00", "x" * 5000])
def test_an_address_that_nobody_has_is_answered_alike(db: Session, ann: User, email: str) -> None:
    asked(email)

    assert events(db) == []
    assert db.scalars(select(SignInLink)).all() == []


def test_the_same_statements_run_for_a_known_and_an_unknown_address(db: Session, ann: User) -> None:
    with statements() as for_ann:
        asked()
    with statements() as for_nobody:
        asked("nobody@people.example")

    assert for_ann == for_nobody
    assert len(for_ann) > 5


def test_who_is_deactivated_is_nobody(db: Session, ann: User) -> None:
    deactivate_person(SYSTEM, ann.id, reason="left")

    asked()

    assert events(db) == []


def test_more_than_three_asks_an_hour_about_one_account_send_nothing_more(db: Session, ann: User) -> None:
    with clock.standing_at(NOON):
        [asked(address=f"192.0.2.{n}") for n in range(5)]
    assert len(events(db)) == 3

    with clock.standing_at(NOON + timedelta(hours=1, seconds=1)):
        asked()
    assert len(events(db)) == 4


def test_one_network_address_that_asks_about_many_has_to_wait(world: World, ann: User) -> None:
    with clock.standing_at(NOON):
        [asked(f"nobody{n}@people.example") for n in range(30)]
    with clock.standing_at(NOON + timedelta(minutes=20)), pytest.raises(TooManyAttempts) as refusal:
        asked()
    with clock.standing_at(NOON + timedelta(minutes=20)):
        asked(address=CAFE)

    assert refusal.value.retry_after_seconds == 40 * 60


def test_asking_takes_no_sign_in_away(ann: User) -> None:
    with policy.changed(LOGIN_MAX_FAILURES=1):
        asked()

        assert tokens.login("ann@people.example", PASSWORD, address=HOME)


def test_many_asks_at_once_are_counted_one_after_the_other(app: Flask, db: Session, ann: User) -> None:
    at_once(app, *[lambda where=f"192.0.2.{n}": asked(address=where) for n in range(6)])

    assert len(events(db)) == 3


def test_control_without_the_turn_many_at_once_are_sent_more(
    app: Flask, db: Session, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Barrier

    from guitaronline.identity import throttle

    barrier, before = Barrier(6, timeout=30), throttle.asked

    def all_look_first(*args: Any, **more: Any) -> Any:
        found = before(*args, **more)
        barrier.wait()
        return found

    monkeypatch.setattr(throttle, "take_turn_of_account", lambda *_: None)
    monkeypatch.setattr(throttle, "asked", all_look_first)

    at_once(app, *[lambda where=f"192.0.2.{n}": asked(address=where) for n in range(6)])

    assert len(events(db)) == 6


def test_where_no_mail_is_sent_nothing_is_made(db: Session, ann: User) -> None:
    with policy.changed(MAIL_TRANSPORT="off"):
        asked()

    assert db.scalar(select(func.count()).select_from(SignInLink)) == 0


def test_a_link_is_good_once(db: Session, ann: User) -> None:
    asked()
    secret = token(db)
    reset_password(ANONYMOUS, token=secret, password=NEW)

    with pytest.raises(LinkInvalid):
        reset_password(ANONYMOUS, token=secret, password=PASSWORD)
    assert forgetful_person(db, secret, clock.read(db)) is None


def test_a_link_is_good_for_an_hour(db: Session, ann: User) -> None:
    with clock.standing_at(NOON):
        asked()
    secret = token(db)

    with clock.standing_at(NOON + timedelta(minutes=60)), pytest.raises(LinkInvalid):
        reset_password(ANONYMOUS, token=secret, password=NEW)
    with clock.standing_at(NOON + timedelta(minutes=59, seconds=59)):
        assert reset_password(ANONYMOUS, token=secret, password=NEW)


def test_asking_again_leaves_the_link_good_that_is_on_its_way(db: Session, ann: User) -> None:
    asked()
    first = token(db)
    asked()

    assert reset_password(ANONYMOUS, token=first, password=NEW)


def test_using_one_link_voids_the_others_and_signs_out_everywhere(db: Session, ann: User) -> None:
    pair = tokens.login("ann@people.example", PASSWORD)
    invitation = invite_person(SYSTEM, ann.id)
    asked()
    first = token(db)
    asked()

    reset_password(ANONYMOUS, token=first, password=NEW)

    assert tokens.actor_of_token(pair.access_token) is None
    with pytest.raises(LinkInvalid):
        reset_password(ANONYMOUS, token=token(db), password=PASSWORD)
    assert links.person_of(db, LinkPurpose.INVITE, invitation, clock.read(db)) is None


def test_a_new_password_is_told_and_confirms_the_address(db: Session, ann: User) -> None:
    asked()

    person = reset_password(ANONYMOUS, token=token(db), password=NEW)

    assert person.email_verified_at is not None
    assert [each.record_id for each in events(db, "person.password_changed")] == [ann.id]


def test_an_unfit_password_leaves_the_link_good(db: Session, world: World) -> None:
    assert world.tom
    asked("tom@people.example")

    with pytest.raises(PasswordUnfit):
        reset_password(ANONYMOUS, token=token(db), password="thirteen sign")
    assert reset_password(ANONYMOUS, token=token(db), password=NEW)


def test_a_link_for_something_else_resets_nothing(world: World, ann: User) -> None:
    invitation = invite_person(as_actor(world.sue), ann.id)

    with pytest.raises(LinkInvalid):
        reset_password(ANONYMOUS, token=invitation, password=NEW)


def test_with_another_secret_key_the_link_cannot_be_written_again(db: Session, ann: User) -> None:
    asked()
    link = db.scalars(select(SignInLink)).one()

    with policy.changed(SECRET_KEY="another key since"):
        assert links.url_of(link) is None
    assert links.url_of(link) == f"http://127.0.0.1:8000/reset/{token(db)}"


def test_two_who_follow_one_link_set_one_password(app: Flask, db: Session, ann: User) -> None:
    asked()
    secret = token(db)
    ways = ["first long password", "second long password", "third long password"]

    results = at_once(app, *[lambda to=each: reset_password(ANONYMOUS, token=secret, password=to) for each in ways])

    assert refused(results) == ["link_invalid"] * 2


def test_control_without_looking_again_all_who_follow_it_set_one(
    app: Flask, db: Session, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked()
    secret = token(db)
    monkeypatch.setattr(links, "person_of", lambda *_: ann)

    results = at_once(
        app, *[lambda to=each: reset_password(ANONYMOUS, token=secret, password=to) for each in (PASSWORD, NEW)]
    )

    assert refused(results) == []
