"""The embedded PostgreSQL: its cluster, its two roles, its one database."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guitaronline.local import binaries, process, users
from guitaronline.local.ending import pause
from guitaronline.local.errors import StartFailed
from guitaronline.local.ports import HOST, free_port

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

OWNER = "guitaronline_owner"  # migrates; superuser on this cluster only
APPLICATION = "guitaronline_app"  # works; neither superuser nor owner of anything
DATABASE = "guitaronline"
READY_WITHIN_SECONDS = 30.0

# The whole stack stays below 400 MB at rest, so the server is told to be small.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "80",
    "shared_buffers": "256MB",  # touched page by page: a small school never has them all
    "effective_cache_size": "512MB",
    "maintenance_work_mem": "64MB",
    "huge_pages": "off",
    "random_page_cost": "1.1",  # SSD
    "jit": "off",  # short statements: compiling costs more than it saves
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %u@%d ",
}
SETTINGS_SINCE_18 = {"io_method": "sync"}  # the io workers are three more processes
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@dataclass(frozen=True)
class Passwords:
    owner: str
    application: str


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    child: process.Child
    port: int
    passwords: Passwords

    def url(self, role: str, database: str = DATABASE) -> str:
        password = self.passwords.owner if role == OWNER else self.passwords.application
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{database}"


def start(data: Path, log: Path, passwords: Passwords, *, durable: bool) -> Postgres:
    """A server on `data` answers, with both roles and the database. Makes the cluster first where there is none.

    durable=False is for throw-away data: nothing is flushed to disk."""
    if not data.exists():
        programs, user = binaries.find_postgres(), users.server_user(data)
        create_cluster(programs, data, log, passwords, user, durable=durable)
    server = serve(data, log, passwords, THROW_AWAY if not durable else {})
    with process.until_ready(server.child):
        ensure_roles_and_database(server)
    return server


def serve(data: Path, log: Path, passwords: Passwords, other: dict[str, str], *, port: int = 0) -> Postgres:
    """A server on the cluster in `data` takes connections; a standby, or one that recovers, those that only read.

    `other` settings go before the usual ones; `port` 0 is any free one."""
    programs, user = binaries.find_postgres(), users.server_user(data)
    remove_stale_pid(data)
    settings = SETTINGS | (SETTINGS_SINCE_18 if programs.major >= 18 else {}) | other
    port = port or free_port()
    child = process.start(
        "postgres",
        [
            *users.as_user(user, reach=[data, programs.postgres], stop_signal=signal.SIGINT),
            *(programs.postgres, "-D", data, "-p", str(port)),
            *(option for name, value in settings.items() for option in ("-c", f"{name}={value}")),
        ],
        cwd=data.parent,
        log=log,
        stop_signal=signal.SIGINT,  # "fast": ends the sessions, then writes a checkpoint
        hard_signal=signal.SIGQUIT,  # "immediate": the next start recovers from the log
    )
    server = Postgres(child, port, passwords)
    with process.until_ready(child):
        wait_until_ready(server, data, log)
    return server


def create_cluster(
    programs: binaries.PostgresBinaries,
    data: Path,
    log: Path,
    passwords: Passwords,
    user: users.ServerUser,
    *,
    durable: bool,
) -> None:
    """`data` holds a fresh cluster; it appears whole or not at all."""
    part, password_file = data.with_name(data.name + ".part"), data.with_name(data.name + ".password")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    password_file.touch(0o600)
    password_file.write_text(passwords.owner)
    for path in (part, password_file):
        users.give(path, user)
    options: list[str | Path] = [
        "-D",
        part,
        "-U",
        OWNER,
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-instructions",
    ]
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same order on every machine
    prefix = users.as_user(user, reach=[part, programs.initdb])
    try:
        command = [*prefix, programs.initdb, *options, *locale, *([] if durable else ["--no-sync"])]
        process.run("initdb", command, cwd=data.parent, log=log)
    finally:
        password_file.unlink()
    part.rename(data)


def remove_stale_pid(data: Path) -> None:
    """No pid file of a server that is gone stands in the way.

    PostgreSQL itself clears one whose process is dead, but believes one whose number another process has got since
    (usual after a reboot). Ours to decide, because we hold the lock: servers left behind are ended first."""
    process.end_leftovers(data, signal.SIGQUIT)
    if Path("/proc").is_dir():  # elsewhere we cannot know that nobody is there
        (data / "postmaster.pid").unlink(missing_ok=True)


def wait_until_ready(server: Postgres, data: Path, log: Path) -> None:
    """The server takes connections: it says so in the last line of its pid file, as pg_ctl reads it."""
    until = time.monotonic() + READY_WITHIN_SECONDS
    while not pid_file_says_ready(data, server.child.popen.pid):
        if server.child.ended or time.monotonic() > until:
            raise StartFailed(f"PostgreSQL did not start; the end of {log}:\n{process.tail(log)}")
        pause(0.01)


def pid_file_says_ready(data: Path, pid: int) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def ensure_roles_and_database(server: Postgres) -> None:
    """The application's role and the database exist; also after a first start that was cut short."""
    import psycopg2

    try:
        connection = psycopg2.connect(server.url(OWNER, "postgres"))
    except psycopg2.OperationalError as error:
        raise StartFailed(
            f"the passwords in secrets.env do not open the database in the same folder: {error}"
        ) from error
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            ensure_application_role(cursor, server.passwords.application)
            create_database(cursor, DATABASE)
    finally:
        connection.close()


def ensure_application_role(cursor: Cursor, password: str) -> None:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION])
    if cursor.fetchone() is None:
        cursor.execute(
            f"CREATE ROLE {APPLICATION} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD %s", [password]
        )


def create_database(cursor: Cursor, name: str, template: str = "template0") -> None:
    """The database exists, a copy of `template`, and only the two roles may enter it. Names are ours, never input."""
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    if cursor.fetchone() is None:
        cursor.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}"')
    cursor.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    cursor.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {APPLICATION}')
