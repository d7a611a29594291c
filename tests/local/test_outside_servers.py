"""Servers that the settings name are used and left alone; throw-away ones live as long as one command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from guitaronline.local import schema, supervisor
from tests import servers
from tests.local.project import make_project, started


@pytest.fixture
def outside() -> servers.Servers:
    servers.drop_database("outside")
    return servers.create_database("outside", template="template0")


def test_named_servers_are_used_and_none_is_started(tmp_path: Path, outside: servers.Servers) -> None:
    project = make_project(tmp_path)
    addresses = {
        "DATABASE_URL": outside.app_url,
        "DATABASE_OWNER_URL": outside.owner_url,
        "REDIS_URL": outside.redis_url,
    }

    with started(project, var=None, **addresses) as run:
        run.wait_for("ready ")
        run_env = (run.var / "run.env").read_text()
        assert run.stop() == 0

    assert "PostgreSQL" not in run.said
    assert "Valkey" not in run.said
    assert not (run.var / "postgres").exists()
    assert not (run.var / "redis").exists()
    assert f"DATABASE_URL={outside.app_url}\n" in run_env
    with psycopg2.connect(outside.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchone() == (3,)


def test_without_demo_the_school_stays_empty(tmp_path: Path, outside: servers.Servers) -> None:
    project = make_project(tmp_path)

    with started(project, DEMO="0", DATABASE_URL=outside.owner_url, REDIS_URL=outside.redis_url) as run:
        run.wait_for("ready ")

    with psycopg2.connect(outside.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchone() == (0,)
    assert "secret-words" not in run.said


def test_exec_runs_a_command_beside_migrated_servers_and_returns_its_code(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    script = 'psql() { :; }; test -n "$REDIS_URL" && echo "at=$VAR_DIR" && python seen.py; exit 7'
    (project / "seen.py").write_text(
        "import os, psycopg2\n"
        "cursor = psycopg2.connect(os.environ['DATABASE_URL']).cursor()\n"
        "cursor.execute('SELECT current_user, count(*) FROM users')\n"
        "print(cursor.fetchone())\n"
    )

    with started(project, "exec", "--", "/bin/sh", "-c", script) as run:
        assert run.popen.wait(30) == 7

    said = dict(line.split("=", 1) for line in run.said.splitlines() if "=" in line)
    assert "('guitaronline_app', 0)" in run.said
    assert not Path(said["at"]).exists()
    assert not run.processes()


def test_migrations_need_no_superuser(outside: servers.Servers) -> None:
    with psycopg2.connect(outside.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS plain_owner")
        cursor.execute("CREATE ROLE plain_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD 'plain'")
        cursor.execute("ALTER DATABASE outside OWNER TO plain_owner")
    plain = re.sub(r"//.*@", "//plain_owner:plain@", outside.owner_url)
    environment = {**os.environ, "DATABASE_URL": outside.app_url, "DATABASE_OWNER_URL": plain}

    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        cwd=supervisor.ROOT,
        env=environment,
        check=True,
    )

    assert schema.at_head(plain, supervisor.ROOT / "migrations" / "versions")
    servers.drop_database("outside")
    servers.create_database("outside", template="template0")


@pytest.mark.parametrize(
    "forbidden",
    [
        "CREATE DATABASE other",
        "CREATE ROLE other",
        "CREATE TABLE other ()",
        "SET session_replication_role = replica",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
def test_the_application_role_may_do_nothing_to_the_server(outside: servers.Servers, forbidden: str) -> None:
    connection = psycopg2.connect(outside.app_url)
    connection.autocommit = True

    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(forbidden)

    connection.close()


def test_the_server_sorts_and_keeps_time_alike_everywhere(outside: servers.Servers) -> None:
    with psycopg2.connect(outside.owner_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT datlocprovider, datlocale, current_setting('timezone') FROM pg_database WHERE datname = current_database()"
        )

        assert cursor.fetchone() == ("b", "C.UTF-8", "UTC")


def test_a_stranger_does_not_get_in(outside: servers.Servers) -> None:
    wrong = outside.app_url.replace("guitaronline_app:", "guitaronline_app:x")

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(wrong)


def test_the_doorbell_asks_for_a_password(outside: servers.Servers) -> None:
    port = outside.redis_url.rpartition(":")[2].partition("/")[0]

    answer = subprocess.run(
        ["/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'PING\\r\\nQUIT\\r\\n' >&3; cat <&3"],
        capture_output=True,
        check=True,
    )

    assert answer.stdout.startswith(b"-NOAUTH")
