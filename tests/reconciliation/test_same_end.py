"""The end is the same however the facts came: shuffled, split over files, told twice, or with a worker killed in between.

Compared is what `written_matches` says of every active match, by natural keys; ids and times of ours are not part of it. And
the exceptions by their natural keys, which are made of what they are about.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from bench.money_year import COLUMNS, Year, load, make_year
from guitaronline.actor import SYSTEM
from guitaronline.billing.reconciliation.models import ReconciliationException
from guitaronline.billing.reconciliation.queries import written_matches
from guitaronline.billing.reconciliation.service import run_matching
from guitaronline.db import database
from tests.concurrency import at_once
from tests.conftest import empty
from tests.reconciliation.statements import matches

pytestmark = pytest.mark.breaks_invariants  # nobody made these payments by a command
OTHERS = [table for table in COLUMNS if table not in ("settlement_lines", "settlement_problems")]
End = tuple[str, list[str]]


def end(db: Session) -> End:
    db.rollback()
    query = select(ReconciliationException.natural_key).where(ReconciliationException.decided_at.is_(None))
    return "".join(written_matches(db)), sorted(db.scalars(query))


def told_in(owner: Connection, year: Year, parts: Sequence[Sequence[Any]]) -> None:
    """The lines come part by part, with a run after each."""
    load(owner, year, only=OTHERS)
    for part in parts:
        load(owner, Year(rows={"settlement_lines": list(part)}), only=["settlement_lines"])
        run_matching(SYSTEM)
    load(owner, year, only=["settlement_problems"])
    run_matching(SYSTEM)


@pytest.fixture(scope="module")
def year() -> Year:
    return make_year(150, defects_each=1)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), parts=st.integers(2, 4))
def test_shuffled_and_split_lines_end_byte_for_byte_the_same(
    db: Session, owner: Connection, year: Year, seed: int, parts: int
) -> None:
    empty(owner)
    told_in(owner, year, [year.lines])
    at_one_go = end(db)
    empty(owner)
    lines = random.Random(seed).sample(year.lines, len(year.lines))  # an order, no secret

    told_in(owner, year, [lines[start::parts] for start in range(parts)])

    assert end(db) == at_one_go
    empty(owner)


def test_two_runs_at_once_do_it_once(app: Flask, db: Session, owner: Connection, year: Year) -> None:
    load(owner, year)
    run_matching(SYSTEM)
    alone = end(db)
    empty(owner)
    load(owner, year)

    at_once(app, *[lambda: run_matching(SYSTEM)] * 2)

    assert end(db) == alone


WAITS = text(
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%reconciliation_exceptions%'"
)


def test_a_worker_killed_after_it_matched_leaves_nothing_and_the_next_run_ends_the_same(
    app: Flask, db: Session, owner: Connection, year: Year
) -> None:
    load(owner, year)
    run_matching(SYSTEM)
    undisturbed = end(db)
    empty(owner)
    load(owner, year)

    killed = killed_while_it_writes_exceptions(app, db, owner)

    assert isinstance(killed, DBAPIError)
    assert matches(db) == []
    run_matching(SYSTEM)
    assert end(db) == undisturbed


def killed_while_it_writes_exceptions(app: Flask, db: Session, owner: Connection) -> object:
    """The run stands before a lock, its matches written and not committed, when the server ends its connection."""
    outcome: list[object] = []
    with owner.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE reconciliation_exceptions IN EXCLUSIVE MODE")
        worker = Thread(target=lambda: outcome.append(attempt(app)))
        worker.start()
        cursor.execute("SELECT pg_terminate_backend(%s)", [_waiting_worker(db)])
        cursor.execute("ROLLBACK")
    worker.join(timeout=60)
    return outcome[0]


def _waiting_worker(db: Session) -> int:
    found = None
    while found is None:
        db.rollback()
        found = db.execute(WAITS).scalar()
    return int(found)


def attempt(app: Flask) -> object:
    with app.app_context():
        try:
            return run_matching(SYSTEM)
        except DBAPIError as error:
            return error
        finally:
            database.session.remove()


def test_ids_are_made_so_that_matches_sort_by_the_run_that_made_them(
    db: Session, owner: Connection, year: Year
) -> None:
    load(owner, year)
    run_matching(SYSTEM)

    first: UUID = min(each.id for each in matches(db))
    assert first.version == 7
