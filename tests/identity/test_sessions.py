"""Signed-in browsers: the row decides, not the cookie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.db import technical_transaction
from guitaronline.errors import NotAllowed
from guitaronline.identity import sessions
from guitaronline.identity.models import ConsoleSession, User
from guitaronline.identity.service import ConsoleNotForStudents
from guitaronline.identity.sessions import SessionOpened, actor_of_session, close_session
from guitaronline.unit_of_work import Work, command
from tests.world import PASSWORD, World, as_actor

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def sue(world: World) -> User:
    return world.person("Sue", Role.SUPPORT, password=PASSWORD)


def open_one(email: str = "sue@people.example") -> SessionOpened:
    return sessions.open_session(email, PASSWORD, address="192.0.2.1", device="Firefox\x00" + "x" * 500)


def alive(opened: SessionOpened, after: timedelta) -> bool:
    with clock.standing_at(NOON + after):
        return actor_of_session(opened.token) is not None


def test_the_cookie_says_who_it_is(sue: User, db: Session) -> None:
    opened = open_one()

    found = actor_of_session(opened.token)
    assert found is not None
    assert (found.actor, found.full_name, found.email, found.timezone) == (
        as_actor(sue),
        "Sue",
        "sue@people.example",
        "UTC",
    )
    row = db.scalars(select(ConsoleSession)).one()
    assert opened.token.encode() not in row.token_hash
    assert (row.address, len(row.device or "")) == ("192.0.2.1", 299)


@pytest.mark.parametrize("token", ["", "x", "\ud800", "gol_at_x", "x" * 10_000])
def test_anything_else_says_nobody(sue: User, token: str) -> None:
    assert actor_of_session(token) is None


def test_every_sign_in_has_a_new_token(sue: User) -> None:
    first, second = open_one(), open_one()

    assert first.token != second.token
    assert actor_of_session(first.token) is not None


def test_students_use_the_app(world: World, db: Session) -> None:
    world.person("Ann", Role.STUDENT, password=PASSWORD)

    with pytest.raises(ConsoleNotForStudents):
        open_one("ann@people.example")
    assert issubclass(ConsoleNotForStudents, NotAllowed)
    assert db.scalars(select(ConsoleSession)).all() == []


def test_a_teacher_may(world: World) -> None:
    world.person("Tom", Role.TEACHER, password=PASSWORD)

    assert actor_of_session(open_one("tom@people.example").token) is not None


def test_it_ends_after_half_an_hour_of_nothing(sue: User) -> None:
    with clock.standing_at(NOON):
        opened = open_one()

    assert not alive(opened, timedelta(minutes=30))
    assert alive(opened, timedelta(minutes=29, seconds=59))
    assert alive(opened, timedelta(minutes=59))
    assert not alive(opened, timedelta(minutes=90))


def test_it_ends_after_twelve_hours_whatever_is_done(sue: User, db: Session) -> None:
    with clock.standing_at(NOON):
        opened = open_one()
    for half_hours in range(24):
        assert alive(opened, timedelta(minutes=29) * half_hours)

    assert alive(opened, timedelta(hours=11, minutes=36))
    assert alive(opened, timedelta(hours=11, minutes=59, seconds=59))
    assert not alive(opened, timedelta(hours=12))


def test_looking_at_pages_writes_at_most_once_a_minute(sue: User, db: Session) -> None:
    with clock.standing_at(NOON):
        opened = open_one()

    assert alive(opened, timedelta(seconds=60))
    assert db.scalars(select(ConsoleSession.last_seen_at)).one() == NOON
    assert alive(opened, timedelta(seconds=61))
    assert db.scalars(select(ConsoleSession.last_seen_at)).one() == NOON + timedelta(seconds=61)


def test_after_signing_out_a_copied_cookie_is_worth_nothing(sue: User) -> None:
    opened, other = open_one(), open_one()

    close_session(opened.token)
    close_session(opened.token)
    close_session("never heard of")

    assert actor_of_session(opened.token) is None
    assert actor_of_session(other.token) is not None


def test_a_technical_transaction_does_not_stand_inside_a_unit_of_work(sue: User) -> None:
    @command("test.nested_sign_out")
    def sign_out(work: Work) -> None:
        close_session("x")

    with pytest.raises(RuntimeError, match="inside a unit of work"):
        sign_out(as_actor(sue))


def test_a_technical_transaction_that_fails_leaves_nothing(sue: User, db: Session) -> None:
    opened = open_one()

    def fail() -> None:
        with technical_transaction() as session:
            session.delete(session.scalars(select(ConsoleSession)).one())
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert actor_of_session(opened.token) is not None
