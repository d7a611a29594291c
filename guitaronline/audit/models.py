"""Who did what (`audit_actions`), what changed (`audit_changes`), the seal over both, and the outbox.

The rows of `audit_changes` and `audit_personal` are written by the database's own triggers (migration 0001),
never from here. All tables but the outbox are append-only.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from guitaronline.db import Base, Id, choice


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class AuditAction(Base):
    """One intention of one actor: the head of all changes of its transaction."""

    __tablename__ = "audit_actions"
    __table_args__ = (
        Index("ix_audit_actions_at", "at", "id"),
        Index("ix_audit_actions_actor", "actor_id", "at", "id"),
        Index("ix_audit_actions_record", "record_type", "record_id", "id"),
        Index("ix_audit_actions_name", "name", "id"),
    )

    id: Mapped[Id]
    at: Mapped[datetime]  # by the unit's clock, which demo data and tests may shift
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))  # the real time, always
    actor_id: Mapped[UUID | None]
    actor_kind: Mapped[str]
    name: Mapped[str]
    reason: Mapped[str | None]
    record_type: Mapped[str | None]
    record_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    address: Mapped[str | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))


class AuditChange(Base):
    """One row that changed: only the columns that differ; secrets as `***`, personal values as digests."""

    __tablename__ = "audit_changes"
    __table_args__ = (
        Index("ix_audit_changes_row", "table_name", "row_id", "id"),
        Index("ix_audit_changes_action_id", "action_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    action_id: Mapped[UUID]  # the guard trigger has just seen it; a foreign key would look again, for each row
    table_name: Mapped[str]
    row_id: Mapped[UUID]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class AuditPersonal(Base):
    """The clear values behind the digests of one change; erasure may delete them and the chain still verifies."""

    __tablename__ = "audit_personal"

    change_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("audit_changes.id"), primary_key=True, autoincrement=False
    )
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class AuditRedaction(Base):
    """The reason and the network address of an action went when a person was erased. `whole` is the digest that was sealed,
    `rest` the digest of what is left; the chain is proved with the one, what can still be read with the other. Written by
    `erase_reasons` only (migration 0032); its own change is sealed with the erasure."""

    __tablename__ = "audit_redactions"
    __table_args__ = (
        UniqueConstraint("action_id", "step", name="uq_audit_redactions_step"),
        CheckConstraint("step >= 1", name="step_counts"),
    )

    id: Mapped[Id]
    action_id: Mapped[UUID] = mapped_column(ForeignKey("audit_actions.id"))
    step: Mapped[int] = mapped_column(SmallInteger)  # the last one says what is left
    whole: Mapped[bytes] = mapped_column(LargeBinary)
    rest: Mapped[bytes] = mapped_column(LargeBinary)


class AuditSeal(Base):
    """A link of the chain: SHA-256 over the link before and one action with all its changes."""

    __tablename__ = "audit_seals"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    action_id: Mapped[UUID] = mapped_column(ForeignKey("audit_actions.id"), unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(Base):
    """How long the chain was and what its head was; a copy kept elsewhere proves that no tail was cut off."""

    __tablename__ = "audit_checkpoints"

    id: Mapped[Id]
    at: Mapped[datetime]
    sequence: Mapped[int] = mapped_column(BigInteger, unique=True)
    changes: Mapped[int] = mapped_column(BigInteger)  # number of changes sealed up to here
    head: Mapped[bytes] = mapped_column(LargeBinary)


class OutboxStatus(StrEnum):
    PENDING = "pending"
    DONE = "done"
    NO_HANDLER = "no_handler"
    DEAD = "dead"


class OutboxEvent(Base):
    """Something that happened and that somebody may have to be told. The table is the queue; ids only, no personal data."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        Index("ix_outbox_events_due", "available_at", "id", postgresql_where=text("status = 'pending'")),
        Index("ix_outbox_events_dead", "created_at", "id", postgresql_where=text("status = 'dead'")),
        Index("ix_outbox_events_record", "record_type", "record_id"),
        Index("ix_outbox_events_closed_at", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
    )

    id: Mapped[Id]
    topic: Mapped[str]
    record_type: Mapped[str]
    record_id: Mapped[UUID]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    action_id: Mapped[UUID]
    created_at: Mapped[datetime]
    status: Mapped[OutboxStatus] = mapped_column(choice(OutboxStatus, "status_known"), server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    available_at: Mapped[datetime]
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    closed_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The answer that was given to a request with this key; written with the effect, so neither exists alone."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("uq_idempotency_keys_scope", "user_id", "method", "path", "key", unique=True),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID]
    method: Mapped[str]
    path: Mapped[str]
    key: Mapped[str]
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    http_status: Mapped[int]
    answer: Mapped[str]
    created_at: Mapped[datetime]


class JobTick(Base):
    """One tick of the timetable; unique, so that two schedulers tick once."""

    __tablename__ = "job_ticks"
    __table_args__ = (Index("uq_job_ticks_job_tick_at", "job", "tick_at", unique=True),)

    id: Mapped[Id]
    job: Mapped[str]
    tick_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class CheckRun(Base):
    """One run of the invariants and what they found; empty findings are the good news."""

    __tablename__ = "check_runs"

    id: Mapped[Id]
    at: Mapped[datetime]
    seconds: Mapped[float]
    findings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    asked_by: Mapped[UUID | None]  # None: the timetable or the command line


class AuditVerification(Base):
    """One proof of the chain and what it saw; an empty `broken` is the good news."""

    __tablename__ = "audit_verifications"

    id: Mapped[Id]
    at: Mapped[datetime]  # when it ended
    seconds: Mapped[float]
    asked_by: Mapped[UUID | None]  # None: the timetable
    sealed: Mapped[int] = mapped_column(BigInteger)  # actions
    changes: Mapped[int] = mapped_column(BigInteger)  # of the sealed actions
    unsealed: Mapped[int] = mapped_column(BigInteger)
    sealed_until: Mapped[datetime | None]  # when the newest sealed action was recorded
    broken: Mapped[list[str]] = mapped_column(JSONB)


class RunKind(StrEnum):
    CHAIN = "chain"  # the sealed history is proved
    INVARIANTS = "invariants"  # every check runs, the chain among them


class AskedRun(Base):
    """A run that somebody asked for and that a job does; at most one of a kind waits."""

    __tablename__ = "asked_runs"
    __table_args__ = (Index("uq_asked_runs_open", "kind", unique=True, postgresql_where=text("finished_at IS NULL")),)

    id: Mapped[Id]
    kind: Mapped[RunKind] = mapped_column(choice(RunKind, "kind_known"))
    asked_at: Mapped[datetime]
    asked_by: Mapped[UUID | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    failed: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
