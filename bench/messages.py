"""How fast people are told. `make bench MESSAGES=1`: mails drained to a mail server on loopback by one worker and by two, claims,
a sweep over years of delivered rows, and from the commit of a booking to the mail's acceptance.

BENCH_MESSAGES, BENCH_DELIVERED, BENCH_SECONDS make other sizes.
"""

from __future__ import annotations

import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "100000"))
DELIVERED = int(os.environ.get("BENCH_DELIVERED", "5000000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "30"))
SIZE = {"teachers": 200, "students": 400, "per_student": 5}
CLAIMED = 20_000


def main() -> None:
    if sys.argv[1:] == ["courier"]:
        courier()
        return
    if "BENCH_INSIDE" in os.environ:
        measure()
        return
    from guitaronline.local.ports import free_port

    port = free_port()
    with sink(port), tempfile.TemporaryDirectory() as var:
        mail = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_TLS": "none"}
        settings = {"BENCH_INSIDE": "1", "VAR_DIR": var, "LIMITS": "off", "LOG_LEVEL": "error", "DEMO": "0", **mail}
        command = [sys.executable, "-m", "guitaronline.local", "exec", "--", sys.executable, __file__]
        environment = {**os.environ, **settings, "PYTHONUNBUFFERED": "1"}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        from_commit_to_acceptance(Path(var) / "instance", mail)


@contextmanager
def sink(port: int) -> Iterator[None]:
    child = subprocess.Popen([sys.executable, Path(__file__).with_name("sink.py"), str(port)])
    try:
        yield
    finally:
        child.kill()
        child.wait()


def measure() -> None:
    import config
    from bench import instance, run
    from guitaronline import create_app

    print(f"machine: {run.machine()}")
    school = instance.Instance(0, dict(os.environ), 0, instance.binaries())
    school.psql("seed.sql", **SIZE)
    app = create_app(config.load())
    with app.app_context():
        book(200)
        claims(school)
        one = drained(school, 1)
        two = drained(school, 2)
        print(f"  two workers are {two / one:.2f} × one (target ≥ 1.7)")
        sweep(school)


def book(number: int) -> None:
    from bench.run import uuid
    from guitaronline.actor import Actor, Role
    from guitaronline.booking.service import confirm_booking, hold_slot

    for n in range(number):
        student = Actor(_uuid(uuid(3, n + 1)), Role.STUDENT)
        confirm_booking(student, hold_slot(student, _uuid(uuid(15, n + 1))).id)


def _uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)


def claims(school: Any) -> None:
    from guitaronline.db import new_id
    from guitaronline.notifications import queue
    from guitaronline.notifications.models import Channel

    school.psql("messages.sql", messages=CLAIMED, delivered=0)
    began = time.perf_counter()
    while queue.claim(Channel.EMAIL, new_id(), limit=100):
        pass
    print(f"claims in batches of 100: {CLAIMED / (time.perf_counter() - began):.0f} rows/s (target ≥ 10,000)")


def drained(school: Any, workers: int) -> float:
    """Mails a second, from the first to the last; workers begin together, once all have loaded the application."""
    school.psql("messages.sql", messages=MESSAGES, delivered=0)
    command = [sys.executable, __file__, "courier"]
    children = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(workers)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.close()
    for child in children:
        assert child.stdout is not None
        print(child.stdout.read().decode(), end="")
        child.wait()
    took = float(school.value("SELECT extract(epoch FROM max(sent_at) - min(sent_at)) FROM messages"))
    left = school.value("SELECT count(*) FROM messages WHERE status <> 'sent'")
    sent = MESSAGES - int(left)
    print(f"{MESSAGES} waiting mails by {workers}: {sent / took:.0f}/s (target for one ≥ 400); {left} left")
    return sent / took


def courier() -> None:
    from jobs.notifications import deliver
    from jobs.runtime import context

    with context():
        print("ready", flush=True)
        sys.stdin.readline()  # until all are
        used = time.process_time()
        done = 0
        while some := deliver():
            done += some
        print(
            f"  a worker sent {done}: Python {(time.process_time() - used) / max(done, 1) * 1000:.2f} ms of processor each"
        )


def sweep(school: Any) -> None:
    from bench.horizon import timed
    from guitaronline.db import new_id
    from guitaronline.notifications import queue
    from guitaronline.notifications.models import Channel

    took = []
    school.psql("messages.sql", messages=210, delivered=DELIVERED)
    for _ in range(21):
        school.value("UPDATE messages SET available_at = 'infinity' WHERE status = 'queued' AND lease_token IS NULL")
        school.value(
            "UPDATE messages SET available_at = now() WHERE id IN (SELECT id FROM messages WHERE status = 'queued' AND lease_token IS NULL LIMIT 10)"
        )
        took.append(timed(lambda: queue.claim(Channel.EMAIL, new_id(), limit=100)))
    print(
        f"a sweep over {DELIVERED} delivered rows with 10 due: p50 {statistics.median(took[1:]):.1f} ms,"
        f" the slowest {max(took[1:]):.1f} ms (target < 20)"
    )


def from_commit_to_acceptance(var: Path, mail: dict[str, str]) -> None:
    from bench.instance import running

    with running(18140, var=var, size=SIZE, **mail) as school:
        told(school, "idle, one booking a second", each=1.0, number=20, first=0, target=1)
        told(school, "50 bookings a second", each=0.02, number=50 * SECONDS, first=20, target=3)


def told(school: Any, name: str, *, each: float, number: int, first: int, target: int) -> None:
    since = school.value("SELECT clock_timestamp()")
    began = time.perf_counter()
    with ThreadPoolExecutor(16) as hands:
        wrong = sum(hands.map(lambda n: book_by_http(school.port, first + n, began + n * each), range(number)))
    rate = number / (time.perf_counter() - began)
    mails = f"FROM messages WHERE channel = 'email' AND happened_at >= '{since}'"
    give_up_at = time.monotonic() + 60
    untold = "SELECT count(*) FROM outbox_events WHERE status = 'pending' AND topic = 'booking.confirmed'"
    waiting = f"SELECT count(*) {mails} AND status = 'queued'"
    while time.monotonic() < give_up_at and (school.value(untold) != "0" or school.value(waiting) != "0"):
        time.sleep(0.2)
    ms = "extract(epoch FROM sent_at - happened_at) * 1000"
    spread = f"round(percentile_cont({{}}) WITHIN GROUP (ORDER BY {ms})::numeric)"
    found = school.value(
        f"SELECT count(*), {spread.format(0.5)}, {spread.format(0.95)}, round(max({ms})) {mails} AND status = 'sent'"
    )
    count, p50, p95, slowest = found.split("|")
    print(
        f"from commit to acceptance, {name} ({rate:.0f}/s reached, {wrong} refused): {count} mails, p50 {p50} ms, p95 {p95} ms,"
        f" slowest {slowest} ms (target p95 < {target} s)"
    )


def book_by_http(port: int, n: int, at: float) -> bool:
    """At its moment, student n holds and confirms slot n. Whether it went wrong."""
    from bench.run import post, uuid

    time.sleep(max(at - time.perf_counter(), 0))
    student = n % SIZE["students"] + 1
    held = _say(port, post("/api/v1/booking/hold", student, f'{{"slot_id": "{uuid(15, n + 1)}"}}'))
    found = re.search(rb'"id": ?"([0-9a-f-]{36})"', held)
    if found is None:
        return True
    return b"confirmed" not in _say(port, post(f"/api/v1/booking/{found[1].decode()}/confirm", student, "{}"))


def _say(port: int, raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", first.split()[1], body, dict(line.split(": ", 1) for line in lines))
        return connection.getresponse().read()
    finally:
        connection.close()


if __name__ == "__main__":
    main()
