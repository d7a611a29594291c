"""One of web, worker, scheduler: kept running, started again a little later each time it dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from guitaronline.local import process
from guitaronline.local.errors import StartFailed

FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 0.5, 30.0
STEADY_AFTER_SECONDS = 30.0  # one that lived as long is forgiven its earlier deaths
DEATHS_FORGIVEN_AT_START = 1  # a second before anything was ready: it does not work at all


@dataclass
class Watched:
    name: str
    line: str
    log: Path
    child: process.Child | None = None
    deaths: int = 0
    started_at: float = 0.0  # monotonic seconds, like the next
    due_at: float = 0.0

    def keep_running(self, cwd: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        """It runs, or a time is set at which it will be started."""
        now = time.monotonic()
        if self.child is None and now >= self.due_at:
            self.child = process.start(self.name, process.shell(self.line), cwd=cwd, log=self.log, env=environment)
            self.started_at = now
        if self.child is not None and self.child.ended:
            how = process.exit_in_words(self.child.popen.returncode)
            self.child.end(until=now)  # what it started goes with it
            self.child = None
            self.deaths = 1 if now - self.started_at > STEADY_AFTER_SECONDS else self.deaths + 1
            back_off = min(FIRST_BACK_OFF_SECONDS * 2 ** (self.deaths - 1), LONGEST_BACK_OFF_SECONDS)
            self.due_at = now + back_off
            say(f"{self.name} has ended ({how}), starting it again in {back_off:g} s; see {self.log}")

    def expect_to_work(self) -> None:
        """Before anything was ready there is no point in trying for ever. Raises StartFailed."""
        if self.deaths > DEATHS_FORGIVEN_AT_START:
            raise StartFailed(f"{self.name} does not start; the end of {self.log}:\n{process.tail(self.log)}")
