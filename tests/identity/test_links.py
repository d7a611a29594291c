"""Invitations: once, in time, for whom they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import ANONYMOUS, SYSTEM, Role
from guitaronline.errors import NotAllowed
from guitaronline.identity import tokens
from guitaronline.identity.models import SignInLink
from guitaronline.identity.service import (
    LinkInvalid,
    PasswordUnfit,
    PersonInactive,
    PersonInvalid,
    accept_invitation,
    deactivate_person,
    invite_person,
    invited_person,
)
from tests.world import PASSWORD, World, as_actor

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_link_lets_somebody_choose_a_password(db: Session, world: World) -> None:
    token = invite_person(as_actor(world.sue), world.ann.id)
    greeted = invited_person(db, token, clock.read(db))

    accepted = accept_invitation(ANONYMOUS, token=token, password=PASSWORD)

    assert greeted is not None
    assert greeted.id == accepted.id == world.ann.id
    assert tokens.login("ann@people.example", PASSWORD)


def test_it_works_once(db: Session, world: World) -> None:
    token = invite_person(as_actor(world.sue), world.ann.id)
    accept_invitation(ANONYMOUS, token=token, password=PASSWORD)

    with pytest.raises(LinkInvalid):
        accept_invitation(ANONYMOUS, token=token, password="another long password")
    assert invited_person(db, token, clock.read(db)) is None


def test_it_works_for_three_days(world: World) -> None:
    with clock.standing_at(NOON):
        token = invite_person(as_actor(world.sue), world.ann.id)

    with clock.standing_at(NOON + timedelta(hours=72)), pytest.raises(LinkInvalid):
        accept_invitation(ANONYMOUS, token=token, password=PASSWORD)
    with clock.standing_at(NOON + timedelta(hours=71, minutes=59)):
        assert accept_invitation(ANONYMOUS, token=token, password=PASSWORD)


def test_a_newer_link_voids_the_older(world: World) -> None:
    older = invite_person(as_actor(world.sue), world.ann.id)
    newer = invite_person(as_actor(world.sue), world.ann.id)

    with pytest.raises(LinkInvalid):
        accept_invitation(ANONYMOUS, token=older, password=PASSWORD)
    assert accept_invitation(ANONYMOUS, token=newer, password=PASSWORD)


@pytest.mark.parametrize("token", ["", "gol_in_x", "\ud800"])
def test_anything_else_is_no_link(db: Session, token: str) -> None:
    with pytest.raises(LinkInvalid):
        accept_invitation(ANONYMOUS, token=token, password=PASSWORD)


def test_an_unfit_password_leaves_the_link_good(world: World) -> None:
    token = invite_person(SYSTEM, world.tom.id)

    with pytest.raises(PasswordUnfit):
        accept_invitation(ANONYMOUS, token=token, password="thirteen sign")
    assert accept_invitation(ANONYMOUS, token=token, password=PASSWORD)


def test_the_new_password_signs_out_who_had_the_old_one(world: World) -> None:
    kim = world.person("Kim", Role.STUDENT, password=PASSWORD)
    pair = tokens.login("kim@people.example", PASSWORD)

    accept_invitation(ANONYMOUS, token=invite_person(SYSTEM, kim.id), password="another long password")

    assert tokens.actor_of_token(pair.access_token) is None


def test_only_its_digest_is_stored(db: Session, world: World) -> None:
    token = invite_person(SYSTEM, world.ann.id)

    assert token.encode() not in db.scalars(select(SignInLink.token_hash)).one()


def test_who_is_deactivated_cannot_be_invited_nor_use_a_link(world: World) -> None:
    token = invite_person(SYSTEM, world.ann.id)
    deactivate_person(SYSTEM, world.ann.id, reason="left")

    with pytest.raises(LinkInvalid):
        accept_invitation(ANONYMOUS, token=token, password=PASSWORD)
    with pytest.raises(PersonInactive):
        invite_person(SYSTEM, world.ann.id)


def test_a_child_without_an_address_cannot_be_invited(world: World) -> None:
    with pytest.raises(PersonInvalid):
        invite_person(SYSTEM, world.person("Kim", Role.STUDENT, email=None).id)


def test_only_admins_hold_links_to_staff_and_teachers(world: World) -> None:
    with pytest.raises(NotAllowed):
        invite_person(as_actor(world.sue), world.tom.id)
    with pytest.raises(NotAllowed):
        invite_person(as_actor(world.sue), world.ada.id)
    with pytest.raises(NotAllowed):
        invite_person(as_actor(world.finn), world.ann.id)
    assert invite_person(as_actor(world.ada), world.tom.id)
