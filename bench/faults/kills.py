"""SIGKILL for web, worker, scheduler and PostgreSQL, at random and at named points, under load."""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.faults import points
from bench.faults.load import Scene
from bench.faults.stack import POLL_SECONDS, Stack
from guitaronline.local import binaries, process
from guitaronline.local.ending import pause

ROUND_SECONDS = 4.0
ROUND_WRITES = 10  # acknowledged before the next round begins
POINT_WITHIN_SECONDS = 1.5
LOOK_EVERY = 25  # rounds
POINTS = {"web": points.WEB, "worker": points.WORKER, "scheduler": points.SCHEDULER, "postgres": points.POSTGRES}
AT_RANDOM = "at random"
CHECKPOINT, RECOVERY = "postgres: in a checkpoint", "postgres: in recovery"


@dataclass(frozen=True)
class Strike:
    at: float
    victim: str
    where: str


@dataclass
class Kills:
    scene: Scene
    seed: int
    strikes: list[Strike] = field(default_factory=list)
    looks: int = 0
    quiet_after: float = 0.0

    def run(self, rounds: int) -> None:
        draw = random.Random(self.seed)
        self.scene.begin()
        for number in range(1, rounds + 1):
            self.round(draw)
            if number % LOOK_EVERY == 0:
                self.looks += 1
                found = self.scene.look(is_over=False)
                print(
                    f"  {number} of {rounds} rounds, {self.scene.acknowledged()} acknowledged, {len(found)} findings",
                    flush=True,
                )
                if found:
                    break
        self.scene.end()
        self.quiet_after = self.scene.wait_until_quiet()
        self.looks += 1
        self.scene.look(is_over=True)

    def round(self, draw: random.Random) -> None:
        """Each is killed once, in another order and at another time."""
        stack = self.scene.stack
        plan = sorted((draw.uniform(0, ROUND_SECONDS), victim) for victim in POINTS)
        began = time.monotonic()
        for after, victim in plan:
            stack.rest(max(0.0, began + after - time.monotonic()))
            where = draw.choice(POINTS[victim]) if draw.random() < 0.6 else AT_RANDOM
            if victim == "postgres" and draw.random() < 0.2:
                where = draw.choice((CHECKPOINT, RECOVERY))
            self.strike(victim, where, draw)
        self.scene.works(ROUND_WRITES)  # what is down cannot be killed

    def strike(self, victim: str, where: str, draw: random.Random) -> None:
        stack = self.scene.stack
        if where == CHECKPOINT:
            in_checkpoint(stack)
        elif where == RECOVERY:
            os.kill(stack.pid("postgres"), signal.SIGKILL)
            in_recovery(stack, draw.uniform(0.0, 0.15))
        elif where == AT_RANDOM or not at_point(stack, victim, where, draw):
            where = AT_RANDOM
            if not killed(someone(stack, victim, draw)):
                killed(stack.pid(victim))
        self.strikes.append(Strike(time.time(), victim, where))

    # Figures

    def counts(self) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = {victim: Counter() for victim in POINTS}
        for each in self.strikes:
            found[each.victim][each.where.split(": ")[-1] if each.victim != "postgres" else each.where] += 1
        return found

    def recoveries(self) -> dict[str, list[float]]:
        """Seconds until the next acknowledged write after a kill of web or PostgreSQL, the next finished job after one of
        worker or scheduler."""
        acked = sorted(each["at"] for each in self.scene.acks().yes)
        with closing(self.scene.stack.connect()) as owner, owner.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM finished_at)::float8 FROM job_ticks WHERE finished_at IS NOT NULL ORDER BY 1"
            )
            jobs = [row[0] for row in cursor]
        times = {"web": acked, "postgres": acked, "worker": jobs, "scheduler": jobs}
        found: dict[str, list[float]] = {victim: [] for victim in POINTS}
        for each in self.strikes:
            later = next((at for at in times[each.victim] if at > each.at + 0.02), None)
            if later is not None:
                found[each.victim].append(later - each.at)
        return found


def at_point(stack: Stack, victim: str, where: str, draw: random.Random) -> bool:
    """Somebody came to the point in time, and the victim is dead."""
    said = f"postgres {stack.pid('postgres')}" if victim == "postgres" else draw.choice(("self", "session"))
    taken = Path(stack.more["FAULTS_WISHES"]).parent / "taken" / where
    taken.unlink(missing_ok=True)
    wish = stack.wish(where, said)
    until = time.monotonic() + POINT_WITHIN_SECONDS
    while time.monotonic() < until and not taken.exists():
        stack.keep_up()
        pause(POLL_SECONDS)
    wish.unlink(missing_ok=True)
    return taken.exists()


def killed(pid: int) -> bool:
    """False: it had ended just before."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def someone(stack: Stack, victim: str, draw: random.Random) -> int:
    """The process itself or, of web and worker, sometimes one of its children."""
    leader = stack.pid(victim)
    if victim == "postgres" or draw.random() < 0.4:
        return leader
    return draw.choice([leader, *process.processes_where(lambda pid: os.getsid(pid) == leader)])


def in_checkpoint(stack: Stack) -> None:
    psql = binaries.find_postgres().folder / "psql"
    asked = subprocess.Popen([psql, stack.settings.DATABASE_OWNER_URL, "-qXc", "CHECKPOINT"], stderr=subprocess.DEVNULL)
    time.sleep(0.05)
    os.kill(stack.pid("postgres"), signal.SIGKILL)
    asked.wait(20)


def in_recovery(stack: Stack, seconds: float) -> None:
    """Started after the kill, and killed again before it may have been ready."""
    process.kill_session(stack.pid("postgres"))
    child = stack.launch_postgres().child
    time.sleep(seconds)
    child.popen.kill()


def in_words(seconds: list[float]) -> str:
    if not seconds:
        return "–"
    return f"{statistics.median(seconds):.2f} s, at most {max(seconds):.1f} s"


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
