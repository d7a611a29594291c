"""What the web processes count: requests, commands, connections; each label from a closed set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import generate_latest, values
from psycopg2.extras import wait_select
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

import config
from guitaronline import health, meters, unit_of_work, watching
from guitaronline.billing.provider_models import EventStatus
from guitaronline.meters import METHODS
from guitaronline.notifications.models import Channel, Outcome
from guitaronline.watching import Ending
from jobs.schedule import TIMETABLE
from tests.world import World

SAMPLE = re.compile(r"^([a-z_0-9]+)(?:\{(.*)\})? [0-9.eE+-]+$", re.MULTILINE)
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


@pytest.fixture
def client(app: Flask, db: Session) -> FlaskClient:
    client: FlaskClient = app.test_client()
    client.get("/health")  # the first request makes the meters
    return client


@pytest.fixture
def alone() -> Iterator[meters.Meters]:
    """Meters of this test only, which count for themselves."""
    before, values.ValueClass = values.ValueClass, values.MutexValue
    yield meters.make(None)
    values.ValueClass = before


def labels(page: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for _, some in SAMPLE.findall(page):
        for name, value in LABEL.findall(some):
            found.setdefault(name, set()).add(value)
    return found


def number(page: str, sample: str) -> float:
    return float(re.search(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)[1])  # type: ignore[index]


def told(made: meters.Meters) -> str:
    return generate_latest(made.registry()).decode()


def test_every_label_is_of_a_closed_set(app: Flask, client: FlaskClient, world: World) -> None:
    assert world.package()
    before = labels(client.get("/metrics").get_data(as_text=True))  # other tests may have routes of their own
    client.open("/api/v1/identity/users/zelda?zelda=1", method="BREW", headers={"Host": "zelda.example"})
    client.post("/zelda", data={"zelda": "1"})
    client.get("/static/zelda.js")

    found = labels(client.get("/metrics").get_data(as_text=True))

    known = {
        "method": METHODS | {"other"},
        "route": {rule.rule for rule in app.url_map.iter_rules()} | {"(none)"},
        "command": unit_of_work.command_names,
        "ending": {ending.value for ending in Ending},
        "job": {job.name for job in TIMETABLE},
        "channel": {channel.value for channel in Channel},
        "outcome": {outcome.value for outcome in Outcome},
        "state": {"active", "idle", "idle in transaction", "other"},
        "quantile": {"0.5", "0.95"},
        "le": {str(bucket) for bucket in meters.BUCKETS} | {"+Inf"},
    }
    statuses = {"pending", "dead", "queued", "failed", "uncertain", "open", "escalated", *EventStatus}
    strange = {
        name: each - known.get(name, set()) - before.get(name, set())
        for name, each in found.items()
        if name != "status"
    }
    assert {name: each for name, each in strange.items() if each} == {}
    assert {each for each in found["status"] - statuses if not re.fullmatch(r"[2-5]\d\d", each)} == set()
    assert {"command", "ending", "route", "state"} <= set(found)


def test_a_command_of_a_request_is_counted_by_its_ending(client: FlaskClient, world: World) -> None:
    sample = 'commands_total{command="person.create",ending="done"}'
    assert world.ann
    before = number(client.get("/metrics").get_data(as_text=True), sample)

    assert world.ben

    assert number(client.get("/metrics").get_data(as_text=True), sample) == before + 1


def test_a_start_again_is_counted_and_takes_no_time(alone: meters.Meters) -> None:
    alone.count_command("booking.hold", Ending.AGAIN, 0.0)
    alone.count_command("booking.hold", Ending.DONE, 0.02)

    page = told(alone)

    assert 'commands_total{command="booking.hold",ending="again"} 1.0' in page
    assert 'command_seconds_count{command="booking.hold"} 1.0' in page


def test_the_pool_says_what_is_in_use_and_what_is_left(settings: config.Settings, alone: meters.Meters) -> None:
    engine = create_engine(settings.DATABASE_URL.replace("postgresql://", "postgresql+psycopg2://"), pool_size=2)
    alone.watch_pool(engine)

    with engine.connect(), engine.connect():
        full = told(alone)
    empty = told(alone)
    engine.dispose()

    assert (number(full, "database_pool_in_use"), number(full, "database_pool_free")) == (2, 0)
    assert (number(empty, "database_pool_in_use"), number(empty, "database_pool_free")) == (0, 2)


def test_a_process_that_ended_has_no_connections_any_more(tmp_path: Path) -> None:
    for name in ("gauge_livesum_999999999.db", "gauge_livemin_1.db", "counter_999999999.db"):
        (tmp_path / name).touch()

    meters.forget_the_dead(tmp_path)

    assert sorted(each.name for each in tmp_path.iterdir()) == ["counter_999999999.db", "gauge_livemin_1.db"]


def test_nobody_listens_twice(client: FlaskClient) -> None:
    client.get("/health")

    counting = [each for each in watching.listeners if each == meters.meters().count_command]
    assert len(counting) == 1


@pytest.fixture
def one_waits(settings: config.Settings, db: Session) -> Iterator[None]:
    """One connection holds a lock, another waits for it."""
    holder, waiter = psycopg2.connect(settings.DATABASE_URL), psycopg2.connect(settings.DATABASE_URL, async_=True)
    wait_select(waiter)
    holder.cursor().execute("SELECT pg_advisory_xact_lock(4711)")
    waiter.cursor().execute("SELECT pg_advisory_xact_lock(4711)")
    until_somebody_waits(db)
    yield
    waiter.close()
    holder.close()


def until_somebody_waits(db: Session) -> None:
    while not db.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
        db.rollback()
    db.rollback()


def test_who_waits_for_a_lock_is_seen(client: FlaskClient, one_waits: None) -> None:
    page = client.get("/metrics").get_data(as_text=True)

    assert number(page, "locks_waiting") == 1
    assert number(page, "locks_oldest_wait_seconds") > 0
    assert number(page, "transactions_oldest_seconds") > 0
    assert number(page, 'database_connections{state="active"}') >= 1


def test_when_nobody_waits_that_is_told_too(client: FlaskClient) -> None:
    page = client.get("/metrics").get_data(as_text=True)

    assert (number(page, "locks_waiting"), number(page, "locks_oldest_wait_seconds")) == (0, 0)
    assert number(page, "database_connections_free") > 0


def test_money_of_which_nothing_waits_is_told_as_zero(client: FlaskClient) -> None:
    page = client.get("/metrics").get_data(as_text=True)

    names = [name for name in health.GAUGES if name.startswith(("reconciliation_", "payment", "provider_", "refunds_"))]
    assert len(names) == 7
    assert [name for name in names if not re.search(rf"^{name}(\{{.*\}})? 0\.0$", page, re.MULTILINE)] == []
