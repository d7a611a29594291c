"""What stands in the way of production is told, each with what to do; nothing of it can be overlooked."""

from __future__ import annotations

import ast
import pickle
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from redis import Redis
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import config
from guitaronline import fitness, health
from guitaronline.actor import SYSTEM
from guitaronline.identity.service import deactivate_person, set_password, set_up_totp
from jobs import bell
from tests.servers import Servers
from tests.world import PASSWORD, World

ROOT = Path(__file__).resolve().parents[1]
FIT = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-Kv7qXw2Zt9_mRb4Yc8NsEo1LdHf6Ju",
    "DATABASE_URL": "postgresql://app@db/school",
    "DATABASE_OWNER_URL": "postgresql://owner@db/school",
    "REDIS_URL": "redis://redis",
    "PUBLIC_BASE_URL": "https://school.example",
    "TRUSTED_HOSTS": "school.example",
    "COOKIE_SECURE": "1",
    "STAFF_TOTP": "required",
    "PAYMENT_PROVIDER": "manual",
    "MAIL_TRANSPORT": "off",
}


@pytest.fixture
def redis(settings: config.Settings) -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL) as connection:
        connection.flushdb()
        yield connection
        connection.flushdb()


def test_what_is_fit_is_told_nothing() -> None:
    settings = config.load(FIT)

    assert config.unfit_for_production(settings, FIT) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SECRET_KEY": "short"}, "32 or more random characters"),
        ({"SECRET_KEY": "ab" * 30}, "32 or more random characters"),
        ({"SECRET_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f" * 2}, "32 or more random characters"),
        ({"SECRET_KEY": "only-for-ones-own-machine-0123456789"}, "that stand nowhere else"),
        ({"SECRET_KEY_FALLBACKS": "short"}, "SECRET_KEY_FALLBACKS: each must be"),
        ({"SECRET_KEY_FALLBACKS": FIT["SECRET_KEY"]}, "not SECRET_KEY itself"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG: must not be set"),
        ({"LOG_LEVEL": "debug"}, "LOG_LEVEL: must be info"),
        ({"DATABASE_URL": ""}, "DATABASE_URL: must be set"),
        ({"DATABASE_OWNER_URL": "postgresql://app@db/school"}, "DATABASE_URL: must be of another role"),
        ({"REDIS_URL": ""}, "REDIS_URL: must be set"),
        ({"PUBLIC_BASE_URL": "http://school.example"}, "PUBLIC_BASE_URL: must be the https address"),
        ({"TRUSTED_HOSTS": "127.0.0.1,localhost"}, "TRUSTED_HOSTS: must name the host"),
        ({"TRUSTED_HOSTS": "school.example,*.example"}, "TRUSTED_HOSTS: must name the host"),
        ({"COOKIE_SECURE": "0"}, "COOKIE_SECURE: must be 1"),
        ({"STAFF_TOTP": "optional"}, "STAFF_TOTP: must be required"),
        ({"LIMITS": "off"}, "LIMITS: must be on"),
        ({"PAYMENT_PROVIDER": "sandbox"}, "PAYMENT_PROVIDER: must be stripe or manual"),
        ({"MAIL_TRANSPORT": "catcher"}, "MAIL_TRANSPORT: must be smtp or off"),
    ],
)
def test_each_setting_that_is_unfit_stops_the_start_and_is_told(given: dict[str, str], told: str) -> None:
    environ = {**FIT, **given}

    with pytest.raises(config.BadConfig, match=told):
        config.load(environ)
    relaxed = config.load({**environ, "ENVIRONMENT": "embedded"})
    assert [each for each in config.unfit_for_production(relaxed, environ) if told in each] != []


def test_every_secret_of_the_examples_is_known() -> None:
    assert all(map(config._is_weak, ["only-for-tests-" * 4, "only-for-ones-own-machine-0123456789", "x" * 40]))


def test_a_subdomain_may_be_named_by_its_parent() -> None:
    given = {**FIT, "PUBLIC_BASE_URL": "https://office.school.example", "TRUSTED_HOSTS": ".school.example"}

    assert config.load(given).is_production


def test_the_role_of_the_application_is_fit(db: Session) -> None:
    assert fitness.of_database(db) == []


