"""The random walk in episodes: each a process with a seed and a database of its own, as many at once as there are cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import config
from bench.faults.stack import ROOT
from guitaronline.local import postgres, schema, supervisor, throwaway

EPISODE = int(
    os.environ.get("FAULTS_EPISODE", "10000")
)  # operations; a failure is repeated from its seed within a minute
TEMPLATE = "walk_template"


@dataclass
class Walks:
    operations: int = 0
    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, result: dict[str, Any]) -> None:
        self.operations += result["operations"]
        self.done.update(result["done"])
        self.refused.update(result["refused"])
        if result["wrong"]:
            told = "\n    ".join(result["wrong"])
            self.findings.append(f"seed {result['seed']}, operation {result['operations']}: {told}")


@dataclass(frozen=True)
class Episode:
    seed: int
    operations: int
    child: subprocess.Popen[str]
    database: str

    def result(self) -> dict[str, Any]:
        said, error = self.child.communicate()
        if not said.strip():
            return {"seed": self.seed, "operations": 0, "done": {}, "refused": {}, "wrong": [error[-3000:]]}
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found


def run(operations: int, seed: int, *, hands: int, sabotage: str = "") -> Walks:
    began, walks = time.monotonic(), Walks()
    sizes = [min(EPISODE, operations - done) for done in range(0, operations, EPISODE)]
    with template() as settings:
        waiting, going = list(enumerate(sizes)), list[Episode]()
        while waiting or going:
            while waiting and len(going) < hands and not walks.findings:
                number, size = waiting.pop(0)
                going.append(begin(settings, seed + number, size, sabotage))
            if not going:
                break
            ended = going.pop(0)
            walks.add(ended.result())
            with_owner(settings, f'DROP DATABASE "{ended.database}" WITH (FORCE)')
            print(f"  {walks.operations} of {operations} operations, {len(walks.findings)} findings", flush=True)
    walks.seconds = time.monotonic() - began
    return walks


@contextmanager
def template() -> Iterator[config.Settings]:
    """A throw-away server with a migrated, empty database to copy."""
    with throwaway.running(config.load({"ENVIRONMENT": "test", "LOG_LEVEL": "error"})) as (settings, place):
        supervisor.upgrade(place, supervisor.environment_of(settings))
        with_owner(settings, f'ALTER DATABASE "{postgres.DATABASE}" RENAME TO "{TEMPLATE}"')
        yield settings


def begin(settings: config.Settings, seed: int, operations: int, sabotage: str) -> Episode:
    name = f"walk_{seed}"
    connection = schema.connect(of(settings.DATABASE_OWNER_URL, "postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        postgres.create_database(cursor, name, TEMPLATE)
    connection.close()
    urls = {
        "DATABASE_URL": of(settings.DATABASE_URL, name),
        "DATABASE_OWNER_URL": of(settings.DATABASE_OWNER_URL, name),
    }
    mine = replace(settings, **urls)
    environment = {**supervisor.environment_of(mine), "PYTHONPATH": str(ROOT), "FAULTS_SABOTAGE": sabotage}
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.faults.walk", str(seed), str(operations)],
        cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return Episode(seed, operations, child, name)


def with_owner(settings: config.Settings, statement: str) -> None:
    connection = schema.connect(of(settings.DATABASE_OWNER_URL, "postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def of(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
