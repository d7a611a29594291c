"""The load as a process of its own, and one look at what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults import proof, stack
from bench.faults.proof import Acks
from bench.faults.stack import ROOT, Stack
from guitaronline.local import process

SCHOOL = "school.json"
WORKS_WITHIN_SECONDS = 300.0
QUIET_WITHIN_SECONDS = 240  # a killed worker's leases run out in between


@dataclass
class Scene:
    """A running stack with its school, and what the load has been told so far."""

    stack: Stack
    seed: int
    kept: Path  # where the journal lies: not on a disk that fills up
    loads: int = 0
    child: process.Child | None = None
    findings: list[str] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        return self.kept / "journal.jsonl"

    @property
    def school(self) -> Path:
        return self.kept / "wanted.json"

    def acks(self) -> Acks:
        return Acks.read(self.journal)

    def begin(self) -> None:
        """The load runs."""
        self.loads += 1
        command = [
            sys.executable,
            "-m",
            "bench.faults.clients",
            str(self.stack.web_port),
            str(self.school),
            str(self.journal),
        ]
        self.child = process.start(
            "clients",
            [*command, str(self.seed + 1000 * self.loads)],
            cwd=ROOT,
            log=self.kept / "clients.log",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

        self.works()

    def works(self, acknowledged: int = 3) -> bool:
        """So many more writes are acknowledged; that it took too long is a finding. Everything is kept running meanwhile."""
        before, give_up_at = self.acknowledged(), time.monotonic() + WORKS_WITHIN_SECONDS
        while self.acknowledged() < before + acknowledged:
            if time.monotonic() > give_up_at:
                self.findings.append(f"nothing was acknowledged within {WORKS_WITHIN_SECONDS:.0f} s")
                return False
            self.stack.rest(0.2)
        return True

    def end(self) -> Acks:
        """Every call has its answer; everything is kept running meanwhile."""
        if self.child is not None:
            self.child.ask_to_stop()
            while not self.child.ended:
                self.stack.rest(0.1)
            self.child = None
        return self.acks()

    def look(self, *, is_over: bool) -> list[str]:
        """What is wrong now; also kept."""
        self.stack.keep_up()
        with closing(self.stack.connect()) as owner:
            found = proof.look(owner, self.acks(), self.stack.settings, is_over=is_over)
        self.findings += found
        return found

    def wait_until_quiet(self) -> float:
        """Everything was told; the seconds that it took. What is not told in time is a finding."""
        began = time.monotonic()
        owner = self.stack.connect()
        while not proof.is_quiet(owner):
            if time.monotonic() - began > QUIET_WITHIN_SECONDS:
                self.findings.append(f"not everything was told within {QUIET_WITHIN_SECONDS} s")
                break
            self.stack.rest(0.5)
        owner.close()
        return time.monotonic() - began

    def acknowledged(self) -> int:
        """Lines of the journal that say so; cheaper than reading it."""
        text = self.journal.read_bytes() if self.journal.exists() else b""
        return text.count(b'{"op": ') - text.count(b'{"op": "repeat"')


def template(path: Path, port: int) -> Path:
    """A stopped stack with its school, to be copied."""
    with stack.running(path, port) as made:
        (path / SCHOOL).write_text(_school(made, teachers=4, days=40))
    return path


def scene(made: Stack, *, seed: int, slots: int | None = None, kept: Path | None = None) -> Scene:
    """The parts run, and the load will want all slots, or so many: then there is a rush. `kept`: for the journal."""
    found = Scene(made, seed, kept or made.place.path)
    found.kept.mkdir(exist_ok=True)
    school = json.loads((made.place.path / SCHOOL).read_text())
    found.school.write_text(json.dumps({**school, "slots": school["slots"][:slots]}))
    found.journal.unlink(missing_ok=True)
    stack.start_parts(made)
    return found


def _school(made: Stack, teachers: int, days: int) -> str:
    command = [sys.executable, "-m", "bench.faults.school", str(teachers), str(days)]
    said = subprocess.run(command, cwd=ROOT, env=stack.environment(made), capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"the school could not be made:\n{said.stderr[-3000:]}")
    return said.stdout.splitlines()[-1]
