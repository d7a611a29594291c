"""How long it takes to match and classify a year of settlement lines, beside the same as bare SQL.

python -m bench.reconcile 100000          # lines of charges; 1,000,000 needs some GB of memory for making the year up
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import text

import config
from bench.money_year import COLUMNS, DAYS, FIRST_DAY, Year, copied, load, make_year
from guitaronline import clock, create_core
from guitaronline.actor import SYSTEM
from guitaronline.billing.reconciliation import classifying, matching, proving, service
from guitaronline.billing.reconciliation.proving import Stretch
from guitaronline.db import session
from guitaronline.local import supervisor, throwaway

BARE = (
    "CREATE TABLE bare_lines (LIKE settlement_lines INCLUDING DEFAULTS)",
    "ALTER TABLE bare_lines ADD PRIMARY KEY (id)",
)
BARE_JOIN = """
CREATE TABLE bare_matches AS
SELECT l.id AS line_id, p.id AS payment_id, l.amount_minor = p.amount_minor AND l.currency = p.currency AS is_equal
  FROM bare_lines l LEFT JOIN payments p ON p.external_reference = l.intent_id
"""


def cpu(backend: int) -> float:
    """Seconds of processor that this server process has had."""
    fields = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(what: str, body: Callable[[], Any], backend: int) -> float:
    """Says the time on the wall, and the processor's of the server process: where others use the machine too, they differ."""
    started, before = time.perf_counter(), cpu(backend)
    found = body()
    seconds, used = time.perf_counter() - started, cpu(backend) - before
    print(
        f"  {what:<44} {seconds:8.2f} s {used:8.2f} s cpu   {found if isinstance(found, int | str) else ''}", flush=True
    )
    return used


def bare(connection: Any, year: Year) -> float:
    """COPY and one join: what no product does, and what it is measured against."""
    lines = copied(year.lines)
    columns = ", ".join(COLUMNS["settlement_lines"].split())
    with connection.cursor() as cursor:
        for statement in BARE:
            cursor.execute(statement)
        backend = connection.info.backend_pid
        copy = timed(
            "bare: COPY", lambda: cursor.copy_expert(f"COPY bare_lines ({columns}) FROM STDIN", lines), backend
        )
        cursor.execute("ANALYZE")
        return copy + timed("bare: one join", lambda: cursor.execute(BARE_JOIN), backend)


def main(charges: int) -> None:
    year = make_year(charges, defects_each=max(charges // 10_000, 1))
    lines = len(year.lines)
    print(f"{lines:,} lines, {len(year.rows['payments']):,} payments")
    with throwaway.running(config.load({})) as (complete, place):
        environment = supervisor.environment_of(complete)
        supervisor.upgrade(place, environment)
        connection = psycopg2.connect(complete.DATABASE_OWNER_URL)
        connection.autocommit = True
        others = [table for table in COLUMNS if table != "settlement_lines"]
        backend = connection.info.backend_pid
        timed("everything but the lines", lambda: load(connection, year, only=others), backend)
        first = timed(
            "COPY of the lines into their table", lambda: load(connection, year, only=["settlement_lines"]), backend
        )
        cost = bare(connection, year)
        app = create_core(replace(complete, STATEMENT_TIMEOUT_MS=600_000), pool_size=1)
        with app.app_context():
            mine = int(session().execute(text("SELECT pg_backend_pid()")).scalar_one())
            work = timed("match + classify + write", lambda: _told(service.run_matching(SYSTEM)), mine)
            timed("again, nothing new", lambda: _told(service.run_matching(SYSTEM)), mine)
            _steps(mine)
            timed("sums of the whole year as one period", _proved, mine)
        worker = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"  COPY + match against bare, processor: {(first + work) / cost:.1f} times; this process at most {worker} MB (with the made-up year in it)"
        )
        _judge(connection, year)


def _told(run: Any) -> str:
    return f"made {run.made:,}, opened {run.opened:,}, resolved {run.resolved:,}"


def _steps(mine: int) -> None:
    """Where the time goes, on a run that is thrown away."""
    current = session()
    current.execute(text("SELECT 1"))
    timed("  of it: finding", lambda: matching.find(current), mine)
    timed("  of it: classifying", lambda: classifying.classify(current), mine)
    current.rollback()


def _proved() -> str:
    now = clock.read(session())
    stretch = Stretch(FIRST_DAY + timedelta(days=DAYS), None)
    proof = proving.prove(session(), stretch, None)
    session().rollback()
    return f"{proof.digest[:12]}, {len(proof.problems)} problems, {now:%Y}"


def _judge(connection: Any, year: Year) -> None:
    """Clean lines that are matched, and matches that are wrong."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT line_id, coalesce(payment_id, refund_id, bank_line_id) FROM settlement_matches WHERE status = 'active'"
        )
        found = dict(cursor.fetchall())
        cursor.execute("SELECT category, count(*) FROM reconciliation_exceptions GROUP BY 1 ORDER BY 1")
        exceptions = cursor.fetchall()
    clean = {str(line): str(other) for line, other in year.clean.items()}
    wrong = sum(1 for line, other in found.items() if clean.get(line) != other)
    planted: dict[str, int] = {}
    for expected in year.planted.values():
        for category, _ in expected:
            planted[category] = planted.get(category, 0) + 1
    print(
        f"  clean lines matched: {len(found) - wrong:,} of {len(clean):,} ({(len(found) - wrong) / len(clean):.3%}); wrong: {wrong}"
    )
    for category, number in exceptions:
        print(f"  {category:<20} {number:6,} of {planted.get(category, 0):6,} planted")


if __name__ == "__main__":
    assert date(2025, 1, 1) == FIRST_DAY
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
