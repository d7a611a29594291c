"""What the web processes count themselves: requests, commands by how they ended, and the connections of their pools.

The processes of one web server write into files below VAR_DIR, so that whichever of them is asked tells of all; the files last
as long as that server. Labels are closed sets: routes, methods, names of commands. Jobs are told by the database instead, for a
job's process lives too short to be asked.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app
from sqlalchemy import Engine, event

import config
from guitaronline import watching
from guitaronline.db import database
from guitaronline.watching import Ending

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # seconds
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # a stranger may send any word


@dataclass(frozen=True)
class Meters:
    requests: Counter
    seconds: Histogram
    commands: Counter
    command_seconds: Histogram
    in_use: Gauge
    free: Gauge
    folder: Path | None

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        counted, timed = self.of(method if method in METHODS else "other", route, status)
        counted.inc()
        timed.observe(seconds)

    @cache  # noqa: B019  # one object a process; routes and numbers are few
    def of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """The two meters of these labels; looking them up took as long as counting."""
        return self.requests.labels(method, route, str(status)), self.seconds.labels(route)

    def count_command(self, name: str, ending: Ending, seconds: float) -> None:
        counted, timed = self.of_command(name, ending)
        counted.inc()
        if ending is not Ending.AGAIN:
            timed.observe(seconds)

    @cache  # noqa: B019  # the same
    def of_command(self, name: str, ending: Ending) -> tuple[Counter, Histogram]:
        return self.commands.labels(name, ending.value), self.command_seconds.labels(name)

    def watch_pool(self, engine: Engine) -> None:
        """From now on the gauges follow the engine's pool: at each connection that is taken or given back."""
        size = int(engine.pool.size())  # type: ignore[attr-defined]  # of a queue of connections, as ours are

        def taken(*_: Any) -> None:
            in_use = int(engine.pool.checkedout())  # type: ignore[attr-defined]
            self.in_use.set(in_use)
            self.free.set(size - in_use)

        def given_back(*_: Any) -> None:
            in_use = int(engine.pool.checkedout()) - 1  # type: ignore[attr-defined]  # told before it counts as given back
            self.in_use.set(max(in_use, 0))
            self.free.set(min(size - in_use, size))

        event.listen(engine, "checkout", taken)
        event.listen(engine, "checkin", given_back)
        self.free.set(size)

    def registry(self) -> CollectorRegistry:
        """What the web processes of this server have counted together."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        if self.folder is not None:
            forget_the_dead(self.folder)
            MultiProcessCollector(registry, str(self.folder))  # type: ignore[no-untyped-call]
        else:
            for each in (self.requests, self.seconds, self.commands, self.command_seconds, self.in_use, self.free):
                registry.register(each)
        return registry


@cache
def meters() -> Meters:
    """Made at the first request: the files belong to the process, and its parent, that serve. Without a folder that can be
    written each process counts for itself."""
    settings: config.Settings = current_app.config["SETTINGS"]
    folder = shared_folder(Path(settings.VAR_DIR) / "metrics")
    if folder is not None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # read by prometheus_client when it is imported, below
    from prometheus_client import values

    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]  # chosen at the first import, which may have been before
    made = make(folder)
    watching.listeners.append(made.count_command)
    made.watch_pool(database.engine)
    return made


def make(folder: Path | None) -> Meters:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    own = CollectorRegistry()
    return Meters(
        Counter("http_requests_total", "Requests answered.", ("method", "route", "status"), registry=own),
        Histogram("http_request_seconds", "Time to the answer.", ("route",), buckets=BUCKETS, registry=own),
        Counter("commands_total", "Commands of the web, by how they ended.", ("command", "ending"), registry=own),
        Histogram("command_seconds", "Time of a command of the web.", ("command",), buckets=BUCKETS, registry=own),
        Gauge(
            "database_pool_in_use",
            "Connections that requests have just now.",
            multiprocess_mode="livesum",
            registry=own,
        ),
        Gauge(
            "database_pool_free",
            "Connections left in the pool that has the fewest.",
            multiprocess_mode="livemin",
            registry=own,
        ),
        folder,
    )


def shared_folder(place: Path) -> Path | None:
    """A folder for the processes of one web server: named after their parent, so a new server begins anew."""
    mine = place / str(os.getppid())
    try:
        mine.mkdir(parents=True, exist_ok=True)
        for other in place.iterdir():
            if other.name.isdigit() and not Path(f"/proc/{other.name}").exists() and Path("/proc").exists():
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        return None
    return mine


def forget_the_dead(folder: Path) -> None:
    """A process that ended has no connections any more; what it counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        process = file.stem.rpartition("_")[2]
        if Path("/proc").exists() and not Path(f"/proc/{process}").exists():
            file.unlink(missing_ok=True)
