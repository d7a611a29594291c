"""Addresses: confirmed by a link that went there; a change is told to the old one, and its links are void."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import ANONYMOUS, SYSTEM, Role
from guitaronline.audit.models import AuditChange, OutboxEvent
from guitaronline.identity import links
from guitaronline.identity.former_addresses import former_address, whose
from guitaronline.identity.housekeeping import forget_old_sign_ins
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.service import (
    EmailTaken,
    LinkInvalid,
    change_password,
    deactivate_person,
    edit_person,
    forgot_password,
    invite_person,
    register_student,
    reset_password,
    verify_email,
    verifying_person,
)
from tests.by_hand import by_hand
from tests.world import PASSWORD, World, as_actor

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def registered() -> User:
    return register_student(ANONYMOUS, email="kim@people.example", password=PASSWORD, full_name="Kim")


def moved(world: World, user: User, email: str | None = "kim@new.example") -> User:
    return edit_person(as_actor(world.ada), user.id, changes={"email": email}, reason="she said so")


def events(db: Session, topic: str) -> list[OutboxEvent]:
    db.rollback()
    return list(db.scalars(select(OutboxEvent).where(OutboxEvent.topic == topic).order_by(OutboxEvent.id)))


def token(db: Session) -> str:
    """Of the newest link to confirm an address."""
    db.rollback()
    query = select(SignInLink.id).where(SignInLink.purpose == LinkPurpose.VERIFY).order_by(SignInLink.id.desc())
    return links.token_of(LinkPurpose.VERIFY, db.scalars(query.limit(1)).one())


def test_who_registers_is_asked_to_confirm_the_address(db: Session, world: World) -> None:
    kim = registered()

    asked = events(db, "person.verification_asked")
    done = verify_email(ANONYMOUS, token=token(db))

    assert [(each.record_id, list(each.payload)) for each in asked] == [(kim.id, ["link_id"])]
    assert done.id == kim.id
    assert done.email_verified_at is not None


def test_whom_staff_enter_is_not_asked(db: Session, world: World) -> None:
    assert world.ann

    assert events(db, "person.verification_asked") == []


def test_where_no_mail_is_sent_nobody_is_asked(db: Session) -> None:
    with policy.changed(MAIL_TRANSPORT="off"):
        registered()

    assert db.scalars(select(SignInLink)).all() == []


def test_the_link_is_good_once_and_for_three_days(db: Session) -> None:
    with clock.standing_at(NOON):
        registered()
    secret = token(db)

    with clock.standing_at(NOON + timedelta(hours=72)), pytest.raises(LinkInvalid):
        verify_email(ANONYMOUS, token=secret)
    with clock.standing_at(NOON + timedelta(hours=71)):
        assert verifying_person(db, secret, clock.read(db)) is not None
        verify_email(ANONYMOUS, token=secret)
    with clock.standing_at(NOON + timedelta(hours=71)), pytest.raises(LinkInvalid):
        verify_email(ANONYMOUS, token=secret)


def test_a_link_that_lets_somebody_in_confirms_nothing(db: Session, world: World) -> None:
    invitation = invite_person(SYSTEM, world.ann.id)

    with pytest.raises(LinkInvalid):
        verify_email(ANONYMOUS, token=invitation)


def test_a_new_password_leaves_the_link_good(db: Session) -> None:
    kim = registered()
    change_password(as_actor(kim), old=PASSWORD, new="eight brass trumpets play")

    assert verify_email(ANONYMOUS, token=token(db))


def test_who_is_deactivated_confirms_nothing(db: Session) -> None:
    deactivate_person(SYSTEM, registered().id, reason="left")

    with pytest.raises(LinkInvalid):
        verify_email(ANONYMOUS, token=token(db))


def test_a_change_is_told_to_the_old_address_and_asked_of_the_new(db: Session, world: World) -> None:
    kim = registered()
    verify_email(ANONYMOUS, token=token(db))

    edited = moved(world, kim)
    told, asked = events(db, "person.email_changed"), events(db, "person.verification_asked")

    assert edited.email_verified_at is None
    assert [(each.record_type, each.payload) for each in told] == [("former_addresses", {"person_id": str(kim.id)})]
    assert former_address(db, told[0].record_id) == "kim@people.example"
    assert whose(db, told[0].record_id) == kim.id
    assert len(asked) == 2
    assert verify_email(ANONYMOUS, token=token(db)).email_verified_at is not None


def test_the_events_hold_no_address(db: Session, world: World) -> None:
    moved(world, registered())

    assert "example" not in str([each.payload for each in db.scalars(select(OutboxEvent))])


def test_one_change_is_one_version_and_one_line_of_history(db: Session, world: World) -> None:
    kim = registered()

    edited = edit_person(
        as_actor(world.ada), kim.id, changes={"email": "kim@new.example", "full_name": "Kim Field", "phone": "030 1234"}
    )

    changes = select(AuditChange).where(AuditChange.row_id == kim.id, AuditChange.before.is_not(None))
    assert edited.version == 2
    assert len(db.scalars(changes).all()) == 1


def test_links_that_went_to_the_old_address_are_void(db: Session, world: World) -> None:
    kim = registered()
    to_confirm = token(db)
    invitation = invite_person(SYSTEM, kim.id)
    forgot_password("kim@people.example", address=None)
    reset = db.scalars(select(SignInLink.id).where(SignInLink.purpose == LinkPurpose.RESET)).one()

    moved(world, kim)

    with pytest.raises(LinkInvalid):
        verify_email(ANONYMOUS, token=to_confirm)
    with pytest.raises(LinkInvalid):
        reset_password(ANONYMOUS, token=links.token_of(LinkPurpose.RESET, reset), password=PASSWORD)
    assert links.person_of(db, LinkPurpose.INVITE, invitation, clock.read(db)) is None


def test_another_spelling_is_no_other_address(db: Session, world: World) -> None:
    kim = registered()
    verify_email(ANONYMOUS, token=token(db))

    edited = moved(world, kim, "Kim@People.example")

    assert edited.email_verified_at is not None
    assert events(db, "person.email_changed") == []


def test_an_address_taken_away_is_told_and_nothing_is_asked(db: Session, world: World) -> None:
    moved(world, registered(), None)

    assert len(events(db, "person.email_changed")) == 1
    assert len(events(db, "person.verification_asked")) == 1  # at registration


def test_a_first_address_is_asked_and_nobody_is_told(db: Session, world: World) -> None:
    child = world.person("Lee", Role.STUDENT, email=None)

    moved(world, child)

    assert events(db, "person.email_changed") == []
    assert len(events(db, "person.verification_asked")) == 1


def test_a_refused_change_tells_nobody(db: Session, world: World) -> None:
    kim = registered()

    with pytest.raises(EmailTaken):
        moved(world, kim, world.sue.email)

    assert events(db, "person.email_changed") == []
    assert verify_email(ANONYMOUS, token=token(db))


def test_what_was_wrong_with_the_old_address_is_forgotten(db: Session, world: World) -> None:
    kim = registered()
    by_hand(db, "UPDATE users SET address_problem = 'bounced', address_problem_at = now() WHERE id = :id", id=kim.id)
    before = world.again(kim).address_problem

    edited = moved(world, kim)

    assert (before, edited.address_problem, edited.address_problem_at) == ("bounced", None, None)


def test_a_link_that_was_followed_shows_that_mail_arrives(db: Session, world: World) -> None:
    kim = registered()
    by_hand(db, "UPDATE users SET address_problem = 'bounced', address_problem_at = now() WHERE id = :id", id=kim.id)

    confirmed = verify_email(ANONYMOUS, token=token(db))

    assert (confirmed.address_problem, confirmed.address_problem_at) == (None, None)


def test_an_old_address_is_forgotten_after_a_month(db: Session, world: World) -> None:
    moved(world, registered())
    former = events(db, "person.email_changed")[0].record_id

    with clock.moved_by(timedelta(days=29)):
        forget_old_sign_ins()
        kept = former_address(db, former)
    with clock.moved_by(timedelta(days=31)):
        forget_old_sign_ins()

    db.expire_all()
    assert kept == "kim@people.example"
    assert former_address(db, former) is None
