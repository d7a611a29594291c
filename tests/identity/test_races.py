"""Two at once, with real commits; each race first without its guard, otherwise it would prove nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.actor import ANONYMOUS, Role
from guitaronline.identity import people, standing, tokens
from guitaronline.identity.models import ApiToken, TokenFamily, User
from guitaronline.identity.service import (
    accept_invitation,
    deactivate_person,
    invite_person,
    register_student,
    set_role,
)
from guitaronline.unit_of_work import Work
from tests.concurrency import at_once, done, refused
from tests.world import PASSWORD, World, as_actor


@contextmanager
def without_index(db: Session, owner: Connection, name: str, table: str) -> Iterator[None]:
    """The database's own guard is off; the table's rows, which it would have refused, are gone before it is back."""
    db.rollback()
    with owner.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [name])
        definition = cursor.fetchone()
        assert definition is not None
        cursor.execute(f"DROP INDEX {name}")
        try:
            yield
        finally:
            db.rollback()
            cursor.execute(f"SET session_replication_role = replica; DELETE FROM {table}")
            cursor.execute("SET session_replication_role = origin")
            cursor.execute(definition[0])


def people_with(db: Session, key: str) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(User).where(User.email_key == key)) or 0


def register(spelling: str) -> User:
    return register_student(ANONYMOUS, email=spelling, password=PASSWORD)


@pytest.mark.breaks_invariants  # the two people are removed behind the audit's back
def test_control_without_the_index_one_address_registers_twice(
    app: Flask, db: Session, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Barrier(2, timeout=20)
    monkeypatch.setitem(people.on_role, Role.STUDENT, [lambda work, user: meeting.wait()])

    with without_index(db, owner, "uq_users_email_key", "users"):
        results = at_once(app, lambda: register("ann@people.example"), lambda: register("ANN@people.example"))
        assert refused(results) == []
        assert people_with(db, "ann@people.example") == 2


def test_one_address_registers_once(app: Flask, db: Session) -> None:
    spellings = ["ann@people.example", "ANN@people.example", "ａｎｎ@people.example", "Ann@PEOPLE.example"]

    results = at_once(app, *[lambda spelling=each: register(spelling) for each in spellings])

    assert refused(results) == ["email_taken"] * 3
    assert people_with(db, "ann@people.example") == 1


def test_one_address_registers_once_also_when_both_have_looked(
    app: Flask, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, look = Barrier(2, timeout=20), people.refuse_taken

    def look_together(*args: Any, **kwargs: Any) -> None:
        look(*args, **kwargs)
        meeting.wait()

    monkeypatch.setattr(people, "refuse_taken", look_together)

    results = at_once(app, lambda: register("ann@people.example"), lambda: register("ANN@people.example"))

    assert refused(results) == ["email_taken"]
    assert people_with(db, "ann@people.example") == 1


def two_admins(world: World) -> tuple[User, User]:
    return world.ada, world.person("Abe", Role.ADMIN)


def active_admins(db: Session) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(User).where(User.role == Role.ADMIN, User.is_active)) or 0


def test_control_without_locking_all_admins_two_remove_each_other(
    app: Flask, db: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, abe = two_admins(world)
    meeting = Barrier(2, timeout=20)

    def lock_only_the_person(work: Work, user_id: UUID) -> tuple[User, list[User]]:
        admins = list(
            work.session.scalars(select(User).where(User.role == Role.ADMIN, User.is_active, User.id != user_id))
        )
        meeting.wait()
        return work.lock(User, user_id), admins

    monkeypatch.setattr(standing, "_lock_with_admins", lock_only_the_person)

    results = at_once(
        app,
        lambda: deactivate_person(as_actor(ada), abe.id, reason="race"),
        lambda: deactivate_person(as_actor(abe), ada.id, reason="race"),
    )

    assert refused(results) == []
    assert active_admins(db) == 0


@pytest.mark.parametrize("second", ["deactivate", "demote"])
def test_two_admins_who_remove_each_other_leave_one(app: Flask, db: Session, world: World, second: str) -> None:
    ada, abe = two_admins(world)
    ways = {
        "deactivate": lambda: deactivate_person(as_actor(abe), ada.id, reason="race"),
        "demote": lambda: set_role(as_actor(abe), ada.id, role=Role.SUPPORT, reason="race"),
    }

    results = at_once(app, lambda: deactivate_person(as_actor(ada), abe.id, reason="race"), ways[second])

    assert refused(results) == ["last_admin"]
    assert active_admins(db) == 1


def signed_in(world: World) -> tokens.TokenPair:
    ann = world.person("Ann", Role.STUDENT, password=PASSWORD)
    return tokens.login(ann.email or "", PASSWORD)


def live_pairs(db: Session) -> int:
    db.rollback()
    live = select(func.count()).select_from(ApiToken).where(ApiToken.used_at.is_(None), ApiToken.revoked_at.is_(None))
    return db.scalar(live) or 0


def test_control_without_lock_and_index_one_refresh_token_makes_two_live_lines(
    app: Flask, db: Session, owner: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, meeting, continues = signed_in(world), Barrier(2, timeout=20), tokens._may_continue
    monkeypatch.setattr(tokens, "_lock_family", lambda session, family_id, **_: session.get(TokenFamily, family_id))

    def look_together(*args: Any) -> bool:
        answer = continues(*args)
        meeting.wait()
        return answer

    monkeypatch.setattr(tokens, "_may_continue", look_together)

    with without_index(db, owner, "uq_api_tokens_live", "api_tokens"):
        results = at_once(app, *[lambda: tokens.refresh(pair.refresh_token)] * 2)
        assert refused(results) == []
        assert live_pairs(db) == 2


def test_one_refresh_token_used_at_once_leaves_one_live_line(app: Flask, db: Session, world: World) -> None:
    pair = signed_in(world)

    results = at_once(app, *[lambda: tokens.refresh(pair.refresh_token)] * 4)

    working = [each for each in done(results) if tokens.actor_of_token(each.access_token) is not None]
    assert len(working) == 1
    assert live_pairs(db) == 1
    assert tokens.refresh(working[0].refresh_token)


def test_one_invitation_is_accepted_once(app: Flask, db: Session, world: World) -> None:
    token = invite_person(as_actor(world.sue), world.ann.id)
    ways = ["first long password", "second long password", "third long password"]

    results = at_once(
        app, *[lambda chosen=each: accept_invitation(ANONYMOUS, token=token, password=chosen) for each in ways]
    )

    assert refused(results) == ["link_invalid"] * 2


def test_signing_in_while_being_deactivated_leaves_nothing_alive(app: Flask, db: Session, world: World) -> None:
    ann = world.person("Ann", Role.STUDENT, password=PASSWORD)

    results = at_once(
        app,
        lambda: deactivate_person(as_actor(world.sue), ann.id, reason="left"),
        *[lambda where=f"192.0.2.{n}": tokens.login("ann@people.example", PASSWORD, address=where) for n in range(4)],
    )

    assert "busy" not in refused(results)
    db.rollback()
    assert db.scalars(select(TokenFamily).where(TokenFamily.revoked_at.is_(None))).all() == []
