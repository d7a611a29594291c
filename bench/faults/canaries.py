"""Each guard taken away once: the same proof must go red, or it proves nothing."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.faults import stack as stacks
from bench.faults import walks, weather
from bench.faults.kills import at_point
from bench.faults.load import Scene, scene

WALK_OPERATIONS = 4000  # each of them parts from the model within a few hundred
RACE_SECONDS = 30
FAST_FUNCTIONS = ("hold_slot_fast", "confirm_booking_fast")


@dataclass(frozen=True)
class Where:
    path: Path
    port: int
    template: Path


@dataclass(frozen=True)
class Canary:
    guard: str
    removed: str
    is_red: bool
    said: str  # the first finding


def run(where: Where, seed: int) -> list[Canary]:
    only = os.environ.get("FAULTS_CANARY", "")
    found = [judged(guard, removed, sing(where, seed)) for guard, removed, sing in UNDER_LOAD if only in sing.__name__]
    for guard, sabotage in ON_THE_WALK:
        if only in sabotage:
            findings = walks.run(WALK_OPERATIONS, seed, hands=1, sabotage=sabotage).findings
            found.append(judged(guard, f"`{sabotage}` (random walk)", findings))
    return found


def judged(guard: str, removed: str, findings: list[str]) -> Canary:
    said = findings[0].split("\n")[0] if findings else "nothing was found"
    print(f"  {guard}: {'red' if findings else 'STILL GREEN'}, {said}", flush=True)
    return Canary(guard, removed, bool(findings), said)


def kill_at(found: Scene, victim: str, where: str, times: int) -> None:
    draw = random.Random(found.seed)
    for _ in range(times):
        if not at_point(found.stack, victim, where, draw):
            os.kill(found.stack.pid(victim), signal.SIGKILL)
        found.stack.rest(2)


def not_durable(where: Where, seed: int) -> list[str]:
    options = {"synchronous_commit": "off", "wal_writer_delay": "10s"}
    with stacks.running(where.path, where.port, of=where.template, options=options) as made:
        found = scene(made, seed=seed)
        found.begin()
        for _ in range(3):
            made.rest(2)
            os.kill(made.pid("postgres"), signal.SIGKILL)
        made.rest(3)
        found.end()
        return found.look(is_over=True)


def answers_forgotten(where: Where, seed: int) -> list[str]:
    with stacks.running(
        where.path, where.port, of=where.template, more={"FAULTS_SABOTAGE_WEB": "forget_answers"}
    ) as made:
        found = scene(made, seed=seed)
        found.begin()
        kill_at(found, "web", "web: after commit", 4)
        found.end()
        every = found.look(is_over=True)
    return [each for each in every if "nobody was told" in each or "another answer" in each]  # the plain row aside


def closed_before_told(where: Where, seed: int) -> list[str]:
    with stacks.running(
        where.path, where.port, of=where.template, more={"FAULTS_SABOTAGE_WORKER": "close_before_telling"}
    ) as made:
        found = scene(made, seed=seed)
        found.begin()
        kill_at(found, "worker", "worker: events claimed", 4)
        found.end()
        return found.look(is_over=True)


def nothing_guards_a_slot(where: Where, seed: int) -> list[str]:
    with stacks.running(where.path, where.port, of=where.template, more={"FAULTS_SABOTAGE_WEB": "no_locks"}) as made:
        found = scene(made, seed=seed, slots=4)
        _without_guards(found)
        found.begin()
        made.rest(RACE_SECONDS)
        found.end()
        return found.look(is_over=True)


def _without_guards(found: Scene) -> None:
    """No unique index, no overlap constraint, no lock in the functions; and between looking and writing a moment passes."""
    with closing(found.stack.connect()) as owner, owner.cursor() as cursor:
        cursor.execute("DROP INDEX bookings_one_active_per_slot")
        cursor.execute("ALTER TABLE bookings DROP CONSTRAINT bookings_no_student_overlap")
        for name in FAST_FUNCTIONS:
            cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [name])
            row = cursor.fetchone()
            source = row[0] if row else ""
            for lock in ("FOR NO KEY UPDATE OF u, p, s", "FOR NO KEY UPDATE OF p, b"):
                source = source.replace(lock, "")
            cursor.execute(source.replace("RETURN QUERY", "PERFORM pg_sleep(0.2); RETURN QUERY", 1))


def no_second_try(where: Where, seed: int) -> list[str]:
    """Nothing is lost without it; what goes red is that people are told `busy`."""
    more = {"FAULTS_SABOTAGE_WEB": "no_second_try"}
    with stacks.running(where.path, where.port, of=where.template, more=more, options=weather.OPTIONS) as made:
        found = weather.come_over(scene(made, seed=seed), "deadlocks", weather.deadlocks)
    return [*found.findings, *([f"people were told `busy`: {found.note}, {found.how_often}"] if found.note else [])]


def unaudited(where: Where, seed: int) -> list[str]:
    return _after(where, seed, "ALTER TABLE bookings DISABLE TRIGGER audit_row")


def rewritten(where: Where, seed: int) -> list[str]:
    first = "SELECT min(id) FROM audit_changes WHERE table_name = 'packages'"
    change = f"UPDATE audit_changes SET after = after || '{{\"version\": 99}}' WHERE id = ({first})"
    return _after(where, seed, f"SET session_replication_role = replica; {change}", before_load=False)


def _after(where: Where, seed: int, statement: str, *, before_load: bool = True) -> list[str]:
    with stacks.running(where.path, where.port, of=where.template) as made:
        found = scene(made, seed=seed)
        if before_load:
            _execute(found, statement)
        found.begin()
        made.rest(5)
        found.end()
        if not before_load:
            made.rest(35)  # what was written is sealed by then
            _execute(found, statement)
        return found.look(is_over=True)


def _execute(found: Scene, statement: str) -> None:
    with closing(found.stack.connect()) as owner, owner.cursor() as cursor:
        cursor.execute(statement)


UNDER_LOAD: tuple[tuple[str, str, Callable[[Where, int], list[str]]], ...] = (
    ("a yes comes after the commit", "PostgreSQL answers before the log is written", not_durable),
    ("the answer is kept with the effect", "Idempotency-Keys keep no answer", answers_forgotten),
    ("an event is closed after it was told", "it is closed when it is claimed", closed_before_told),
    ("row locks, and the constraints behind them", "neither", nothing_guards_a_slot),
    ("deadlocks are begun again", "the first one is the answer", no_second_try),
    ("every change is in the audit", "the trigger of bookings is off", unaudited),
    ("the chain over the audit", "one audited change is rewritten", rewritten),
)
ON_THE_WALK = (
    ("who comes by expires what has lapsed", "lapsed_holds_stay"),
    ("late cancellations cost the lesson", "late_is_early"),
    ("a refund takes the lessons that it pays back", "refunds_take_nothing"),
)
