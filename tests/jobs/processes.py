"""Workers and schedulers as real processes, on this test's own database and Redis number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

from redis import Redis

from tests.servers import Servers

ROOT = Path(__file__).resolve().parents[2]
WITHIN_SECONDS = 30.0


def eventually(holds: Callable[[], object], within: float = WITHIN_SECONDS) -> None:
    """`holds()` becomes true in time."""
    give_up_at = monotonic() + within
    while not holds():
        assert monotonic() < give_up_at, f"not within {within:.0f} s"
        Event().wait(0.05)


class Processes:
    """What this test started; all of it is gone at its end."""

    def __init__(self, mine: Servers, place: Path) -> None:
        self.environment = {
            **os.environ,
            "ENVIRONMENT": "test",
            "DATABASE_URL": mine.app_url,
            "DATABASE_OWNER_URL": mine.owner_url,
            "REDIS_URL": mine.redis_url,
            "VAR_DIR": str(place),
            "LOG_LEVEL": "info",
            "PYTHONUNBUFFERED": "1",
        }
        self.place = place
        self.running = ExitStack()

    def start(self, module: str, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        log = self.running.enter_context((self.place / f"{module}.log").open("ab"))
        started = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**self.environment, **more},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.running.callback(end, started)
        return started

    def log(self, module: str) -> str:
        return (self.place / f"{module}.log").read_text()


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(10)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As hard as it gets."""
    process.send_signal(signal.SIGKILL)
    process.wait(10)


@contextmanager
def processes(mine: Servers, place: Path) -> Iterator[Processes]:
    with Redis.from_url(mine.redis_url) as redis:
        redis.flushdb()
        made = Processes(mine, place)
        try:
            with made.running:
                yield made
        finally:
            redis.flushdb()
