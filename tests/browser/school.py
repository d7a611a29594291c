"""The demo school, started as `make run` starts it, for people at real browsers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from tests.local.project import ROOT, started

READY_SECONDS = 180  # the school is loaded while other tests use the machine


@dataclass(frozen=True)
class DemoSchool:
    url: str
    settings: dict[str, str]

    def time_passes(self, statement: str, *values: Any) -> None:
        """The owner breaks the glass: rows are shifted as if time had gone by. No command can do this."""
        with psycopg2.connect(self.settings["DATABASE_OWNER_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(statement, values)


@contextmanager
def demo_school(folder: Path, *, students: int) -> Iterator[DemoSchool]:
    """Up, with its demo loaded; gone at the end of the block."""
    said = os.path.relpath(folder / "output.txt", ROOT)
    quick = {"LIMITS": "off", "ARGON2_MEMORY_KIB": "64", "DEMO_STUDENTS": str(students)}
    with started(ROOT, var=folder / "var", output=said, **quick) as run:
        run.wait_for("ready ", seconds=READY_SECONDS)
        lines = Path(run.var, "run.env").read_text().splitlines()
        yield DemoSchool(f"http://127.0.0.1:{run.port}", dict(line.split("=", 1) for line in lines))
