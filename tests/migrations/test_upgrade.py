"""An empty database and a school of the migration before reach the newest one, and nothing is lost on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from guitaronline.local import binaries
from tests import servers

ROOT = Path(__file__).resolve().parents[2]
# A demo school of 28 students, data only, as the migration before the newest had it. Made anew with each migration:
# `flask db upgrade <the one before>`, `flask demo load --students 28`, then
# `pg_dump --data-only --format=custom --compress=9 --exclude-table=alembic_version`.
BEFORE = "0017"
SCHOOL = Path(__file__).with_name(f"school-{BEFORE}.dump")


@pytest.fixture
def empty() -> Iterator[servers.Servers]:
    name = f"guitaronline_upgrade_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    servers.drop_database(name)
    servers.create_database(name, template="template0")
    yield servers.start_shared().database(name)
    servers.drop_database(name)


def flask(database: servers.Servers, *words: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database.app_url,
        "DATABASE_OWNER_URL": database.owner_url,
        "REDIS_URL": database.redis_url,
    }
    run = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def counts(database: servers.Servers) -> dict[str, int]:
    with psycopg2.connect(database.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        tables = [row[0] for row in cursor.fetchall() if row[0] != "alembic_version"]
        found = {}
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            found[table] = cursor.fetchone()[0]
        return found


def test_an_empty_database_reaches_the_newest_migration_and_goes_back(empty: servers.Servers) -> None:
    flask(empty, "db", "upgrade")
    flask(empty, "db", "check")

    flask(empty, "db", "downgrade", "base")
    assert counts(empty) == {}


def test_a_school_of_the_migration_before_is_whole_afterwards(empty: servers.Servers) -> None:
    flask(empty, "db", "upgrade", BEFORE)
    restore = [
        binaries.find_postgres().folder / "pg_restore",
        "--data-only",
        "--disable-triggers",
        "--dbname",
        empty.owner_url,
        SCHOOL,
    ]
    subprocess.run(restore, check=True, capture_output=True)
    before = counts(empty)

    flask(empty, "db", "upgrade")

    after = counts(empty)
    assert {table: after[table] for table in before} == before
    assert before["bookings"] > 50
    flask(empty, "audit", "verify")
    with psycopg2.connect(empty.owner_url) as connection, connection.cursor() as cursor:  # as the worker would at once
        cursor.execute("UPDATE outbox_events SET status = 'no_handler', closed_at = now()")
    flask(empty, "checks", "run")
