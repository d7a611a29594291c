"""What else goes wrong: connections cut, servers that stand still, a full disk, Valkey gone, clocks off, deadlocks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from redis import Redis
from redis.exceptions import RedisError

from bench.faults import stack as stacks
from bench.faults.load import Scene, scene
from bench.faults.stack import ROOT, Stack
from guitaronline.local import process
from guitaronline.local.ending import pause
from guitaronline.local.errors import StartFailed

LOADED_SECONDS = 3.0  # before and after each fault
SMALL_DISK = "700m"


@dataclass(frozen=True)
class Weather:
    """What came over the school, how much of it, and what was acknowledged before, meanwhile and after."""

    name: str
    how_often: str
    before: int
    during: int
    after: int
    back_after: float  # seconds from the end of the fault to the next acknowledged write
    findings: list[str]
    note: str = ""


def come_over(found: Scene, name: str, fault: Callable[[Scene], str]) -> Weather:
    """The fault happens under load; everything is looked at when the load has ended."""
    at_first, known = found.acknowledged(), len(found.findings)
    found.begin()
    found.stack.rest(LOADED_SECONDS)
    began = found.acknowledged()
    how_often = fault(found)
    ended, over = found.acknowledged(), time.time()
    found.works()
    found.stack.rest(LOADED_SECONDS)
    acks = found.end()
    found.look(is_over=True)
    back = next((each["at"] - over for each in acks.yes if each["at"] > over), float("nan"))
    busy = acks.refusals.get("409 busy", 0)
    note = f"{busy} times `busy`" if busy else ""
    return Weather(
        name, how_often, began - at_first, ended - began, len(acks.yes) - ended, back, found.findings[known:], note
    )


def connections_cut(found: Scene) -> str:
    cut = 0
    with closing(found.stack.connect()) as owner, owner.cursor() as cursor:
        for _ in range(20):
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            row = cursor.fetchone()
            cut += row[0] if row else 0
            found.stack.rest(0.3)
    return f"{cut} backends in 20 strokes"


def database_stands_still(found: Scene) -> str:
    """For longer than a client waits for its answer."""
    for _ in range(2):
        standing = process.processes_in(found.stack.place.postgres)
        for pid in standing:
            process.send(pid, signal.SIGSTOP)
        found.stack.rest(6)
        for pid in standing:
            process.send(pid, signal.SIGCONT)
        found.stack.rest(1)
    return "2 × 6 s"


def valkey_wiped(found: Scene) -> str:
    with Redis.from_url(found.stack.settings.REDIS_URL) as redis:
        for _ in range(10):
            redis.flushall()
            found.stack.rest(0.5)
    return "10 ×"


def valkey_killed(found: Scene) -> str:
    for _ in range(5):
        os.kill(found.stack.pid("valkey"), signal.SIGKILL)
        found.stack.rest(1)
    return "5 ×"


def valkey_stands_still(found: Scene) -> str:
    os.kill(found.stack.pid("valkey"), signal.SIGSTOP)
    found.stack.rest(6)
    os.kill(found.stack.pid("valkey"), signal.SIGCONT)
    return "6 s"


def valkey_out_of_memory(found: Scene) -> str:
    with Redis.from_url(found.stack.settings.REDIS_URL) as redis:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", "1")
        refused = 0
        try:
            redis.set("faults", "x")
        except RedisError:
            refused = 1
        found.stack.rest(6)
        redis.config_set("maxmemory", "0")
    return "6 s" if refused else "it took writes all the same"


def clocks_off(found: Scene) -> str:
    """Web processes an hour and a half ahead and behind, and back; the holds of the one are lapsed for the other."""
    written = found.stack.place.path / "clock"
    for seconds in (5400, -5400, 90, -90):
        written.write_text(str(seconds))
        found.stack.rest(1.5)
    written.unlink()
    return "±90 min, ±90 s between two web processes"


def deadlocks(found: Scene) -> str:
    owner = found.stack.connect()
    before = _deadlocks(owner)
    command = [sys.executable, "-m", "bench.faults.hostile", found.stack.settings.DATABASE_OWNER_URL, "10"]
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    while child.poll() is None:
        found.stack.rest(0.2)
    found.stack.rest(1.5)  # the counters of the server come late
    met = _deadlocks(owner) - before
    owner.close()
    return f"{met} deadlocks in 10 s"


def _deadlocks(owner: psycopg2.extensions.connection) -> int:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_clear_snapshot(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        row = cursor.fetchone()
        return int(row[1]) if row else 0


FAULTS: dict[str, Callable[[Scene], str]] = {
    "connections terminated": connections_cut,
    "PostgreSQL paused": database_stands_still,
    "Valkey wiped": valkey_wiped,
    "Valkey killed": valkey_killed,
    "Valkey paused": valkey_stands_still,
    "Valkey out of memory": valkey_out_of_memory,
    "clocks off": clocks_off,
    "deadlock pressure": deadlocks,
}
OPTIONS = {"deadlock_timeout": "50ms"}


# A full disk


def disk_full(path: Path, port: int, seed: int, of: Path) -> Weather | str:
    """The same on a volume of its own that fills up; or why that is not possible here."""
    with small_volume(path) as why:
        if why:
            return why
        options = {"max_wal_size": "64MB", "min_wal_size": "32MB", "wal_recycle": "off"}
        with stacks.running(path / "run", port, of=of, options=options) as made:
            school = scene(made, seed=seed, kept=path.parent / "kept")
            return come_over(school, "disk full", filled_up)


def filled_up(found: Scene) -> str:
    """Three times nothing can be written any more until somebody makes room."""
    filler, died = found.stack.place.path / "filler", 0
    for _ in range(3):
        free = shutil.disk_usage(filler.parent).free
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free))
        died += _survive(found.stack, 3)
        _begin_segment(found.stack)
        died += _survive(found.stack, 3)
        filler.unlink()
        _survive(found.stack, 0)
        found.stack.rest(1.5)
    return f"3 ×, PostgreSQL ended {died} ×"


def _begin_segment(stack: Stack) -> None:
    """The write-ahead log wants the next 16 MB, which there are not."""
    with suppress(psycopg2.Error), closing(stack.connect()) as owner, owner.cursor() as cursor:
        cursor.execute("SELECT pg_switch_wal()")


def _survive(stack: Stack, seconds: float) -> int:
    """Everything is kept running as far as the disk lets it; how often PostgreSQL had ended."""
    until, died = time.monotonic() + seconds, 0
    while True:
        try:
            died += "postgres" in stack.keep_up()
        except StartFailed:  # no room even to recover
            died += 1
            if time.monotonic() > until + 30:
                raise
            pause(0.5)
            continue
        if time.monotonic() > until:
            return died
        pause(0.02)


@contextmanager
def small_volume(path: Path) -> Iterator[str]:
    """A small file system at `path`; yields why there is none, or nothing."""
    if os.geteuid() != 0:
        yield "not tried: only root can mount a small volume"
        return
    path.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=755", "tmpfs", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        yield f"not tried: {mounted.stderr.strip()}"
        return
    try:
        yield ""
    finally:
        subprocess.run(["umount", "-l", path], check=False)
