"""Reports that are asked of their provider, one a day and kind, until each is a file of ours. Technical."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id, choice


class ReportKind(StrEnum):
    ACTIVITY = "activity"  # what changed the balance, but payouts
    PAYOUTS = "payouts"
    PAYOUT_LINES = "payout_lines"  # what the payouts are made of


class SettlementFetch(Base):
    __tablename__ = "settlement_fetches"
    __table_args__ = (
        CheckConstraint("(closed_at IS NULL) = (file_id IS NULL)", name="closed_has_file"),
        UniqueConstraint("kind", "day", name="uq_settlement_fetches_day"),
        Index("ix_settlement_fetches_due", "due_at", "id", postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[Id]
    kind: Mapped[ReportKind] = mapped_column(choice(ReportKind, "kind_known"))
    day: Mapped[date]  # of UTC
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")  # since something came of one
    runs: Mapped[int] = mapped_column(
        server_default="0"
    )  # that ended without a report; part of the key of the next one
    reference: Mapped[str | None]  # theirs of the run that is under way
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("settlement_files.id"))
    closed_at: Mapped[datetime | None]
