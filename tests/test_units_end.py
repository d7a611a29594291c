"""Steps that a unit of work puts off to its end, and an end that is cut off."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import select, text

from guitaronline import db
from guitaronline.actor import Role
from guitaronline.api import errors as api_errors
from guitaronline.booking.models import Booking
from guitaronline.booking.service import hold_slot
from guitaronline.errors import Conflict
from guitaronline.identity.models import User
from guitaronline.identity.tokens import login
from guitaronline.unit_of_work import Work, command
from guitaronline.verdict import OutcomeUnknown
from guitaronline.web import error_page
from tests.world import PASSWORD, World, as_actor

NOTHING = "Nothing was changed"


@command("test.at_end", on="users")
def noted_at_end(work: Work, user_id: UUID, *, refusal: str = "") -> list[str]:
    """The level says what the person was called when the last step ran."""
    person, seen = work.lock(User, user_id), []

    def last() -> None:
        seen.append(person.full_name)
        person.level = person.full_name

    work.at_end(last)
    person.full_name = "Anna"
    if refusal == "kept":
        raise work.refuse_but_keep(Conflict("no, but what was done stays"))
    if refusal:
        raise Conflict("no")
    return seen


def test_the_last_step_runs_after_everything_else_and_is_committed(world: World) -> None:
    assert noted_at_end(as_actor(world.ada), world.ann.id) == ["Anna"]
    assert world.again(world.ann).level == "Anna"


def test_a_refusal_that_keeps_what_was_done_keeps_the_last_step_too(world: World) -> None:
    with pytest.raises(Conflict):
        noted_at_end(as_actor(world.ada), world.ann.id, refusal="kept")

    assert world.again(world.ann).level == "Anna"


def test_after_a_refusal_no_last_step_has_run(world: World) -> None:
    with pytest.raises(Conflict):
        noted_at_end(as_actor(world.ada), world.ann.id, refusal="whole")

    assert (world.again(world.ann).full_name, world.again(world.ann).level) == ("Ann", None)


@command("test.cut_off", on="users")
def renamed(work: Work, user_id: UUID, *, at_last: Callable[[Work], object]) -> None:
    work.lock(User, user_id).full_name = "Anna"
    work.at_end(lambda: at_last(work))


def test_whether_a_commit_was_done_whose_connection_broke_is_unknown(
    world: World, owner: Connection, app: Flask
) -> None:
    def cut(work: Work) -> None:
        pid = work.session.scalar(text("SELECT pg_backend_pid()"))
        with owner.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    ann = world.ann.id
    with pytest.raises(OutcomeUnknown) as told:
        renamed(as_actor(world.ada), ann, at_last=cut)

    assert (api_errors.status_of(OutcomeUnknown), NOTHING in told.value.text) == (503, False)
    with app.test_request_context("/admin/"):
        page, status, _ = error_page(told.value)
    assert (status, NOTHING in page) == (503, False)


@pytest.fixture
def answers_get_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one statement is done, and its answer does not come back."""
    run = db.Quick.one

    def lost(self: db.Quick, statement: db.Prepared, *values: object) -> None:
        run(self, statement, *values)
        if not self.connection.dbapi_connection.autocommit:
            self.connection.commit()
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(db.Quick, "one", lost)


def test_a_shortcut_that_was_cut_off_is_not_tried_again(world: World, request: pytest.FixtureRequest) -> None:
    world.package()
    slot_id, ann = world.slot().id, as_actor(world.ann)
    request.getfixturevalue("answers_get_lost")

    with pytest.raises(OutcomeUnknown):
        hold_slot(ann, slot_id)

    assert db.session().scalars(select(Booking.status)).all() == ["hold"]


def test_a_connection_that_broke_before_the_call_answers_503_and_not_500(
    world: World, owner: Connection, app: Flask
) -> None:
    db.session().rollback()
    db.database.engine.dispose()  # one connection, that has hardly rested
    pair = login(world.person("Una", Role.STUDENT, password=PASSWORD).email or "", PASSWORD)
    called = app.test_client()
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'guitaronline'"
        )

    answer = called.get("/api/v1/identity/users/me", headers={"Authorization": f"Bearer {pair.access_token}"})

    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