def test_the_role_of_the_owner_is_not(mine: Servers, app: Flask, db: Session) -> None:
    engine = create_engine(mine.owner_url.replace("postgresql://", "postgresql+psycopg2://"))
    with Session(engine) as as_owner:
        told = fitness.of_database(as_owner)
    engine.dispose()

    assert [each for each in told if "owns the tables" in each] != []
    assert [each for each in told if "may make tables" in each] != []
    assert [each for each in told if "may rewrite the audit" in each] != []


def test_staff_without_an_authenticator_app_are_named(db: Session, world: World) -> None:
    set_password(SYSTEM, world.sue.id, password=PASSWORD)
    set_password(SYSTEM, world.ann.id, password=PASSWORD)
    assert fitness._of_people(db)[0] == (
        f"people: {world.sue.reference} of the staff without an authenticator app; they enrol, or are deactivated"
    )

    set_up_totp(SYSTEM, world.sue.id)

    assert [each for each in fitness._of_people(db) if "authenticator" in each] == []


def test_people_of_a_demo_are_named_until_they_are_deactivated(db: Session, world: World) -> None:
    set_password(SYSTEM, world.ann.id, password=PASSWORD)
    assert f"people: {world.ann.reference} of a demo" in fitness._of_people(db)[0]

    deactivate_person(SYSTEM, world.ann.id, reason="it was a demo")

    assert fitness._of_people(db) == []


def test_a_schema_that_is_behind_is_told(db: Session, owner: Connection) -> None:
    newest = health.newest_migration()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '0001'")
        try:
            [told] = fitness.of_database(db)
        finally:
            cursor.execute("UPDATE alembic_version SET version_num = %s", [newest])

    assert "at migration 0001" in told
    assert "flask --app wsgi db upgrade" in told


def test_jobs_of_ours_in_redis_are_fit(redis: Redis, settings: config.Settings) -> None:
    assert bell.ring(redis, "jobs.outbox.drain", "tick-1")

    assert fitness.of_redis(settings.REDIS_URL) == []


def test_a_pickled_job_in_redis_is_told(redis: Redis, settings: config.Settings) -> None:
    redis.hset("rq:job:strange", "data", zlib.compress(pickle.dumps(("os.system", None, ["true"], {}))))
    redis.set("rq:job:no-hash", "x")

    assert fitness.of_redis(settings.REDIS_URL) == [
        "Redis: 1 jobs that are not JSON; find out who put them there, then FLUSHALL"
    ]


def test_a_redis_that_does_not_answer_is_told() -> None:
    assert fitness.of_redis("redis://127.0.0.1:1/0") == ["REDIS_URL: does not answer: ConnectionError"]


def test_nothing_of_ours_pickles() -> None:
    files = [*(ROOT / "guitaronline").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]
    nodes = [(path.name, node) for path in files for node in ast.walk(ast.parse(path.read_text()))]
    imported = {
        name
        for name, node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom) and _names(node) & {"pickle", "shelve", "dill", "marshal"}
    }
    queues = [
        node
        for _, node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Queue", "Worker")
    ]

    assert imported == set()
    assert [ast.unparse(call) for call in queues if _is_of_rq(call) and not _says_json(call)] == []
    assert [call for call in queues if _is_of_rq(call)] != []


def _names(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {each.name.partition(".")[0] for each in node.names} | {getattr(node, "module", None) or ""}


def _is_of_rq(call: ast.Call) -> bool:
    return any(each.arg == "connection" for each in call.keywords)


def _says_json(call: ast.Call) -> bool:
    return any(each.arg == "serializer" and ast.unparse(each.value) == "JSONSerializer" for each in call.keywords)


def test_the_command_tells_everything_and_ends_with_one(app: Flask, db: Session, world: World) -> None:
    set_password(SYSTEM, world.sue.id, password=PASSWORD)

    told = app.test_cli_runner().invoke(args=["check-deploy"])

    assert told.exit_code == 1
    assert told.output.startswith("ENVIRONMENT: must be production")
    assert f"people: {world.sue.reference} of the staff" in told.output
    assert "in the way of production" in told.output


def test_what_is_fit_ends_with_nothing(db: Session, settings: config.Settings, redis: Redis) -> None:
    fit = replace(config.load(FIT), REDIS_URL=settings.REDIS_URL)

    assert fitness.obstacles(fit, FIT, db) == []
