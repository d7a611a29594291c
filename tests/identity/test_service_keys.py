"""Service keys: shown once, for what they were made for, replaced without a gap, and worth nothing once they are over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.db import session
from guitaronline.errors import NotAllowed
from guitaronline.identity import service_keys
from guitaronline.identity.access import KeyScope, Permission, granted_by
from guitaronline.identity.refusals import ReasonRequired, ServiceKeyInvalid, ServiceKeyOver, ServiceKeyReplaced
from guitaronline.identity.service_keys import (
    Issued,
    actor_of_key,
    create_service_key,
    revoke_service_key,
    rotate_service_key,
)
from guitaronline.unit_of_work import Work
from tests.by_hand import by_hand, refused_by
from tests.concurrency import at_once, done, refused
from tests.world import World, as_actor

WHY = {"reason": "a partner reads bookings"}
WANTED = {"name": "Acme sync", "scopes": [KeyScope.BOOKINGS_READ], "days": 30, **WHY}
RENEWED = {"days": 30, "overlap_hours": 24, "reason": "time to change"}


@pytest.fixture
def issued(world: World) -> Issued:
    made = create_service_key(as_actor(world.ada), **WANTED)  # type: ignore[arg-type]
    session().rollback()
    return made


def test_a_key_opens_what_it_was_made_for(issued: Issued) -> None:
    actor = actor_of_key(issued.whole)

    assert actor == Actor(issued.key.id, Role.SERVICE, frozenset({Permission.READ_BOOKINGS}))


def test_the_whole_key_stands_nowhere(issued: Issued, db: Session) -> None:
    secret = issued.whole.rpartition("_")[2]
    hashed = sha256(issued.whole.encode()).hexdigest()
    keys = [row[0] for row in db.execute(text("SELECT k::text FROM service_keys k"))]
    history = [row[0] for row in db.execute(text("SELECT c::text FROM audit_changes c"))]

    assert [row for row in keys + history if secret in row] == []
    assert [hashed in row for row in keys] == [True]
    assert [row for row in history if hashed in row] == []


@pytest.mark.parametrize("change", [lambda w: w[:-1], lambda w: w + "x", lambda w: w.upper(), lambda w: "gok_x_y"])
def test_a_key_that_is_not_quite_right_is_worth_nothing(issued: Issued, change: Callable[[str], str]) -> None:
    assert actor_of_key(change(issued.whole)) is None


def test_a_key_works_to_its_last_second_and_not_longer(issued: Issued) -> None:
    left = issued.key.expires_at - clock.read(session())
    session().rollback()

    with clock.moved_by(left - timedelta(seconds=5)):
        before = actor_of_key(issued.whole)
    with clock.moved_by(left):
        after = actor_of_key(issued.whole)

    assert before is not None
    assert after is None


def test_a_revoked_key_is_worth_nothing_and_revoking_it_again_changes_nothing(issued: Issued, world: World) -> None:
    first = revoke_service_key(as_actor(world.ada), issued.key.id, reason="lost").revoked_at

    again = revoke_service_key(as_actor(world.ada), issued.key.id, reason="lost").revoked_at

    assert (actor_of_key(issued.whole), again) == (None, first)


def test_the_old_key_works_beside_the_new_one_for_the_overlap(issued: Issued, world: World) -> None:
    new = rotate_service_key(as_actor(world.ada), issued.key.id, **RENEWED)  # type: ignore[arg-type]
    session().rollback()
    both = [actor_of_key(each) for each in (issued.whole, new.whole)]
    with clock.moved_by(timedelta(hours=24)):
        later = [actor_of_key(each) is not None for each in (issued.whole, new.whole)]

    assert [each.granted for each in both if each] == [frozenset({Permission.READ_BOOKINGS})] * 2
    assert later == [False, True]


def test_a_key_is_replaced_once(issued: Issued, world: World) -> None:
    rotate_service_key(as_actor(world.ada), issued.key.id, **RENEWED)  # type: ignore[arg-type]

    with pytest.raises(ServiceKeyReplaced):
        rotate_service_key(as_actor(world.ada), issued.key.id, **RENEWED)  # type: ignore[arg-type]


def test_a_key_that_is_over_is_not_replaced(issued: Issued, world: World) -> None:
    revoke_service_key(as_actor(world.ada), issued.key.id, reason="lost")

    with pytest.raises(ServiceKeyOver):
        rotate_service_key(as_actor(world.ada), issued.key.id, **RENEWED)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_locked", [True, False])
def test_two_replacements_at_once_make_one_key_by_the_lock_and_by_the_constraint(
    app: Flask, issued: Issued, world: World, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    monkeypatch.setattr(Work, "lock", Work.lock if is_locked else Work.find)
    ada = as_actor(world.ada)

    found = at_once(app, *[lambda: rotate_service_key(ada, issued.key.id, **RENEWED)] * 2)  # type: ignore[arg-type]

    assert (len(done(found)), refused(found)) == (1, ["service_key_replaced"])


def test_the_last_use_is_known_to_ten_minutes(issued: Issued) -> None:
    unused = service_keys.last_uses(session(), [issued.key.id])
    actor_of_key(issued.whole)
    first = service_keys.last_uses(session(), [issued.key.id])
    with clock.moved_by(timedelta(minutes=9)):
        actor_of_key(issued.whole)
        soon = service_keys.last_uses(session(), [issued.key.id])
    with clock.moved_by(timedelta(minutes=11)):
        actor_of_key(issued.whole)
        later = service_keys.last_uses(session(), [issued.key.id])

    assert (unused, soon) == ({}, first)
    assert later[issued.key.id] - first[issued.key.id] > timedelta(minutes=10)


@pytest.mark.parametrize("who", ["sue", "finn", "audrey", "tom", "ann"])
def test_only_who_administers_makes_keys(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        create_service_key(as_actor(getattr(world, who)), **WANTED)  # type: ignore[arg-type]


def test_a_program_makes_no_keys_and_neither_does_the_system(issued: Issued) -> None:
    program = actor_of_key(issued.whole)
    assert program is not None

    with pytest.raises(NotAllowed):
        create_service_key(program, **WANTED)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        create_service_key(SYSTEM, **WANTED)  # type: ignore[arg-type]


def test_everything_that_is_wrong_is_said_at_once(world: World) -> None:
    with pytest.raises(ServiceKeyInvalid) as refusal:
        create_service_key(as_actor(world.ada), name=" ", scopes=["people:read"], days=367, **WHY)

    assert [each.code for each in refusal.value.reasons] == ["name_empty", "scope_unknown", "days_out_of_range"]


def test_nobody_makes_a_key_without_saying_why(world: World) -> None:
    with pytest.raises(ReasonRequired):
        create_service_key(as_actor(world.ada), **{**WANTED, "reason": " "})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("scopes = '{}'", "ck_service_keys_for_something"),
        ("expires_at = created_at + interval '401 days'", "ck_service_keys_ends"),
        ("expires_at = created_at - interval '1 second'", "ck_service_keys_ends"),
        ("prefix = 'ABCDEFGH'", "ck_service_keys_prefix_shape"),
        ("secret_hash = 'short'", "ck_service_keys_is_sha256"),
        ("replaces_id = id", "ck_service_keys_replaces_another"),
        ("created_by = gen_random_uuid()", "fk_service_keys_created_by"),
    ],
)
def test_the_database_refuses_keys_that_cannot_be(issued: Issued, db: Session, change: str, constraint: str) -> None:
    with refused_by(constraint):
        by_hand(db, f"UPDATE service_keys SET {change} WHERE id = :id", id=issued.key.id)


def test_nobody_can_be_given_the_role_of_a_program(world: World, db: Session) -> None:
    with refused_by("ck_users_role_known"):
        by_hand(db, "UPDATE users SET role = 'service' WHERE id = :id", id=world.ann.id)


def test_a_scope_that_is_no_longer_known_gives_nothing() -> None:
    assert granted_by(["old:scope", KeyScope.SLOTS_WRITE]) == frozenset({Permission.MANAGE_SLOTS})
