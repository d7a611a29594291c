"""How fast weekly hours become slots. `make bench HORIZON=1`: 1,000 teachers, 20 lessons a week each, 8 weeks, on throw-away
servers with 200,000 past bookings (BENCH_TEACHERS, BENCH_STUDENTS, BENCH_PER_STUDENT make another school)."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import time as wall
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZE = {"teachers": 1000, "students": 4000, "per_student": 50}
TIMES = 60  # of each search; p95 is then the fourth slowest
CHANGES = 20
FOUR_LESSONS = 5  # hours, with pauses


def main() -> None:
    if "BENCH_INSIDE" not in os.environ:
        with tempfile.TemporaryDirectory() as var:
            environment = {
                **os.environ,
                "BENCH_INSIDE": "1",
                "VAR_DIR": var,
                "LIMITS": "off",
                "LOG_LEVEL": "error",
                "PYTHONUNBUFFERED": "1",
            }
            command = [sys.executable, "-m", "guitaronline.local", "exec", "--", sys.executable, __file__]
            raise SystemExit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)
    measure()


def measure() -> None:
    import config
    from bench import instance, run
    from guitaronline import create_app

    print(f"machine: {run.machine()}")
    size = {name: int(os.environ.get(f"BENCH_{name.upper()}", number)) for name, number in SIZE.items()}
    school = instance.Instance(0, dict(os.environ), 0, instance.binaries())
    school.psql("seed.sql", **size)
    school.psql("horizon.sql")
    print(f"{size['teachers']} teachers, {size['students'] * size['per_student']} past bookings")
    app = create_app(config.load())
    with app.app_context():
        whole_horizon(school)
        one_teacher()
        searches(app)


def whole_horizon(school: Any) -> None:
    """From nothing; with nothing to do; a new day; everybody looked at again."""
    from guitaronline.booking import horizon, rolling
    from guitaronline.db import technical_transaction

    def due_again(values: str) -> None:
        school.value(f"UPDATE horizons SET {values}")

    def tell(name: str, target: str = "") -> None:
        with counting() as seen:
            began, used, served = time.perf_counter(), time.process_time(), served_seconds()
            done = rolling.extend_due(seconds=3600)
            took, used, served = time.perf_counter() - began, time.process_time() - used, served_seconds() - served
        print(
            f"{name}: {took:.2f} s{target}; processor: Python {used:.2f} s, PostgreSQL {served:.2f} s; {done.teachers} teachers, {done.made} made, {done.removed} taken away,"
            f" {seen['statements']} statements"
        )

    tell("full horizon from nothing", " (target < 30 s)")
    school.value("VACUUM ANALYZE availability_slots, horizons")
    due_again("due_at = now() - interval '1 minute'")
    tell("nightly run, nothing to do", " (target < 3 s)")
    due_again("due_at = now() - interval '1 minute', until = until - 1")
    tell("nightly run, one day looked at that is there already")
    with technical_transaction() as session:
        horizon.look_again(session, now())
    tell("everybody looked at as a whole, nothing to do")


def one_teacher() -> None:
    from guitaronline.actor import SYSTEM
    from guitaronline.booking import horizon
    from guitaronline.db import session

    teachers = teacher_ids()[:CHANGES]
    took = []
    used, served = time.process_time(), served_seconds()
    with counting() as seen:
        for teacher_id in teachers:
            week = [
                replace(each, start_local=wall(9), end_local=wall(9 + FOUR_LESSONS))
                for each in horizon.hours_of(session(), teacher_id)
            ]
            took.append(timed(lambda: horizon.set_hours(SYSTEM, teacher_id, windows=week)))  # noqa: B023  # called at once
    used, served = time.process_time() - used, served_seconds() - served
    show("change of one teacher's hours", took, f"(target < 300 ms){each_of(CHANGES, used, served, seen)}")


def searches(app: Any) -> None:
    client, teacher = app.test_client(), teacher_ids()[-1]
    for name, query in (
        ("open slots of one teacher over 8 weeks", f"teacher_id={teacher}&"),
        ("open slots of the whole school", ""),
    ):
        path = f"/api/v1/scheduling/slots/open?{query}limit=100"

        def ask(path: str = path) -> None:
            assert client.get(path).status_code == 200

        ask()
        used, served = time.process_time(), served_seconds()
        with counting() as seen:
            took = [timed(ask) for _ in range(TIMES)]
        used, served = time.process_time() - used, served_seconds() - served
        show(name, took, f"(target p95 < 40 ms){each_of(TIMES, used, served, seen)}")


def each_of(times: int, used: float, served: float, seen: dict[str, int]) -> str:
    processor = f"Python {used / times * 1000:.1f} ms, PostgreSQL {served / times * 1000:.1f} ms"
    return f"; processor: {processor}; {seen['statements'] / times:.0f} statements each"


def served_seconds() -> float:
    """Processor time that the database server has used: what took how long beside others says little."""
    from sqlalchemy import text

    from guitaronline.db import session

    backend = session().scalar(text("SELECT pg_backend_pid()"))
    session().rollback()
    server = _stat(Path(f"/proc/{backend}/stat"))[1]
    found = (_stat(each) for each in Path("/proc").glob("[0-9]*/stat"))
    return sum(float(ticks) for ticks, parent in found if parent == server) / os.sysconf("SC_CLK_TCK")


def _stat(path: Path) -> tuple[int, int]:
    """Ticks used, and the parent's id; (0, 0) for a process that has gone."""
    try:
        fields = path.read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[11]) + int(fields[12]), int(fields[1])


def teacher_ids() -> list[Any]:
    from sqlalchemy import select

    from guitaronline.booking.rolling import Horizon
    from guitaronline.db import session

    return list(session().scalars(select(Horizon.teacher_id).order_by(Horizon.teacher_id)))


def now() -> Any:
    from guitaronline import clock
    from guitaronline.db import session

    return clock.read(session())


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def show(name: str, took: list[float], more: str) -> None:
    p95 = sorted(took)[-1 - len(took) // 20]
    print(f"{name}: p50 {statistics.median(took):.0f} ms, p95 {p95:.0f} ms {more}")


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    from sqlalchemy import event

    from guitaronline.db import database

    seen = {"statements": 0}

    def note(*_: Any) -> None:
        seen["statements"] += 1

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


if __name__ == "__main__":
    main()
