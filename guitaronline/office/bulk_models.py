"""A bulk action: the run that somebody asked for, a row for each record, and the queue of runs that are still open."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class RunStatus(StrEnum):
    REQUESTED = "requested"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


OPEN = frozenset({RunStatus.REQUESTED, RunStatus.RUNNING})


@guard_status
class BulkRun(Timestamps, Versioned, Base):
    """What somebody asked to do to many records, and how it went. The counts are written at its end."""

    __tablename__ = "bulk_runs"
    __table_args__ = (
        CheckConstraint("rows_total BETWEEN 1 AND 5000", name="rows_plausible"),
        CheckConstraint("rows_done = succeeded + refused + failed", name="counts_add_up"),
        CheckConstraint("(finished_at IS NOT NULL) = (status IN ('done', 'stopped'))", name="finished_at_end"),
        Index("ix_bulk_runs_owner", "owner_id", "id"),
    )
    states: ClassVar[StateTable] = StateTable(
        "bulk_runs",
        {
            RunStatus.REQUESTED: "waits for the worker",
            RunStatus.RUNNING: "is carried out row by row",
            RunStatus.DONE: "every row has its result",
            RunStatus.STOPPED: "ended before its last row",
        },
        [
            Move(None, RunStatus.REQUESTED, "bulk.requested"),
            Move(RunStatus.REQUESTED, RunStatus.RUNNING, "bulk.started"),
            Move(RunStatus.RUNNING, RunStatus.DONE, "bulk.finished"),
            Move(RunStatus.REQUESTED, RunStatus.STOPPED, "bulk.stopped"),
            Move(RunStatus.RUNNING, RunStatus.STOPPED, "bulk.stopped"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('BLK'::text, 'bulk_reference'::text)"), unique=True
    )
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    action: Mapped[str]  # name in bulk_actions.ACTIONS
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str]
    digest: Mapped[str]  # of the preview that was agreed to
    status: Mapped[RunStatus] = mapped_column(choice(RunStatus, "status_known"))
    rows_total: Mapped[int]
    rows_done: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    succeeded: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    refused: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    failed: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    started_at: Mapped[datetime | None]
    stop_asked_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    stopped_because: Mapped[str | None]
    undo_until: Mapped[datetime | None]  # None: cannot be undone
    undoes_run_id: Mapped[UUID | None] = mapped_column(ForeignKey("bulk_runs.id"), unique=True)
    owner: Mapped[User] = relationship(viewonly=True)
    undoes: Mapped[BulkRun | None] = relationship(
        primaryjoin="foreign(BulkRun.undoes_run_id) == remote(BulkRun.id)", viewonly=True
    )
    undone_by: Mapped[BulkRun | None] = relationship(
        primaryjoin="BulkRun.id == remote(foreign(BulkRun.undoes_run_id))", uselist=False, viewonly=True
    )


class RowStatus(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"  # a rule said no, in the preview or when it came to it
    FAILED = "failed"  # a technical failure, several times


class BulkRow(Base):
    """The worksheet of a run, one line a record. Technical: what was done to the record stands in the record's own audit."""

    __tablename__ = "bulk_rows"
    __table_args__ = (
        UniqueConstraint("run_id", "position", name="uq_bulk_rows_position"),
        UniqueConstraint("run_id", "record_id", name="uq_bulk_rows_record"),
        Index("ix_bulk_rows_waiting", "run_id", "attempts", "position", postgresql_where=text("status = 'waiting'")),
        Index("ix_bulk_rows_status", "run_id", "status"),
    )

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(ForeignKey("bulk_runs.id"))
    position: Mapped[int]
    record_id: Mapped[UUID]
    label: Mapped[str]  # what people call the record; no personal data
    seen_version: Mapped[int]  # the record's, in the preview that was agreed to
    status: Mapped[RowStatus] = mapped_column(choice(RowStatus, "status_known"))
    code: Mapped[str]  # what was foreseen, then what came of it
    sentence: Mapped[str]
    result_id: Mapped[UUID | None]  # the record that came out of it
    result_version: Mapped[int | None]  # of the record itself, afterwards
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    done_at: Mapped[datetime | None]


class BulkQueue(Base):
    """Runs that are still open, and who works on each until when. Technical."""

    __tablename__ = "bulk_queue"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("bulk_runs.id"), primary_key=True)
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
