"""Bulk actions are carried out row by row, in the name of the person who asked. The tables are the queue.

A run is claimed with a lease, so its rows are done in their order by one worker; each row is a transaction of its own, done
at most once (office/bulk_rows.py). Before each row it is asked again whether the lease is still ours, whether somebody wants
the run stopped, and whether its owner is still there. A worker that dies leaves the lease to run out, and the next goes on.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.actor import STAFF_ROLES, SYSTEM, Actor, Role
from guitaronline.db import new_id, technical_transaction
from guitaronline.errors import Busy
from guitaronline.office import bulk, bulk_rows
from guitaronline.office.bulk_rows import Due
from jobs.runtime import job

LEASE = timedelta(seconds=60)
SLICE_SECONDS = 10.0  # of one run, then the next one has its turn
RUN_SECONDS = 30.0  # then the next tick goes on, and other jobs have had theirs

CLAIM = text("""
UPDATE bulk_queue SET lease_token = :token, lease_until = clock_timestamp() + :lease
 WHERE run_id = (SELECT run_id FROM bulk_queue WHERE lease_until IS NULL OR lease_until < clock_timestamp()
                  ORDER BY lease_until NULLS FIRST, run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING run_id
""")
KEEP = text("""
UPDATE bulk_queue SET lease_until = clock_timestamp() + :lease WHERE run_id = :run AND lease_token = :token
""")
LEAVE = text("""
UPDATE bulk_queue SET lease_token = NULL, lease_until = clock_timestamp() WHERE run_id = :run AND lease_token = :token
""")
OWNER = text("""
SELECT r.owner_id, u.role, u.is_active, r.stop_asked_at, r.stopped_because
  FROM bulk_runs r JOIN users u ON u.id = r.owner_id WHERE r.id = :run
""")
TAKE = text("""
WITH taken AS (
  UPDATE bulk_rows SET attempts = attempts + 1
   WHERE id = (SELECT id FROM bulk_rows WHERE run_id = :run AND status = 'waiting' ORDER BY attempts, position LIMIT 1)
  RETURNING id, run_id, record_id, seen_version, code, attempts)
SELECT t.id, t.run_id, r.reference, r.action, r.arguments, r.reason, t.record_id, t.seen_version, t.code, t.attempts
  FROM taken t JOIN bulk_runs r ON r.id = t.run_id
""")

log = structlog.get_logger("jobs.bulk")


class Lost(Exception):
    """The lease is somebody else's by now."""


class Stopped(Exception):
    """The run ends before its last row; the message says why."""


@job
def carry_out() -> int:
    """Open bulk actions go on, each for a while; returns how many rows have their result now."""
    done, give_up_at = 0, time.monotonic() + RUN_SECONDS
    token = new_id()
    while time.monotonic() < give_up_at:
        run_id = claim(token)
        if run_id is None:
            break
        done += work_on(run_id, token)
    return done


def claim(token: UUID) -> UUID | None:
    """The run that waits longest, ours until the lease ends."""
    with technical_transaction() as session:
        found: UUID | None = session.execute(CLAIM, {"token": token, "lease": LEASE}).scalar_one_or_none()
    return found


def work_on(run_id: UUID, token: UUID) -> int:
    """Rows of the run until its end, the end of the slice, or the loss of the lease; how many have their result."""
    done, give_up_at = 0, time.monotonic() + SLICE_SECONDS
    bulk.start_bulk(SYSTEM, run_id)
    try:
        while time.monotonic() < give_up_at:
            taken = take(run_id, token)
            if taken is None:
                bulk.close_bulk(SYSTEM, run_id)
                return done
            done += carry_out_one(*taken)
    except Stopped as because:
        bulk.close_bulk(SYSTEM, run_id, because=str(because))
    except Lost:
        log.warning("lease lost", run_id=str(run_id))
    finally:
        leave(run_id, token)  # also when a row broke: the others need not wait for the lease to end
    return done


def take(run_id: UUID, token: UUID) -> tuple[Actor, Due] | None:
    """The next row, one attempt more, and in whose name; None: there is none. Raises Lost, Stopped."""
    with technical_transaction() as session:
        if not _changed(session, KEEP, run=run_id, token=token, lease=LEASE):
            raise Lost
        actor = _owner(session, run_id)
        row = session.execute(TAKE, {"run": run_id}).one_or_none()
    return (actor, Due(*row)) if row is not None else None


def _owner(session: Session, run_id: UUID) -> Actor:
    """Who asked, as they are now."""
    owner = session.execute(OWNER, {"run": run_id}).one()
    if owner.stop_asked_at is not None:
        raise Stopped(owner.stopped_because)
    if not owner.is_active or owner.role not in STAFF_ROLES:
        raise Stopped("Whoever asked for it is no active member of staff any more.")
    return Actor(owner.owner_id, Role(owner.role))


def carry_out_one(actor: Actor, row: Due) -> int:
    """The row has its result, or waits for its next attempt."""
    try:
        bulk_rows.carry_out(actor, row)
    except Busy:
        log.info("busy", run_id=str(row.run_id), row_id=str(row.id), attempts=row.attempts)
        return 0
    return 1


def leave(run_id: UUID, token: UUID) -> None:
    """Whoever comes next may go on at once."""
    with technical_transaction() as session:
        session.execute(LEAVE, {"run": run_id, "token": token})


def _changed(session: Session, statement: Any, **values: Any) -> bool:
    return bool(session.execute(statement, values).rowcount)  # type: ignore[attr-defined]
