"""/health, /ready and /metrics: what machines are told, and which machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection
from sqlalchemy import text
from sqlalchemy.orm import Session

import config
from guitaronline import create_app, health, meters, policy
from tests.world import World

NOBODY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture(autouse=True)
def just_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "STARTED", time.monotonic())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def elsewhere(settings: config.Settings) -> Iterator[FlaskClient]:
    """An application whose servers do not answer."""
    yield create_app(replace(settings, DATABASE_URL=NOBODY, REDIS_URL="redis://127.0.0.1:1/0")).test_client()
    policy.set_current(settings)


SWEEPS = ("booking.expire_holds", "outbox.drain")  # one of each queue


def sweep(db: Session, age: str, jobs: tuple[str, ...] = SWEEPS) -> None:
    db.execute(
        text(
            "INSERT INTO job_ticks (id, job, tick_at, finished_at, outcome)"
            " SELECT gen_random_uuid(), job, now() - CAST(:age AS interval), now() - CAST(:age AS interval), 'done: 0'"
            " FROM unnest(CAST(:jobs AS text[])) asked(job)"
        ),
        {"age": age, "jobs": list(jobs)},
    )
    db.commit()


def test_ready_when_everything_answers(client: FlaskClient, db: Session) -> None:
    answer = client.get("/ready")

    assert (answer.status_code, answer.json) == (200, {"status": "ready"})


def test_alive_needs_nobody(elsewhere: FlaskClient) -> None:
    assert elsewhere.get("/health").json == {"status": "ok"}


def test_a_web_that_is_leaving_says_so_to_the_proxy(client: FlaskClient, settings: config.Settings) -> None:
    sign = Path(settings.VAR_DIR) / "leaving"
    sign.touch()
    try:
        answer = client.get("/health")
    finally:
        sign.unlink()

    assert (answer.status_code, answer.json) == (503, {"status": "leaving"})
    assert client.get("/health").status_code == 200


def test_not_ready_says_what_is_wrong(elsewhere: FlaskClient) -> None:
    answer = elsewhere.get("/ready")

    assert answer.status_code == 503
    assert answer.json == {
        "status": "not ready",
        "wrong": {
            "database": "does not answer as it should: OperationalError",
            "redis": "does not answer: ConnectionError",
        },
    }


def test_not_ready_at_another_migration(client: FlaskClient, db: Session, owner: Connection) -> None:
    newest = health.newest_migration()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '0001'")
        try:
            answer = client.get("/ready")
        finally:
            cursor.execute("UPDATE alembic_version SET version_num = %s", [newest])

    assert answer.json is not None
    assert answer.json["wrong"] == {"database": f"at migration 0001, the code is at {newest}"}


def test_not_ready_when_nothing_was_swept_for_long(
    client: FlaskClient, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STARTED", health.STARTED - 600)
    sweep(db, "5 minutes")

    answer = client.get("/ready")

    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["wrong"] == {"worker": "no sweep for 300 s", "messages": "no sweep for 300 s"}


@pytest.mark.parametrize(("stands", "works"), [("worker", SWEEPS[1]), ("messages", SWEEPS[0])])
def test_each_worker_is_looked_at(
    client: FlaskClient, db: Session, monkeypatch: pytest.MonkeyPatch, stands: str, works: str
) -> None:
    monkeypatch.setattr(health, "STARTED", health.STARTED - 600)
    sweep(db, "5 minutes")
    sweep(db, "5 seconds", (works,))

    answer = client.get("/ready")

    assert answer.json is not None
    assert list(answer.json["wrong"]) == [stands]


def test_ready_again_after_a_sweep_and_for_a_while_after_a_start(
    client: FlaskClient, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(db, "5 minutes")
    assert client.get("/ready").status_code == 200

    monkeypatch.setattr(health, "STARTED", health.STARTED - 600)
    sweep(db, "5 seconds")
    assert client.get("/ready").status_code == 200


def test_a_worker_that_is_at_its_nightly_job_is_at_work(
    client: FlaskClient, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STARTED", health.STARTED - 600)
    sweep(db, "5 minutes")
    sweep(db, "5 seconds", ("outbox.drain",))
    db.execute(
        text(
            "INSERT INTO job_ticks (id, job, tick_at, started_at) VALUES (gen_random_uuid(), 'checks.run', now() - interval '9 hours', now())"
        )
    )
    db.commit()

    assert client.get("/ready").status_code == 200


def test_metrics_tell_what_the_database_knows(world: World, client: FlaskClient, db: Session) -> None:
    world.package()
    sweep(db, "5 seconds")

    lines = client.get("/metrics").get_data(as_text=True).splitlines()

    assert "database_up 1.0" in lines
    waiting = db.execute(text("SELECT count(*) FROM outbox_events WHERE status = 'pending'")).scalar_one()
    assert f'outbox_events{{status="pending"}} {float(waiting)}' in lines
    assert any(line.startswith('job_last_success_seconds{job="outbox.drain"} 5.') for line in lines)


def test_metrics_count_requests_by_route_and_never_by_address(client: FlaskClient, db: Session) -> None:
    client.get("/health?name=zelda")
    client.open("/no/such/zelda", method="BREW")

    text_ = client.get("/metrics").get_data(as_text=True)

    assert 'http_requests_total{method="GET",route="/health",status="200"}' in text_
    assert 'method="other",route="(none)"' in text_
    assert "zelda" not in text_


def test_metrics_without_the_database_say_so(elsewhere: FlaskClient) -> None:
    assert "database_up 0.0" in elsewhere.get("/metrics").get_data(as_text=True).splitlines()


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_metrics_are_not_shown_through_a_proxy(client: FlaskClient, db: Session, header: str) -> None:
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_metrics_are_not_shown_to_other_machines(client: FlaskClient, db: Session) -> None:
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 403


def test_metrics_are_shown_to_who_has_the_token(settings: config.Settings, db: Session) -> None:
    client = create_app(replace(settings, METRICS_TOKEN="only-for-prometheus")).test_client()
    policy.set_current(settings)
    far = {"REMOTE_ADDR": "192.0.2.7"}

    answers = [
        client.get("/metrics", environ_base=far, headers={"Authorization": "Bearer only-for-prometheus"}).status_code,
        client.get("/metrics", environ_base=far, headers={"Authorization": "Bearer ünknown"}).status_code,
        client.get("/metrics").status_code,
    ]

    assert answers == [200, 403, 403]


def test_counters_of_servers_that_ended_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "999999999").mkdir()

    mine = meters.shared_folder(tmp_path)

    assert mine is not None
    assert list(tmp_path.iterdir()) == [mine]


def test_without_a_folder_each_process_counts_for_itself(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert meters.shared_folder(tmp_path / "file") is None
