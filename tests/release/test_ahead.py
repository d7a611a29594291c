"""Code of the release before, on the schema of the next: while that is rolled out, and after it was rolled back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from guitaronline import health
from tests import servers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def later() -> Iterator[servers.Servers]:
    """A database that a later release has migrated."""
    name = f"guitaronline_later_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    servers.drop_database(name)
    database = servers.create_database(name)
    with psycopg2.connect(database.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '9999'")
    yield database
    servers.drop_database(name)


def test_migrating_with_code_of_before_changes_nothing_and_says_so(later: servers.Servers) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": later.app_url,
        "DATABASE_OWNER_URL": later.owner_url,
        "REDIS_URL": later.redis_url,
    }

    run = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "The database is at 9999, of a later release than this code" in run.stdout


def test_a_later_schema_is_served_and_an_earlier_or_strange_one_is_not() -> None:
    assert health.is_later(["9999"])
    assert not health.is_later([health.newest_migration()])
    assert not health.is_later(["0001"])
    assert not health.is_later([])
    assert not health.is_later(["9998", "9999"])
