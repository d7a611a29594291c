"""Brings the whole product up, watches it, and takes it down in order.

    servers answer → migrated → demo school (first start) → catcher of mail, web, worker, scheduler → /ready → "ready http://…"

A server that dies ends the run; the others are started again.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import config
from guitaronline.local import commands, folder, ports, process, readiness, schema, servers
from guitaronline.local.ending import pause
from guitaronline.local.errors import StartFailed
from guitaronline.local.watched import Watched

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS = 90.0
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 10.0  # for requests and jobs under way when everything stops


def start(settings: config.Settings) -> None:
    """Run the whole product until it is told to stop. Raises StartFailed, Stopped."""
    place = folder.open_folder(settings.VAR_DIR)
    held = folder.lock(place)
    try:
        place.run_env.unlink(missing_ok=True)  # of a run that was killed
        ports.expect_free(settings.PORT)
        secrets = folder.secrets_of(place)
        Stack(place, completed(settings, place, secrets)).run(secrets)
    finally:
        os.close(held)


@dataclass
class Stack:
    """Everything that one run has started."""

    place: folder.Folder
    settings: config.Settings
    servers: list[process.Child] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)

    def run(self, secrets: folder.Secrets) -> None:
        """Never returns; ends with StartFailed, or with Stopped when somebody asks for it."""
        try:
            self.settings = servers.start(self.settings, self.place, secrets, self.servers, say=say)
            self.settings = with_catcher(self.settings)
            environment = environment_of(self.settings)
            migrate(self.settings, self.place, environment)
            load_demo(self.settings, self.place, environment)
            for name in folder.write_run_env(self.place, self.settings, base_url(self.settings)):
                say(f"note: {name} has a space in it and is left out of {self.place.run_env}")
            lines = {"catcher": commands.CATCHER} if self.settings.MAIL_TRANSPORT == "catcher" else {}
            lines |= commands.PROCESSES
            self.watched = [Watched(name, line, self.place.log(name)) for name, line in lines.items()]
            self.wait_until_ready(environment)
            say_ready(self.settings, self.place)
            while True:
                self.keep_running(environment)
        finally:
            self.stop()

    def wait_until_ready(self, environment: Mapping[str, str]) -> None:
        give_up_at = time.monotonic() + READY_WITHIN_SECONDS
        while not readiness.is_ready(self.settings.PORT):
            if time.monotonic() > give_up_at:
                reason = readiness.why_not(self.settings.PORT)
                raise StartFailed(
                    f"not ready after {READY_WITHIN_SECONDS:.0f} s: {reason}; logs in {self.place.path}/log"
                )
            self.keep_running(environment)
            for each in self.watched:
                each.expect_to_work()

    def keep_running(self, environment: Mapping[str, str]) -> None:
        """One look at every child, then a moment's rest."""
        for server in self.servers:
            if server.ended:
                how = process.exit_in_words(server.popen.returncode)
                raise StartFailed(
                    f"{server.name} has ended ({how}), so everything stops; see {self.place.log(server.name)}"
                )
        for each in self.watched:
            each.keep_running(ROOT, environment, say)
        pause(POLL_SECONDS)

    def stop(self) -> None:
        """Everything we started is gone: first those that use the servers, all at once, then the servers."""
        self.place.run_env.unlink(missing_ok=True)
        process.end_all([each.child for each in self.watched if each.child], patience=PATIENCE_SECONDS)
        servers.stop(self.servers)


def completed(settings: config.Settings, place: folder.Folder, secrets: folder.Secrets) -> config.Settings:
    """The settings with what only this run knows: its folder, its kept secret, its own address."""
    return dataclasses.replace(
        settings,
        VAR_DIR=str(place.path),
        SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.SECRET_KEY,
        PUBLIC_BASE_URL=os.environ.get("PUBLIC_BASE_URL") or base_url(settings),
    )


def with_catcher(settings: config.Settings) -> config.Settings:
    """The settings say where the catcher of this run listens, also after it had to be started again."""
    if settings.MAIL_TRANSPORT != "catcher":
        return settings
    return dataclasses.replace(settings, SMTP_HOST=ports.HOST, SMTP_PORT=settings.SMTP_PORT or ports.free_port())


def environment_of(settings: config.Settings) -> dict[str, str]:
    """The environment of every child: every setting in full, and the programs of our own Python first."""
    programs = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    return {
        **os.environ,
        **folder.as_environment(settings),
        "PATH": f"{programs}{os.pathsep}{path}",
        "PYTHONUNBUFFERED": "1",
    }


def migrate(settings: config.Settings, place: folder.Folder, environment: Mapping[str, str]) -> None:
    """The schema is the newest. Loads the application only when it is not."""
    if not schema.at_head(settings.DATABASE_OWNER_URL, ROOT / "migrations" / "versions"):
        say("migrating")
        upgrade(place, environment)


def upgrade(place: folder.Folder, environment: Mapping[str, str]) -> None:
    process.run("the migration", process.shell(commands.RELEASE), cwd=ROOT, log=place.log("migrate"), env=environment)


def load_demo(settings: config.Settings, place: folder.Folder, environment: Mapping[str, str]) -> None:
    """On the first start there is a school to look at, if wanted; never in production."""
    if not settings.DEMO or settings.is_production:
        return
    if schema.is_empty(settings.DATABASE_OWNER_URL):
        say(f"demo school with {settings.DEMO_STUDENTS} students (first start only)")
        place.demo_unfinished.touch()
        line = f"{commands.LOAD_DEMO} --students {settings.DEMO_STUDENTS}"
        process.run("the demo school", process.shell(line), cwd=ROOT, log=place.log("demo"), env=environment)
        place.demo_unfinished.unlink()
    elif place.demo_unfinished.exists():
        say("note: loading the demo school was interrupted, it is incomplete; `make clean` starts over")


def base_url(settings: config.Settings) -> str:
    return f"http://{ports.HOST}:{settings.PORT}"


def say_ready(settings: config.Settings, place: folder.Folder) -> None:
    say(f"ready {base_url(settings)}")
    if settings.DEMO and place.demo_logins.exists():
        say(place.demo_logins.read_text().rstrip())


def say(line: str) -> None:
    print(line, flush=True)
