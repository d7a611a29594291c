"""The product on one machine, each part started again at once when it ends: servers on fixed ports, web, worker, scheduler.

As `guitaronline.local` starts them, with two differences: a server that dies does not end the run, and nobody waits before
starting anything again. One thread: children are bound to the one that starts them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

import config
from guitaronline.local import binaries, commands, folder, ports, postgres, process, supervisor, users, valkey
from guitaronline.local.ending import pause
from guitaronline.local.errors import StartFailed

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "web": commands.WEB.replace("wsgi:app", "bench.faults.wounded_web:app"),
    "worker": "python -m bench.faults.wounded_worker",
    "scheduler": "python -m bench.faults.wounded_scheduler",
    "sink": "python bench/sink.py $SMTP_PORT",  # takes every mail; it is never the one that dies
}
POLL_SECONDS = 0.01
SETTINGS = {
    "DEMO": "0",
    "LIMITS": "on",  # they count in Valkey, which is to fail
    "LIMIT_API_WRITE": "1000000 per minute",
    "LOG_LEVEL": "warning",
    "BOOKING_HOLD_MINUTES": "1",  # so that holds lapse while things go wrong
    "ARGON2_TIME_COST": "1",
    "ARGON2_MEMORY_KIB": "64",
    "QUIET_HOURS": "off",
    "REMINDER_HOURS": "off",
}


@dataclass
class Stack:
    place: folder.Folder
    web_port: int
    secrets: folder.Secrets
    settings: config.Settings
    database_port: int
    redis_port: int
    more: dict[str, str] = field(default_factory=dict)  # for the environment of the parts
    options: dict[str, str] = field(default_factory=dict)  # settings of PostgreSQL
    servers: dict[str, process.Child] = field(default_factory=dict)
    parts: dict[str, process.Child] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    # Servers

    def launch_postgres(self) -> postgres.Postgres:
        """Its process is there; whether it answers is another question."""
        programs, data = binaries.find_postgres(), self.place.postgres
        user = users.server_user(data)
        if not data.exists():
            postgres.create_cluster(
                programs, data, self.place.log("postgres"), self.secrets.database, user, durable=True
            )
        postgres.remove_stale_pid(data)
        since = postgres.SETTINGS_SINCE_18 if programs.major >= 18 else {}
        settings = postgres.SETTINGS | since | {"log_lock_waits": "off"} | self.options
        child = process.start(
            "postgres",
            [
                *users.as_user(user, reach=[data, programs.postgres], stop_signal=signal.SIGINT),
                *(programs.postgres, "-D", data, "-p", str(self.database_port)),
                *(option for name, value in settings.items() for option in ("-c", f"{name}={value}")),
            ],
            cwd=data.parent,
            log=self.place.log("postgres"),
            stop_signal=signal.SIGINT,
            hard_signal=signal.SIGQUIT,
        )
        self.servers["postgres"] = child
        return postgres.Postgres(child, self.database_port, self.secrets.database)

    def start_postgres(self) -> None:
        server, data = self.launch_postgres(), self.place.postgres
        postgres.wait_until_ready(server, data, self.place.log("postgres"))
        if "postgres" not in self.wanted:
            postgres.ensure_roles_and_database(server)
        self.wanted.add("postgres")

    def start_valkey(self) -> None:
        data, log = self.place.redis, self.place.log("valkey")
        user = users.server_user(data)
        data.mkdir(exist_ok=True)
        users.give(data, user)
        process.end_leftovers(data, signal.SIGTERM)
        written = data / "valkey.conf"
        written.write_text(valkey.config_text(data, self.redis_port, self.secrets.REDIS_PASSWORD, durable=True))
        users.give(written, user)
        program = binaries.find_valkey()
        command = [*users.as_user(user, reach=[written, program]), program, written]
        self.servers["valkey"] = process.start("valkey", command, cwd=data, log=log)
        valkey.wait_until_ready(self.servers["valkey"], self.redis_port, self.secrets.REDIS_PASSWORD, log)
        self.wanted.add("valkey")

    # Parts

    def start_part(self, name: str) -> None:
        environment = supervisor.environment_of(self.settings) | self.more
        line = process.shell(PARTS[name])
        self.parts[name] = process.start(name, line, cwd=ROOT, log=self.place.log(name), env=environment)
        self.wanted.add(name)

    def keep_up(self) -> list[str]:
        """What had ended runs again; returns the names."""
        again = []
        for name in ("postgres", "valkey", *PARTS):
            child = (self.servers | self.parts).get(name)
            if name in self.wanted and child is not None and child.ended:
                process.kill_session(child.popen.pid)
                again.append(name)
                if name == "postgres":
                    self.start_postgres()
                elif name == "valkey":
                    self.start_valkey()
                else:
                    self.start_part(name)
        return again

    def rest(self, seconds: float) -> list[str]:
        """So long, everything is kept running; what was started again."""
        until, again = time.monotonic() + seconds, self.keep_up()
        while time.monotonic() < until:
            pause(POLL_SECONDS)
            again += self.keep_up()
        return again

    def pid(self, name: str) -> int:
        return (self.servers | self.parts)[name].popen.pid

    def wait_until_ready(self, within: float = 600) -> None:
        from guitaronline.local import readiness

        give_up_at = time.monotonic() + within
        while not readiness.is_ready(self.web_port):
            if time.monotonic() > give_up_at:
                raise StartFailed(f"not ready: {readiness.why_not(self.web_port)}; logs in {self.place.path}/log")
            self.rest(0.2)

    # The database

    def connect(self) -> Connection:
        """As the owner, autocommit."""
        connection = psycopg2.connect(self.settings.DATABASE_OWNER_URL, connect_timeout=10)
        connection.autocommit = True
        return connection

    def wish(self, name: str, victim: str) -> Path:
        path = Path(self.more["FAULTS_WISHES"]) / name
        part = path.with_name(f".{name}")
        part.write_text(victim)
        part.rename(path)
        return path

    def stop(self) -> None:
        self.wanted.clear()
        process.end_all(list(self.parts.values()), patience=8)
        for name in ("valkey", "postgres"):
            if name in self.servers:
                self.servers[name].ask_to_stop()
                self.servers[name].end(until=time.monotonic() + 20)


@contextmanager
def running(
    path: Path,
    web_port: int,
    *,
    of: Path | None = None,
    more: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Iterator[Stack]:
    """The servers in that folder: new and migrated, or a copy `of` one that was stopped. No web, worker or scheduler yet."""
    if (path / "wishes").exists():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if of is not None:
        subprocess.run(["cp", "-a", of, path], check=True)  # with its owners
    path.mkdir(exist_ok=True)
    path.chmod(0o711)
    place = folder.open_folder(str(path))
    secrets = folder.secrets_of(place)
    for name in ("wishes", "taken"):
        (place.path / name).mkdir(exist_ok=True)
    database, redis, sink = ports.free_port(), ports.free_port(), ports.free_port()
    mail: dict[str, Any] = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": ports.HOST, "SMTP_PORT": sink, "SMTP_TLS": "none"}
    loaded = config.load({**SETTINGS, "PORT": str(web_port), "VAR_DIR": str(place.path)})
    server = f"@{ports.HOST}:{database}/{postgres.DATABASE}"
    loaded = replace(
        supervisor.completed(loaded, place, secrets),
        DATABASE_URL=f"postgresql://{postgres.APPLICATION}:{secrets.APPLICATION_PASSWORD}{server}",
        DATABASE_OWNER_URL=f"postgresql://{postgres.OWNER}:{secrets.OWNER_PASSWORD}{server}",
        REDIS_URL=f"redis://:{secrets.REDIS_PASSWORD}@{ports.HOST}:{redis}/0",
        **mail,
    )
    environment = {"FAULTS_WISHES": str(place.path / "wishes"), "PYTHONPATH": str(ROOT), **(more or {})}
    made = Stack(place, web_port, secrets, loaded, database, redis, environment, options or {})
    try:
        made.start_postgres()
        made.start_valkey()
        if of is None:
            supervisor.upgrade(place, supervisor.environment_of(loaded))
        yield made
    finally:
        made.stop()


def start_parts(stack: Stack) -> None:
    for name in PARTS:
        stack.start_part(name)
    stack.wait_until_ready()


def environment(stack: Stack) -> dict[str, str]:
    return {**os.environ, **supervisor.environment_of(stack.settings), **stack.more}
