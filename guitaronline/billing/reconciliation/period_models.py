"""What fees were agreed, the months that are closed, and each run of the matching."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class FeeContract(Base):
    """What a provider takes of a charge from a day on, until the next contract of the account and currency. Append-only."""

    __tablename__ = "fee_contracts"
    __table_args__ = (
        UniqueConstraint("account", "currency", "from_on", name="uq_fee_contracts_from"),
        CheckConstraint("percent_bps BETWEEN 0 AND 10000", name="percent_plausible"),
        CheckConstraint("fixed_minor BETWEEN 0 AND 1000000", name="fixed_plausible"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
    )

    id: Mapped[Id]
    account: Mapped[str]  # as the lines call it
    currency: Mapped[Currency]
    from_on: Mapped[date]
    percent_bps: Mapped[int]
    fixed_minor: Mapped[Minor]
    created_at: Mapped[datetime]


class PeriodStatus(StrEnum):
    OPEN = "open"
    PREPARED = "prepared"
    CLOSED = "closed"


@guard_status
class ReconciliationPeriod(Timestamps, Versioned, Base):
    """A stretch of days that is proved and signed by two people; once closed it never changes."""

    __tablename__ = "reconciliation_periods"
    __table_args__ = (
        UniqueConstraint("first_on", name="uq_reconciliation_periods_first_on"),
        CheckConstraint("last_on >= first_on AND last_on - first_on < 366", name="days_in_order"),
        CheckConstraint("reviewed_by <> prepared_by", name="two_people"),
        CheckConstraint("(status = 'open') = (prepared_by IS NULL)", name="prepared_by_somebody"),
        CheckConstraint("(status = 'closed') = (reviewed_by IS NOT NULL)", name="closed_by_somebody"),
        CheckConstraint("(status = 'open') = (snapshot_hash IS NULL)", name="prepared_has_snapshot"),
    )
    states: ClassVar[StateTable] = StateTable(
        "reconciliation_periods",
        {
            PeriodStatus.OPEN: "facts still come",
            PeriodStatus.PREPARED: "somebody proved it; another person reviews it",
            PeriodStatus.CLOSED: "signed by two; what comes later belongs to the next one",
        },
        [
            Move(None, PeriodStatus.OPEN, "period.opened"),
            Move(PeriodStatus.OPEN, PeriodStatus.PREPARED, "period.prepared"),
            Move(PeriodStatus.PREPARED, PeriodStatus.OPEN, "period.sent_back"),
            Move(PeriodStatus.PREPARED, PeriodStatus.CLOSED, "period.closed"),
        ],
    )

    id: Mapped[Id]
    first_on: Mapped[date]
    last_on: Mapped[date]
    status: Mapped[PeriodStatus] = mapped_column(choice(PeriodStatus, "status_known"))
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    snapshot_hash: Mapped[str | None]  # sha256 of the snapshot as canonical JSON
    prepared_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    prepared_at: Mapped[datetime | None]
    reviewed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    closed_at: Mapped[datetime | None]
    preparer: Mapped[User | None] = relationship(viewonly=True, foreign_keys=[prepared_by])
    reviewer: Mapped[User | None] = relationship(viewonly=True, foreign_keys=[reviewed_by])

    @property
    def title(self) -> str:
        day_after = self.last_on + timedelta(days=1)
        if self.first_on.day == 1 and day_after == (self.first_on + timedelta(days=31)).replace(day=1):
            return f"{self.first_on:%B %Y}"
        return f"{self.first_on} to {self.last_on}"


class PeriodFile(Base):
    """A file whose lines up to the period's last day were counted when it closed. Append-only."""

    __tablename__ = "reconciliation_period_files"
    __table_args__ = (UniqueConstraint("period_id", "file_id", name="uq_reconciliation_period_files_once"),)

    id: Mapped[Id]
    period_id: Mapped[UUID] = mapped_column(ForeignKey("reconciliation_periods.id"))
    file_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_files.id"))


class ReconciliationRun(Base):
    """One run of the matching and what it found. Append-only."""

    __tablename__ = "reconciliation_runs"
    __table_args__ = (Index("ix_reconciliation_runs_created_at", "created_at"),)

    id: Mapped[Id]
    rule_version: Mapped[int]
    files_seen: Mapped[int] = mapped_column(server_default=text("0"))  # imported or refused, when it began
    lines_seen: Mapped[int]
    made: Mapped[int]
    undone: Mapped[int]
    opened: Mapped[int]
    resolved: Mapped[int]
    mix: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)  # lines by kind and the rule that matched them
    created_at: Mapped[datetime]
