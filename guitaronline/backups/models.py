"""Every backup, rehearsal and restore, and how it ended. A technical table: no audit watches it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id, choice


class BackupKind(StrEnum):
    BACKUP = "backup"  # everything that is in the database, by pg_dump
    BASE = "base"  # the files of the cluster, for any moment after it together with the log
    REHEARSAL = "rehearsal"  # a backup was restored into a fresh cluster and proved
    RESTORE = "restore"  # this database itself came out of a backup


class BackupRun(Base):
    """One run. An empty `problems` of a finished one is the good news."""

    __tablename__ = "backup_runs"
    __table_args__ = (
        Index("ix_backup_runs_kind", "kind", "started_at"),
        CheckConstraint("finished_at IS NOT NULL OR problems = '[]'", name="problems_at_the_end"),
        CheckConstraint("finished_at >= started_at", name="ends_after_it_began"),
        CheckConstraint("bytes >= 0 AND rows >= 0 AND loss_seconds >= 0", name="sizes"),
    )

    id: Mapped[Id]
    kind: Mapped[BackupKind] = mapped_column(choice(BackupKind, "kind_known"))
    name: Mapped[str]  # of the backup's folder; empty until it has one
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]  # the moment that the backup shows
    bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))  # of its files
    rows: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))  # of all tables, as compared
    loss_seconds: Mapped[float | None]  # of a rehearsal: what would have been lost, had the database gone when it began
    problems: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))

    @property
    def is_good(self) -> bool:
        return self.finished_at is not None and not self.problems

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None
