"""Disputes: money that a bank or provider takes back while it asks who is right. A line of money of its own, no refund."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.billing.models import Payment
from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class DisputeStatus(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


@guard_status
class Dispute(Timestamps, Versioned, Base):
    """A payer's bank asks for money back. While it is open, and when it is lost, its amount cannot be refunded."""

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_range"),
        CheckConstraint("fee_minor BETWEEN 0 AND 1000000000000", name="fee_range"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="decided_at_some_time"),
        CheckConstraint("status = 'lost' OR lessons_revoked = 0", name="only_lost_takes_lessons"),
        CheckConstraint("status = 'open' OR NOT freezes", name="only_open_freezes"),
        CheckConstraint("isfinite(evidence_due_at)", name="due_finite"),
        Index("uq_disputes_provider_reference", "provider_reference", unique=True),
        Index("ix_disputes_payment_id", "payment_id"),
        Index("ix_disputes_status", "status", "id"),
        Index("ix_disputes_decided_at", "decided_at", postgresql_where=text("decided_at IS NOT NULL")),
        Index("ix_disputes_due", "evidence_due_at", "id"),
    )
    states: ClassVar[StateTable] = StateTable(
        "disputes",
        {
            DisputeStatus.OPEN: "the bank asks who is right; the unused lessons are frozen",
            DisputeStatus.WON: "the money stays with the school",
            DisputeStatus.LOST: "the money is gone, and the unused lessons with it",
        },
        [
            Move(None, DisputeStatus.OPEN, "dispute.opened"),
            Move(DisputeStatus.OPEN, DisputeStatus.WON, "dispute.won"),
            Move(DisputeStatus.OPEN, DisputeStatus.LOST, "dispute.lost"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('DSP'::text, 'dispute_reference'::text)"), unique=True
    )
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    fee_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))  # what the bank asks for the asking
    status: Mapped[DisputeStatus] = mapped_column(choice(DisputeStatus, "status_known"))
    reason: Mapped[str]
    provider_reference: Mapped[str | None]  # None: of a payment by hand
    evidence_due_at: Mapped[datetime | None]
    evidence_sent_at: Mapped[datetime | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # who of the staff looks after it
    freezes: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # the package is frozen by it
    lessons_revoked: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    decided_at: Mapped[datetime | None]
    payment: Mapped[Payment] = relationship(viewonly=True)
    owner: Mapped[User | None] = relationship(viewonly=True)
