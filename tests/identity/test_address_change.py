"""One's own change of address: nothing before the new one confirms it, and for three days the old one takes it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import ANONYMOUS, SYSTEM, Role
from guitaronline.audit.models import OutboxEvent
from guitaronline.errors import DomainError
from guitaronline.identity import links, people, tokens
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.service import (
    EmailTaken,
    InvalidCredentials,
    LinkInvalid,
    MailIsOff,
    PersonInvalid,
    SameAddress,
    ask_to_change,
    change_address,
    change_password,
    edit_person,
    register_student,
    reset_password,
    undo_change,
    undoing_person,
)
from tests.concurrency import at_once, refused
from tests.signing_in import signed_in_app
from tests.world import PASSWORD, World, as_actor

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEW = "eight brass trumpets play"


@pytest.fixture
def kim(world: World) -> User:
    return world.person("Kim", Role.STUDENT, password=PASSWORD)


def ask(kim: User, email: str = "kim@new.example", password: str = PASSWORD) -> None:
    ask_to_change(as_actor(kim), email=email, password=password, address=None)


def newest(db: Session, purpose: LinkPurpose) -> str:
    """The token of the newest link for that purpose, as it stands in the mail."""
    db.rollback()
    query = select(SignInLink).where(SignInLink.purpose == purpose).order_by(SignInLink.id.desc()).limit(1)
    return links.token_of(purpose, db.scalars(query).one().id)


def confirm(db: Session) -> str:
    """The change is done; the token that undoes it."""
    change_address(ANONYMOUS, token=newest(db, LinkPurpose.ADDRESS))
    return newest(db, LinkPurpose.UNDO)


def signs_in(email: str, password: str = PASSWORD) -> str:
    try:
        tokens.login(email, password)
    except DomainError as refusal:
        return refusal.code
    return "signed in"


def told(db: Session) -> list[str]:
    db.rollback()
    return list(
        db.scalars(select(OutboxEvent.topic).where(OutboxEvent.topic.like("person.%")).order_by(OutboxEvent.id))
    )


def test_nothing_changes_before_the_new_address_confirms_it(db: Session, world: World, kim: User) -> None:
    ask(kim)
    before = world.again(kim).email
    confirm(db)
    after = world.again(kim)

    assert before == "kim@people.example"
    assert after.email == "kim@new.example"
    assert after.email_verified_at is not None
    assert (signs_in("kim@people.example"), signs_in("kim@new.example")) == ("invalid_credentials", "signed in")
    assert told(db) == ["person.address_change_asked", "person.address_changed"]


def test_a_wrong_password_an_own_a_taken_or_an_odd_address_is_refused(db: Session, world: World, kim: User) -> None:
    with pytest.raises(InvalidCredentials):
        ask(kim, password="not it at all")
    with pytest.raises(SameAddress):
        ask(kim, " KIM@people.example")
    with pytest.raises(EmailTaken):
        ask(kim, world.ben.email or "")
    with pytest.raises(PersonInvalid):
        ask(kim, "no address")
    assert told(db) == []


def test_where_no_mail_is_sent_nobody_can_confirm(kim: User) -> None:
    with policy.changed(MAIL_TRANSPORT="off"), pytest.raises(MailIsOff):
        ask(kim)


def test_asking_again_voids_the_link_before(db: Session, kim: User) -> None:
    ask(kim)
    first = newest(db, LinkPurpose.ADDRESS)
    ask(kim, "kim@other.example")

    with pytest.raises(LinkInvalid):
        change_address(ANONYMOUS, token=first)


def test_who_notices_and_changes_the_password_stops_it(db: Session, kim: User) -> None:
    ask(kim)
    token = newest(db, LinkPurpose.ADDRESS)
    change_password(as_actor(kim), old=PASSWORD, new=NEW)

    with pytest.raises(LinkInvalid):
        change_address(ANONYMOUS, token=token)


def test_an_address_that_was_taken_meanwhile_is_refused(db: Session, world: World, kim: User) -> None:
    ask(kim)
    world.person("Other", Role.STUDENT, email="kim@new.example")

    with pytest.raises(EmailTaken):
        change_address(ANONYMOUS, token=newest(db, LinkPurpose.ADDRESS))
    assert world.again(kim).email == "kim@people.example"


def test_undoing_it_signs_everything_out_and_voids_the_password(db: Session, world: World, kim: User) -> None:
    ask(kim)
    undo = confirm(db)
    pair = tokens.login("kim@new.example", PASSWORD)
    reset = undo_change(ANONYMOUS, token=undo)

    assert world.again(kim).email == "kim@people.example"
    assert tokens.actor_of_token(pair.access_token) is None
    assert signs_in("kim@people.example") == "invalid_credentials"
    reset_password(ANONYMOUS, token=reset, password=NEW)
    assert signs_in("kim@people.example", NEW) == "signed in"
    assert "person.address_change_undone" in told(db)
    with pytest.raises(LinkInvalid):
        undo_change(ANONYMOUS, token=undo)


def test_the_first_address_takes_back_all_that_came_after_it(db: Session, world: World, kim: User) -> None:
    ask(kim)
    first = confirm(db)
    ask(kim, "kim@third.example")
    second = confirm(db)
    undo_change(ANONYMOUS, token=first)

    assert world.again(kim).email == "kim@people.example"
    with pytest.raises(LinkInvalid):
        undo_change(ANONYMOUS, token=second)


@pytest.mark.parametrize(("hours", "is_good"), [(71.99, True), (72, False)])
def test_it_can_be_undone_for_three_days(db: Session, world: World, kim: User, hours: float, is_good: bool) -> None:
    with clock.standing_at(NOON):
        ask(kim)
        undo = confirm(db)
    found = undoing_person(db, undo, NOON + timedelta(hours=hours))

    assert (found is not None) is is_good


def test_a_stolen_password_changed_on_the_way_does_not_keep_the_owner_from_undoing(
    db: Session, world: World, kim: User
) -> None:
    ask(kim)
    undo = confirm(db)
    change_password(as_actor(kim), old=PASSWORD, new=NEW)
    undo_change(ANONYMOUS, token=undo)

    assert world.again(kim).email == "kim@people.example"
    assert signs_in("kim@people.example", NEW) == "invalid_credentials"


def test_while_it_can_be_undone_nobody_else_gets_the_old_address(db: Session, kim: User) -> None:
    with clock.standing_at(NOON):
        ask(kim)
        undo = confirm(db)
        with pytest.raises(EmailTaken):
            register_student(ANONYMOUS, email="KIM@people.example", password=PASSWORD)
        undo_change(ANONYMOUS, token=undo)
        assert register_student(ANONYMOUS, email="kim@new.example", password=PASSWORD)


def test_after_three_days_the_old_address_is_free(db: Session, kim: User) -> None:
    with clock.standing_at(NOON):
        ask(kim)
        confirm(db)
    with clock.standing_at(NOON + timedelta(hours=72)):
        assert register_student(ANONYMOUS, email="kim@people.example", password=PASSWORD)


def test_one_may_change_back_oneself(db: Session, world: World, kim: User) -> None:
    ask(kim)
    confirm(db)
    ask(kim, "kim@people.example")
    confirm(db)

    assert world.again(kim).email == "kim@people.example"


def test_what_the_school_changes_has_no_link_to_undo(db: Session, world: World, kim: User) -> None:
    edit_person(SYSTEM, kim.id, changes={"email": "kim@new.example"})

    assert db.scalars(select(SignInLink).where(SignInLink.purpose == LinkPurpose.UNDO)).all() == []


def test_undoing_and_registering_at_once_leaves_the_address_with_its_owner(
    app: Flask, db: Session, world: World, kim: User
) -> None:
    ask(kim)
    undo = confirm(db)

    results = at_once(
        app,
        lambda: undo_change(ANONYMOUS, token=undo),
        lambda: register_student(ANONYMOUS, email="kim@people.example", password=PASSWORD),
    )

    assert refused(results) == ["email_taken"]
    assert world.again(kim).email == "kim@people.example"


def test_control_without_keeping_it_free_a_stranger_gets_it(
    app: Flask, db: Session, world: World, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "refuse_taken", lambda *_, **__: None)  # the unique index stands still
    ask(kim)
    undo = confirm(db)
    register_student(ANONYMOUS, email="kim@people.example", password=PASSWORD)

    with pytest.raises(EmailTaken):
        undo_change(ANONYMOUS, token=undo)
    assert world.again(kim).email == "kim@new.example"


def test_a_link_is_followed_once_also_by_two_at_once(app: Flask, db: Session, kim: User) -> None:
    ask(kim)
    token = newest(db, LinkPurpose.ADDRESS)

    results = at_once(app, *[lambda: change_address(ANONYMOUS, token=token)] * 2)

    assert refused(results) == ["link_invalid"]


def test_everything_signed_in_stays_so_when_it_is_ones_own_wish(db: Session, kim: User) -> None:
    assert signed_in_app(kim)
    pair = tokens.login("kim@people.example", PASSWORD)
    ask(kim)
    confirm(db)

    assert tokens.actor_of_token(pair.access_token)
