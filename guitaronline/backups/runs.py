"""The record of what was backed up, rehearsed and restored; and what is wrong with it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import config
from guitaronline.backups.errors import AlreadyRuns
from guitaronline.backups.models import BackupKind, BackupRun
from guitaronline.db import database, new_id, technical_transaction

NOW = text("SELECT clock_timestamp()")
LOCK = text("SELECT pg_try_advisory_lock(hashtext('backup_runs'), hashtext(:kind))")
UNLOCK = text("SELECT pg_advisory_unlock(hashtext('backup_runs'), hashtext(:kind))")
CUT_SHORT = "Its process ended before it was done."
BACKUP_EVERY = timedelta(hours=26)  # a night and two hours for the work itself
MADE = (BackupKind.BACKUP, BackupKind.BASE)


@dataclass(frozen=True)
class Outcome:
    """What a run has done."""

    name: str
    taken_at: datetime | None = None
    bytes: int = 0
    rows: int = 0
    loss_seconds: float | None = None
    problems: tuple[str, ...] = ()


@contextmanager
def alone(kind: BackupKind) -> Iterator[None]:
    """Nobody else is at the same kind of run, on whatever machine, until the block ends; the lock falls with the process.

    A run that was cut short is closed first. Raises AlreadyRuns."""
    with database.engine.connect() as connection:
        if not connection.execute(LOCK, {"kind": kind}).scalar_one():
            raise AlreadyRuns()
        connection.commit()  # the lock is the session's
        try:
            _close_cut_short(kind)
            yield
        finally:
            _let_go(connection, kind)


def _let_go(connection: Connection, kind: BackupKind) -> None:
    """The lock is free, also where the server was restarted meanwhile: then it went with the session."""
    try:
        connection.execute(UNLOCK, {"kind": kind})
        connection.commit()
    except DBAPIError:
        connection.invalidate()


def _close_cut_short(kind: BackupKind) -> None:
    with technical_transaction() as session:
        left = update(BackupRun).where(BackupRun.kind == kind, BackupRun.finished_at.is_(None))
        session.execute(
            left.values(finished_at=func.clock_timestamp(), problems=[CUT_SHORT]),
            execution_options={"synchronize_session": False},
        )


def begin(kind: BackupKind) -> UUID:
    """A run stands in the table; whoever looks sees that it is not done."""
    with technical_transaction() as session:
        run = BackupRun(id=new_id(), kind=kind, name="", started_at=session.execute(NOW).scalar_one(), problems=[])
        session.add(run)
        return run.id


def end(run_id: UUID, outcome: Outcome) -> None:
    """The run is over, well or not."""
    with technical_transaction() as session:
        done = update(BackupRun).where(BackupRun.id == run_id)
        session.execute(
            done.values(
                finished_at=func.clock_timestamp(),
                name=outcome.name,
                taken_at=outcome.taken_at,
                bytes=outcome.bytes,
                rows=outcome.rows,
                loss_seconds=outcome.loss_seconds,
                problems=list(outcome.problems),
            ),
            execution_options={"synchronize_session": False},
        )


def note_restore(name: str, taken_at: datetime, size: int, rows: int, problems: list[str]) -> None:
    """The restored database itself says where it came from."""
    end(begin(BackupKind.RESTORE), Outcome(name, taken_at, size, rows, problems=tuple(problems)))


def newest(session: Session, *kinds: BackupKind, good: bool = False) -> BackupRun | None:
    """The last finished run of these kinds; `good`: that ended without a problem. ix_backup_runs_kind"""
    query = select(BackupRun).where(BackupRun.kind.in_(kinds), BackupRun.finished_at.is_not(None))
    if good:
        query = query.where(BackupRun.problems == [])
    return session.scalars(query.order_by(BackupRun.started_at.desc()).limit(1)).one_or_none()


def is_due(session: Session, kind: BackupKind, *, every: timedelta) -> bool:
    """Whether the last good run of the kind began long enough ago, or there is none."""
    last = newest(session, kind, good=True)
    return last is None or session.execute(NOW).scalar_one() - last.started_at > every


def are_expected(settings: config.Settings) -> bool:
    """Whether somebody has to make backups of this school: in production always."""
    return settings.is_production or bool(settings.BACKUP_DIR)


def worries(session: Session, settings: config.Settings, now: datetime) -> list[str]:
    """What is wrong with the backups, in sentences; empty when all is well or nobody expects any."""
    if not are_expected(settings):
        return []
    rehearse_every = timedelta(days=settings.BACKUP_REHEARSE_DAYS) + BACKUP_EVERY
    return [
        *_worries_of("backup", newest(session, *MADE), newest(session, *MADE, good=True), now, BACKUP_EVERY),
        *_worries_of(
            "rehearsal of a restore",
            newest(session, BackupKind.REHEARSAL),
            newest(session, BackupKind.REHEARSAL, good=True),
            now,
            rehearse_every,
        ),
    ]


def _worries_of(
    what: str, last: BackupRun | None, good: BackupRun | None, now: datetime, every: timedelta
) -> Iterator[str]:
    if last is not None and not last.is_good:
        yield f"The last {what} failed: {last.problems[0]}"
    if good is None:
        yield f"There was no good {what} yet."
    elif now - good.started_at > every:
        yield f"The last good {what} is {_age(now - good.started_at)} old."


def _age(passed: timedelta) -> str:
    hours = int(passed.total_seconds() // 3600)
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"
