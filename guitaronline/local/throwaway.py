"""Servers that live as long as one command or one test run, on data that nobody keeps."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import config
from guitaronline.local import commands, folder, process, servers, supervisor


@contextmanager
def running(settings: config.Settings) -> Iterator[tuple[config.Settings, folder.Folder]]:
    """Embedded servers in a temporary folder, whatever the environment names; nothing is flushed to disk."""
    path = Path(tempfile.mkdtemp(prefix="guitaronline-"))
    path.chmod(0o711)  # ours: the user of the servers may pass through
    place = folder.open_folder(str(path))
    secrets = folder.secrets_of(place)
    embedded = dataclasses.replace(settings, DATABASE_URL="", DATABASE_OWNER_URL="", REDIS_URL="")
    started = None
    try:
        started = servers.start(supervisor.completed(embedded, place, secrets), place, secrets, durable=False)
        yield started.settings, place
    finally:
        if started:
            started.stop()
        shutil.rmtree(path, ignore_errors=True)


def execute(command: Sequence[str], settings: config.Settings) -> int:
    """The exit code of `command`, run beside migrated throw-away servers with their addresses in its environment."""
    with running(settings) as (running_settings, place):
        environment = supervisor.environment_of(running_settings)
        line = ["/bin/sh", "-c", f"exec {commands.RELEASE}"]
        process.run("the migration", line, cwd=supervisor.ROOT, log=place.log("migrate"), env=environment)
        child = process.start(command[0], command, cwd=Path.cwd(), log=None, env=environment)
        try:
            return child.popen.wait()
        finally:
            child.ask_to_stop()
            child.end(until=time.monotonic() + 10)
