"""A tiny product with the commands and doors that the supervisor knows, so that its tests need no school and take no time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from guitaronline.local.ports import free_port

ROOT = Path(__file__).resolve().parents[2]

WSGI = """
import os
import psycopg2
from flask import Flask

app = Flask(__name__)
connect = lambda name: psycopg2.connect(os.environ[name])

@app.get("/ready")
def ready():
    with connect("DATABASE_URL") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        return str(cursor.fetchone()[0])

@app.cli.group("db")
def db(): pass

@db.command()
def upgrade():
    with connect("DATABASE_OWNER_URL") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE alembic_version AS SELECT '0001' AS version_num")
        cursor.execute("CREATE TABLE users AS SELECT 1 AS id WHERE false; GRANT ALL ON users TO PUBLIC")

@app.cli.group("demo")
def demo(): pass

import click
@demo.command()
@click.option("--students", type=int)
def load(students):
    with connect("DATABASE_URL") as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO users SELECT generate_series(1, %s)", [students])
    open(os.path.join(os.environ["VAR_DIR"], "demo-logins.txt"), "w").write("admin@school.example  secret-words")
"""
IDLE = "import signal\nsignal.pause()\n"


def make_project(folder: Path) -> Path:
    """A product in `folder` around the real supervisor and the real settings."""
    package = folder / "guitaronline"
    shutil.copytree(ROOT / "guitaronline" / "local", package / "local", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "config.py", folder)
    (package / "__init__.py").touch()
    (folder / "wsgi.py").write_text(WSGI)
    for name in ("worker", "scheduler"):
        (folder / "jobs").mkdir(exist_ok=True)
        (folder / "jobs" / f"{name}.py").write_text(IDLE)
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_first.py").write_text('revision = "0001"\ndown_revision = None\n')
    return folder


@dataclass
class Run:
    """A started supervisor: what it has said so far, and how long it took to be ready."""

    popen: subprocess.Popen[bytes]
    output: Path
    project: Path
    var: Path
    port: int

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str, seconds: float = 30) -> None:
        wait_until(lambda: words in self.said or self.popen.poll() is not None, seconds)
        assert words in self.said, self.said

    def stop(self, number: int = signal.SIGINT) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(30)

    def processes(self) -> list[int]:
        """Every process but the supervisor that stands in the project or in its data."""
        return [pid for pid in all_processes() if is_below(pid, self.project) and pid != self.popen.pid]


@contextmanager
def started(
    project: Path, *arguments: str, var: Path | None = None, port: int = 0, output: str = "output.txt", **settings: str
) -> Iterator[Run]:
    """The supervisor of `project`, running; gone at the end of the block whatever happened in it."""
    var = var or project / "var"
    port = port or free_port()
    own = {"VAR_DIR": str(var), "PORT": str(port), "DEMO_STUDENTS": "3", "WEB_CONCURRENCY": "1"}
    environment = {"PATH": os.environ["PATH"], **own, **settings}
    said = project / output
    with said.open("wb") as file:
        popen = subprocess.Popen(
            [sys.executable, "-m", "guitaronline.local", *arguments],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    run = Run(popen, said, project, var, port)
    try:
        yield run
    finally:
        if popen.poll() is None:
            popen.terminate()
            popen.wait(30)


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Polls the outer world, which has no event to wait for. Raises AssertionError when it does not come about."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "did not come about in time"
        Event().wait(0.02)


def all_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def is_below(pid: int, folder: Path) -> bool:
    try:
        return (
            str(folder) in str(Path(f"/proc/{pid}/cwd").readlink())
            or str(folder) in Path(f"/proc/{pid}/cmdline").read_text()
        )
    except OSError:
        return False
