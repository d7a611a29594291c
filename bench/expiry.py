"""How fast packages expire, ledger, breakage, audit and events included. `make bench EXPIRY=1`: 100,000 overdue packages on
throw-away servers (BENCH_PACKAGES makes another number, BENCH_BATCH another batch)."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PACKAGES = int(os.environ.get("BENCH_PACKAGES", "100000"))


def main() -> None:
    if "BENCH_INSIDE" not in os.environ:
        with tempfile.TemporaryDirectory() as var:
            settings = {"BENCH_INSIDE": "1", "VAR_DIR": var, "LIMITS": "off", "LOG_LEVEL": "error", "DEMO": "0"}
            command = [sys.executable, "-m", "guitaronline.local", "exec", "--", sys.executable, __file__]
            environment = {**os.environ, **settings, "PYTHONUNBUFFERED": "1"}
            raise SystemExit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)
    measure()


def measure() -> None:
    import config
    from bench import instance, run
    from guitaronline import create_app
    from jobs.billing import AT_ONCE

    batch = int(os.environ.get("BENCH_BATCH", str(AT_ONCE)))
    print(f"machine: {run.machine()}")
    school = instance.Instance(0, dict(os.environ), 0, instance.binaries())
    app = create_app(config.load())
    for workers in (1, 2):
        school.psql("expiry.sql", packages=PACKAGES)
        tell(app, workers, batch)
    left = school.value("SELECT count(*) FROM packages WHERE status <> 'expired'")
    kinds = {
        "entries": "credit_entries WHERE kind = 'expire'",
        "events": "outbox_events",
        "audited changes": "audit_changes",
    }
    written = ", ".join(f"{school.value(f'SELECT count(*) FROM {table}')} {name}" for name, table in kinds.items())
    print(f"{left} packages are left; both together wrote {written}")


def tell(app: Any, workers: int, batch: int) -> None:
    from bench.horizon import served_seconds

    with app.app_context():
        began, used, served = time.perf_counter(), time.process_time(), served_seconds()
        with ThreadPoolExecutor(workers) as threads:
            took = sorted(
                each for some in threads.map(lambda _: expire_all(app, batch), range(workers)) for each in some
            )
        whole, used, served = time.perf_counter() - began, time.process_time() - used, served_seconds() - served
    print(
        f"{PACKAGES} packages expired by {workers} at once in batches of {batch}: {whole:.1f} s (target for 100,000: < 12 s);"
        f" processor: Python {used:.1f} s, PostgreSQL {served:.1f} s"
    )
    print(
        f"  a batch holds its rows for less than: p50 {statistics.median(took) * 1000:.0f} ms,"
        f" p99 {took[int(len(took) * 0.99)] * 1000:.0f} ms (target < 100 ms)"
    )


def expire_all(app: Any, batch: int) -> list[float]:
    """Seconds of each batch."""
    from guitaronline.actor import SYSTEM
    from guitaronline.billing import service
    from guitaronline.db import database

    took = []
    with app.app_context():
        done = batch
        while done:
            began = time.perf_counter()
            done = service.expire_packages(SYSTEM, limit=batch)
            took.append(time.perf_counter() - began)
        database.session.remove()
    return took


if __name__ == "__main__":
    main()
