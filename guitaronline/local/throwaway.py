"""Servers that live as long as one command or one test run, on data that nobody keeps."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import config
from guitaronline.local import folder, process, servers, supervisor


@contextmanager
def running(settings: config.Settings) -> Iterator[tuple[config.Settings, folder.Folder]]:
    """Embedded servers in a temporary folder, whatever the settings name; nothing is flushed to disk."""
    path = Path(tempfile.mkdtemp(prefix="guitaronline-"))
    path.chmod(0o711)  # ours: the user of the servers may pass through
    started: list[process.Child] = []
    try:
        place = folder.open_folder(str(path))
        secrets = folder.secrets_of(place)
        embedded = replace(settings, DATABASE_URL="", DATABASE_OWNER_URL="", REDIS_URL="")
        yield (
            servers.start(supervisor.completed(embedded, place, secrets), place, secrets, started, durable=False),
            place,
        )
    finally:
        servers.stop(started)
        shutil.rmtree(path, ignore_errors=True)


def execute(command: Sequence[str], settings: config.Settings) -> int:
    """The exit code of `command`, run beside migrated throw-away servers with their addresses in its environment."""
    with running(settings) as (complete, place):
        environment = supervisor.environment_of(complete)
        supervisor.upgrade(place, environment)
        child = process.start(command[0], command, cwd=Path.cwd(), log=None, env=environment)
        try:
            return process.wait(child)
        finally:
            process.end_all([child], patience=10)
