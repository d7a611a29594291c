"""`make bench BACKUPS=1`: how long a backup, its restore and its proof take here, and what a backup costs who books meanwhile."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.instance import ROOT, VAR, Instance, running  # the tree is not installed
from bench.run import booking_round, machine

ROUNDS = 3


def main() -> None:
    print(f"machine: {machine()}")
    with tempfile.TemporaryDirectory(prefix="guitaronline-bench-", dir=VAR.parent) as folder, running() as instance:
        environment = {**os.environ, **instance.settings, "BACKUP_DIR": folder, "TMPDIR": folder}
        size = int(instance.value("SELECT pg_database_size(current_database())"))
        booking_round(instance, 4)  # every connection has made its plans; not counted
        alone = rate(instance)
        took, beside = beside_a_backup(instance, environment)
        print(f"database: {size / 2**30:.2f} GB")
        print(f"backup: {took:.0f} s, {size / 2**30 / took * 60:.1f} GB/min, of that with people booking all the time")
        print(
            f"hold + confirm: {alone:.0f}/s alone, {beside:.0f}/s beside the backup: {100 - 100 * beside / alone:.0f} % less (target < 10 %)"
        )
        seconds = flask(environment, "rehearse")
        print(
            f"restore, comparison and proof: {seconds:.0f} s, {size / 2**30 / seconds * 60:.1f} GB/min (target: 5 GB in 10 min)"
        )


def rate(instance: Instance) -> float:
    return statistics.median(booking_round(instance, number).per_second() for number in range(ROUNDS))


def beside_a_backup(instance: Instance, environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of a backup, and the rate of bookings while it ran."""
    took: list[float] = []
    making = threading.Thread(target=lambda: took.append(flask(environment, "make")))
    making.start()
    time.sleep(3)  # it reads by now
    rates: list[float] = []
    while making.is_alive() and len(rates) < ROUNDS:
        rates.append(booking_round(instance, len(rates)).per_second())
    making.join()
    return took[0], statistics.median(rates)


def flask(environment: Mapping[str, str], verb: str) -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "backup", verb], cwd=ROOT, env=dict(environment), check=True
    )
    return time.monotonic() - began


if __name__ == "__main__":
    main()
