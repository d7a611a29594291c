"""How the demo school is loaded: the same every time, into an empty database only, and never in production."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy, unit_of_work
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.demo.load import NotEmpty, NotForProduction, load_school
from guitaronline.identity.models import User
from tests.conftest import empty
from tests.world import World

NOW = datetime(2027, 11, 7, 1, 30, tzinfo=UTC)  # Europe's clocks went back within the six weeks, America's do in hours


def lives() -> list[tuple[Any, ...]]:
    """Who took which lessons how, without ids."""
    query = (
        select(User.full_name, Booking.start_at, Booking.status, Booking.created_at, Booking.decision["outcome"].astext)
        .join(User, User.id == Booking.student_id)
        .order_by(User.full_name, Booking.created_at, Booking.start_at)
    )
    return [tuple(row) for row in session().execute(query)]


def test_the_same_seed_at_the_same_moment_gives_the_same_school_and_nobody_is_rung(
    db: Session, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[set[str]] = []
    monkeypatch.setattr(unit_of_work, "doorbell", [rung.append])
    with clock.standing_at(NOW):
        load_school(4)
        first = lives()
        db.rollback()
        empty(owner)
        load_school(4)

    assert lives() == first
    assert len(first) > 10
    assert (rung, unit_of_work.doorbell) == ([], [rung.append])


def test_it_is_loaded_into_an_empty_database_only(world: World, db: Session) -> None:
    _ = world.ann

    with pytest.raises(NotEmpty):
        load_school(1)


def test_it_is_never_loaded_in_production(db: Session) -> None:
    with policy.changed(ENVIRONMENT="production"), pytest.raises(NotForProduction):
        load_school(1)


def test_the_command_writes_the_logins_and_a_second_time_refuses(app: Flask, db: Session, tmp_path: Path) -> None:
    run = app.test_cli_runner()
    with policy.changed(VAR_DIR=str(tmp_path)):
        first = run.invoke(args=["demo", "load", "--students", "1"])
        second = run.invoke(args=["demo", "load", "--students", "1"])

    assert first.exit_code == 0, first.output
    assert "admin@school.example" in (tmp_path / "demo-logins.txt").read_text()
    assert (second.exit_code, "already" in second.output) == (1, True)
