"""`make bench`: how fast hold, confirm and search are on this machine, beside the same work as bare SQL.

Medians of several rounds in one run; the ratio to pgbench is the figure to compare between machines.
"""

from __future__ import annotations

import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import load, memory  # the tree is not installed
from bench.instance import HERE, SIZE, Instance, running

CONNECTIONS = 32
SECONDS = 10
ROUNDS = 3


def main() -> None:
    print(f"machine: {machine()}")
    with running() as instance:
        used = memory.of_tree(instance.supervisor)  # all of PostgreSQL's shared buffers have been touched by now
        print(
            f"memory of the whole stack at rest: {megabytes(instance.at_rest)} (target < 400), in use: {megabytes(used)}"
        )
        yardstick = pgbench(instance)
        print(f"pgbench, one hold as 12 plain statements, {CONNECTIONS} clients: {yardstick:.0f}/s")
        booking_round(instance, 4)  # every connection has made its plans; not counted
        rounds = [booking_round(instance, number) for number in range(ROUNDS)]
        rates = [each.per_second() for each in rates_only(rounds)]
        rate = statistics.median(rates)
        p99 = statistics.median(each.percentile_ms(0.99) for each in rounds)
        print(
            f"hold + confirm over HTTP, {CONNECTIONS} connections: {rate:.0f} requests/s, p99 {p99:.0f} ms (targets ≥ 600/s, < 150 ms)"
        )
        print(f"ratio to pgbench: {rate / yardstick:.2f} (target ≥ 0.40)")
        for name in ("hold", "confirm"):
            print(f"  {name}: p50 {statistics.median(e.percentile_ms(0.5, name) for e in rounds):.1f} ms")
        search = search_round(instance)
        print(
            f"open slots over 8 weeks: p50 {search.percentile_ms(0.5):.1f} ms, p95 {search.percentile_ms(0.95):.1f} ms (target < 40)"
        )


def megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB"


def rates_only(rounds: list[load.Figures]) -> list[load.Figures]:
    for each in rounds:
        if each.wrong:
            raise SystemExit(f"{len(each.wrong)} answers were not 2xx, the first: {each.wrong[0]}")
    return rounds


def machine() -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{cores} × {cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def pgbench(instance: Instance) -> float:
    """Transactions a second of `hold.sql`, as the application's role."""
    command = [
        instance.binaries / "pgbench", instance.settings["DATABASE_URL"], "-n", "-f", HERE / "hold.sql", "-c", str(CONNECTIONS), "-j", "1",
        "-T", str(SECONDS), "-D", "i=0", "-D", f"students={SIZE['students']}",
    ]  # fmt: skip
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"tps = ([0-9.]+)", printed)[1])  # type: ignore[index]


def booking_round(instance: Instance, number: int) -> load.Figures:
    instance.psql("reset.sql")
    return load.run(instance.port, [hold_and_confirm(client, number) for client in range(CONNECTIONS)], seconds=SECONDS)


def hold_and_confirm(client: int, number: int) -> Iterator[load.Request]:
    """Client c books slots c, c+32, c+64 … of the round's own fifth, each by another student."""
    fifth = SIZE["teachers"] * 4
    for n in range(number * fifth + client, (number + 1) * fifth, CONNECTIONS):
        student = n % SIZE["students"] + 1
        answer = yield "hold", post("/api/v1/booking/hold", student, f'{{"slot_id": "{uuid(15, n + 1)}"}}')
        found = re.search(rb'"id": ?"([0-9a-f-]{36})"', answer)
        if found:
            yield "confirm", post(f"/api/v1/booking/{found[1].decode()}/confirm", student, "{}")


def search_round(instance: Instance) -> load.Figures:
    def searches() -> Iterator[load.Request]:
        while True:
            yield "search", get("/api/v1/scheduling/slots/open?limit=100")

    return load.run(instance.port, [searches(), searches()], seconds=5)


def post(path: str, student: int, body: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer gol_at_bench{student}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def uuid(kind: int, n: int) -> str:
    """The id that `seed.sql` gave to row n of a kind."""
    return f"{kind:08x}-0000-7000-8000-{n:012x}"


if __name__ == "__main__":
    main()
