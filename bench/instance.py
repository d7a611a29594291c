"""A started GuitarOnline with the school of `seed.sql`, kept in `var/bench` so that only the first run takes minutes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import memory

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
VAR = Path(os.environ.get("BENCH_VAR_DIR", ROOT / "var" / "bench"))
FULL = {"teachers": 5000, "students": 20000, "per_student": 50}  # 1 M past bookings, 100,000 open slots
HUNDREDTH = {"teachers": 50, "students": 200, "per_student": 50}
SIZE = {name: int(os.environ.get(f"BENCH_{name.upper()}", number)) for name, number in FULL.items()}  # of a new folder


@dataclass(frozen=True)
class Instance:
    port: int
    settings: dict[str, str]
    supervisor: int
    binaries: Path
    at_rest: int = 0  # bytes of all its processes once it was ready, before anything was asked of it

    def psql(self, script: str, **values: object) -> None:
        variables = [f"--set={name}={value}" for name, value in values.items()]
        subprocess.run(
            [self.binaries / "psql", self.settings["DATABASE_OWNER_URL"], "-q", "-X", "-f", HERE / script, *variables],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def value(self, query: str) -> str:
        command = [self.binaries / "psql", self.settings["DATABASE_OWNER_URL"], "-q", "-X", "-A", "-t", "-c", query]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def running(
    port: int = 18100, *, var: Path = VAR, size: Mapping[str, int] = SIZE, **settings: str
) -> Iterator[Instance]:
    """Up, seeded and swept; down again at the end."""
    var.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "VAR_DIR": str(var), "PORT": str(port), "DEMO": "0", "LIMITS": "off", **settings}
    child = subprocess.Popen(
        [sys.executable, "-m", "guitaronline.local"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        _wait(port, child)
        lines = (var / "run.env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        instance = Instance(port, values, child.pid, binaries(), memory.of_tree(child.pid))
        if instance.value("SELECT count(*) FROM users") == "0":
            print("  seeding (minutes, once) …", flush=True)
            instance.psql("seed.sql", **size)
        instance.psql("reset.sql")
        yield instance
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(60)


def _wait(port: int, child: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if child.poll() is not None:
            raise SystemExit("the instance did not start; see the messages above and the logs in var/bench/log")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the instance was never ready")


def binaries() -> Path:
    from guitaronline.local.binaries import find_postgres

    return find_postgres().folder
