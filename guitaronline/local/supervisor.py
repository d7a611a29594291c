"""Brings the whole product up, watches it, and takes it down in order.

    servers ready → migrated → demo school (first start) → web, worker, scheduler → /ready → "ready http://…"

A server that dies ends the run; web, worker and scheduler are started again, each time a little later.
"""

from __future__ import annotations

import dataclasses
import http.client
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import config
from guitaronline.local import commands, folder, ports, process, schema, servers
from guitaronline.local.errors import StartFailed

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS = 90.0
POLL_SECONDS = 0.1
FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 0.5, 30.0
STEADY_AFTER_SECONDS = 30.0  # one that lived as long starts again with the first back-off
PATIENCE_SECONDS = 10.0  # for requests and jobs under way when everything stops


@dataclass
class Watched:
    """One of web, worker, scheduler: running, or due to be started at `start_at` (monotonic seconds)."""

    name: str
    line: str
    child: process.Child | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    back_off: float = FIRST_BACK_OFF_SECONDS


@dataclass
class Stack:
    place: folder.Folder
    settings: config.Settings
    servers: servers.Servers | None = None
    watched: list[Watched] = field(default_factory=list)

    def run(self, secrets: folder.Secrets) -> None:
        """Returns never; ends with StartFailed, or with Stopped when somebody asks for it."""
        try:
            self.servers = servers.start(self.settings, self.place, secrets, say=say)
            self.settings = self.servers.settings
            environment = environment_of(self.settings)
            migrate(self.settings, self.place, environment)
            load_demo(self.settings, self.place, environment)
            self.announce_settings()
            self.watched = [Watched(name, line) for name, line in commands.PROCESSES.items()]
            self.watch(environment)
        finally:
            self.stop()

    def announce_settings(self) -> None:
        for name in folder.write_run_env(self.place, self.settings, base_url(self.settings)):
            say(f"note: {name} has a space in it and is left out of {self.place.run_env}")

    def watch(self, environment: Mapping[str, str]) -> None:
        """Keep everything running; say once when it is ready."""
        ready, give_up_at = False, time.monotonic() + READY_WITHIN_SECONDS
        while True:
            self.expect_servers()
            for each in self.watched:
                self.keep_running(each, environment, patient=ready)
            if not ready and (ready := is_ready(self.settings.PORT)):
                say_ready(self.settings, self.place)
            if not ready and time.monotonic() > give_up_at:
                raise StartFailed(
                    f"not ready after {READY_WITHIN_SECONDS:.0f} s: {why_not_ready(self.settings.PORT)}; logs in {self.place.path}/log"
                )
            time.sleep(POLL_SECONDS)

    def expect_servers(self) -> None:
        for child in self.servers.children if self.servers else ():
            if child.ended:
                how = process.exit_in_words(child.popen.returncode)
                raise StartFailed(
                    f"{child.name} has ended ({how}), so everything stops; see {self.place.log(child.name)}"
                )

    def keep_running(self, each: Watched, environment: Mapping[str, str], *, patient: bool) -> None:
        """`each` runs, or is due. Before the first readiness a second death in a row is a reason to give up."""
        now = time.monotonic()
        if each.child is None:
            if now >= each.start_at:
                command = ["/bin/sh", "-c", f"exec {each.line}"]
                each.child = process.start(each.name, command, cwd=ROOT, log=self.place.log(each.name), env=environment)
                each.started_at = now
        elif each.child.ended:
            how = process.exit_in_words(each.child.popen.returncode)
            each.child.end(until=now)
            if not patient and each.back_off > FIRST_BACK_OFF_SECONDS:
                log = self.place.log(each.name)
                raise StartFailed(f"{each.name} does not start ({how}); the end of {log}:\n{process.tail(log)}")
            each.child = None
            each.back_off = FIRST_BACK_OFF_SECONDS if now - each.started_at > STEADY_AFTER_SECONDS else each.back_off
            each.start_at = now + each.back_off
            say(
                f"{each.name} has ended ({how}), starting it again in {each.back_off:g} s; see {self.place.log(each.name)}"
            )
            each.back_off = min(each.back_off * 2, LONGEST_BACK_OFF_SECONDS)

    def stop(self) -> None:
        """Everything we started is gone: first those that use the servers, all at once, then the servers."""
        self.place.run_env.unlink(missing_ok=True)
        running = [each.child for each in self.watched if each.child]
        for child in running:
            child.ask_to_stop()
        until = time.monotonic() + PATIENCE_SECONDS
        for child in running:
            child.end(until=until)
        if self.servers:
            self.servers.stop()


def start(settings: config.Settings) -> None:
    """Run the whole stack until it is told to stop. Raises StartFailed, Stopped."""
    place = folder.open_folder(settings.VAR_DIR)
    held = folder.lock(place)
    try:
        place.run_env.unlink(missing_ok=True)  # of a run that was killed
        ports.expect_free(settings.PORT)
        secrets = folder.secrets_of(place)
        Stack(place, completed(settings, place, secrets)).run(secrets)
    finally:
        os.close(held)


def completed(settings: config.Settings, place: folder.Folder, secrets: folder.Secrets) -> config.Settings:
    """The settings with what only this run knows: its folder, its kept secret, its own address."""
    return dataclasses.replace(
        settings,
        VAR_DIR=str(place.path),
        SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.SECRET_KEY,
        PUBLIC_BASE_URL=os.environ.get("PUBLIC_BASE_URL") or base_url(settings),
    )


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
    if schema.at_head(settings.DATABASE_OWNER_URL, ROOT / "migrations" / "versions"):
        return
    say("migrating")
    process.run(
        "the migration",
        ["/bin/sh", "-c", f"exec {commands.RELEASE}"],
        cwd=ROOT,
        log=place.log("migrate"),
        env=environment,
    )


def load_demo(settings: config.Settings, place: folder.Folder, environment: Mapping[str, str]) -> None:
    """On the first start there is a school to look at, if wanted; never in production."""
    if not settings.DEMO or settings.is_production:
        return
    if schema.is_empty(settings.DATABASE_OWNER_URL):
        say(f"demo school with {settings.DEMO_STUDENTS} students (first start only)")
        place.demo_unfinished.touch()
        line = f"exec {commands.LOAD_DEMO} --students {settings.DEMO_STUDENTS}"
        process.run("the demo school", ["/bin/sh", "-c", line], cwd=ROOT, log=place.log("demo"), env=environment)
        place.demo_unfinished.unlink()
    elif place.demo_unfinished.exists():
        say("note: loading the demo school was interrupted, it is incomplete; `make clean` starts over")


def base_url(settings: config.Settings) -> str:
    return f"http://{ports.HOST}:{settings.PORT}"


def is_ready(port: int) -> bool:
    status, _ = ask_ready(port)
    return status == 200


def why_not_ready(port: int) -> str:
    status, body = ask_ready(port)
    return f"/ready answers {status} {body}" if status else "the web does not answer"


def ask_ready(port: int) -> tuple[int, str]:
    """Status and body of GET /ready; 0 when nobody answers."""
    connection = http.client.HTTPConnection(ports.HOST, port, timeout=5)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        return answer.status, answer.read(2000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def say_ready(settings: config.Settings, place: folder.Folder) -> None:
    say(f"ready {base_url(settings)}")
    if settings.DEMO and place.demo_logins.exists():
        say(place.demo_logins.read_text().rstrip())


def say(line: str) -> None:
    print(line, flush=True)
