"""Proofs that somebody asks for by a button: written down as a row, done by a job, their result kept where the nightly
ones are.

A run is one transaction that holds its row locked: a second job skips it, and one that is killed lets it go at once.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guitaronline import checks, db
from guitaronline.audit import integrity, verification
from guitaronline.audit.models import AskedRun, CheckRun, RunKind
from guitaronline.db import technical_transaction
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

ATTEMPTS = 3  # one that kills its worker each time is given up
NOW = text("SELECT clock_timestamp()")


@command("audit.verify")
def ask_for_proof(work: Work) -> None:
    """The sealed history is proved soon, unless that is asked for already."""
    access.require(work.actor, Permission.READ_AUDIT)
    _ask(work, RunKind.CHAIN)


@command("checks.run")
def ask_for_checks(work: Work) -> None:
    """Every check runs soon, unless that is asked for already."""
    access.require(work.actor, Permission.READ_CHECKS)
    _ask(work, RunKind.INVARIANTS)


def _ask(work: Work, kind: RunKind) -> None:
    """At most one of a kind waits: uq_asked_runs_open."""
    row = {"id": db.new_id(), "kind": kind, "asked_at": func.clock_timestamp(), "asked_by": work.actor.id}
    work.session.execute(insert(AskedRun).values(**row).on_conflict_do_nothing())
    work.topics.add("proof.asked")


def open_run(session: Session, kind: RunKind) -> AskedRun | None:
    """The one that waits or runs."""
    return session.scalars(select(AskedRun).where(AskedRun.kind == kind, AskedRun.finished_at.is_(None))).one_or_none()


def newest_run(session: Session) -> CheckRun | None:
    """The last run of the checks, whoever started it."""
    return session.scalars(select(CheckRun).order_by(CheckRun.id.desc()).limit(1)).one_or_none()


def do_asked() -> int:
    """Everything that was asked for is done, one after the other; returns how many."""
    done = 0
    for kind in RunKind:
        run_id = _begin(kind)
        if run_id is not None and _do(run_id):
            done += 1
    return done


def _begin(kind: RunKind) -> UUID | None:
    """The waiting run counts one more attempt, from here on; None when there is none, or another job has it."""
    with technical_transaction() as session:
        run = session.scalars(_waiting(AskedRun.kind == kind)).one_or_none()
        if run is None:
            return None
        now = session.execute(NOW).scalar_one()
        run.attempts += 1
        run.started_at = now
        if run.attempts > ATTEMPTS:
            run.finished_at, run.failed = now, True
            return None
        return run.id


def _do(run_id: UUID) -> bool:
    with technical_transaction() as session:
        run = session.scalars(_waiting(AskedRun.id == run_id)).one_or_none()
        if run is None:
            return False
        session.execute(integrity.LONG)
        if run.kind is RunKind.CHAIN:
            verification.verify_in(session, asked_by=run.asked_by)
        else:
            checks.run_in(session, asked_by=run.asked_by)
        finished = update(AskedRun).where(AskedRun.id == run_id).values(finished_at=func.clock_timestamp())
        session.execute(finished, execution_options={"synchronize_session": False})
        return True


def _waiting(which: ColumnElement[bool]) -> Select[AskedRun]:
    query = select(AskedRun).where(which, AskedRun.finished_at.is_(None))
    return query.with_for_update(skip_locked=True).execution_options(populate_existing=True)
