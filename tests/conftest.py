"""Real PostgreSQL and Valkey for every test; a clean database each time; the invariants looked at after each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

import config
from guitaronline import create_app
from guitaronline.db import Base, database, session
from tests import servers
from tests.invariants import Invariants
from tests.world import World

pytest_plugins = ["tests.browser.presence"]

SWEEP = "SET session_replication_role = replica; {deletes}; SET session_replication_role = origin"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "breaks_invariants: the test leaves facts that the checks must find")
    servers.start_shared()


def pytest_unconfigure(config: pytest.Config) -> None:
    servers.stop_shared()


@pytest.fixture(scope="session")
def mine() -> servers.Servers:
    """This process's own database and Redis number."""
    return servers.start_shared().for_worker(os.environ.get("PYTEST_XDIST_WORKER", "main"))


@pytest.fixture(scope="session")
def settings(mine: servers.Servers, tmp_path_factory: pytest.TempPathFactory) -> config.Settings:
    return config.load(
        {
            "ENVIRONMENT": "test",
            "SECRET_KEY": "only-for-tests-" * 4,
            "DATABASE_URL": mine.app_url,
            "DATABASE_OWNER_URL": mine.owner_url,
            "REDIS_URL": mine.redis_url,
            "ARGON2_TIME_COST": "1",
            "ARGON2_MEMORY_KIB": "64",
            "DATABASE_POOL_SIZE": "20",
            "LIMITS": "off",
            "LOG_LEVEL": "error",
            "VAR_DIR": str(tmp_path_factory.mktemp("var")),
        }
    )


@pytest.fixture(scope="session")
def app(settings: config.Settings) -> Flask:
    made = create_app(settings)
    made.config["TESTING"] = True
    return made


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """pytest-flask pushes a request context around each test, in which clients would share `g`: not here."""


@pytest.fixture(scope="session")
def owner(mine: servers.Servers) -> Iterator[Connection]:
    """A connection of the owner role, autocommit."""
    connection = psycopg2.connect(mine.owner_url)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def invariants(mine: servers.Servers) -> Iterator[Invariants]:
    connection = psycopg2.connect(mine.app_url)
    connection.autocommit = True
    yield Invariants(connection)
    connection.close()


@pytest.fixture
def db(app: Flask, owner: Connection, invariants: Invariants, request: pytest.FixtureRequest) -> Iterator[Session]:
    """The session in an empty database, inside an application context. The invariants hold at the end."""
    with app.app_context():
        try:
            yield session()
            session().rollback()
            if "breaks_invariants" not in request.keywords:
                assert invariants.broken(session()) == []
        finally:
            database.session.remove()
            empty(owner)


@pytest.fixture
def world(db: Session) -> World:
    """The named cast, made on demand through the commands."""
    return World()


def empty(owner: Connection) -> None:
    """Every table but the migrations' own is empty afterwards. The owner may break the glass, the application may not."""
    deletes = "; ".join(f'DELETE FROM "{table.name}"' for table in Base.metadata.sorted_tables)
    with owner.cursor() as cursor:
        cursor.execute(SWEEP.format(deletes=deletes))
