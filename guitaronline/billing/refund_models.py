"""What goes back of a payment: money (refunds, with the calls that ask a provider for them) or lessons (credits)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.states import Move, StateTable, guard_status

if TYPE_CHECKING:  # `models` imports this module; the mapper finds the classes by their names
    from guitaronline.billing.models import Package, Payment


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RefundSource(StrEnum):
    ASKED = "asked"  # by a person here
    PROVIDER = "provider"  # seen at the provider; nobody here asked for it


@guard_status
class Refund(Timestamps, Versioned, Base):
    """Money on its way back. Pending and succeeded refunds of a payment never exceed it."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("source = 'asked' OR provider_reference IS NOT NULL", name="seen_where"),
        CheckConstraint(
            "returned_at IS NULL OR (status = 'failed' AND settled_at IS NOT NULL)", name="returned_was_paid"
        ),
        Index("ix_refunds_payment_id", "payment_id"),
        Index("ix_refunds_status", "status", "id"),
        Index("ix_refunds_settled_at", "settled_at"),
        Index("ix_refunds_returned_at", "returned_at", postgresql_where=text("returned_at IS NOT NULL")),
        Index("uq_refunds_provider_reference", "provider_reference", unique=True),
        Index("ix_refunds_to_look_at", "id", postgresql_where=text("needs_look")),
    )
    states: ClassVar[StateTable] = StateTable(
        "refunds",
        {
            RefundStatus.PENDING: "promised, not yet paid out",
            RefundStatus.SUCCEEDED: "paid out",
            RefundStatus.FAILED: "could not be paid out; its room is free again",
            RefundStatus.CANCELED: "withdrawn before it was paid out",
        },
        [
            Move(None, RefundStatus.PENDING, "refund.created"),
            Move(RefundStatus.PENDING, RefundStatus.SUCCEEDED, "refund.succeeded"),
            Move(RefundStatus.PENDING, RefundStatus.FAILED, "refund.failed"),
            Move(RefundStatus.PENDING, RefundStatus.CANCELED, "refund.canceled"),
            Move(RefundStatus.SUCCEEDED, RefundStatus.FAILED, "refund.returned"),  # the provider took its word back
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('RFD'::text, 'refund_reference'::text)"), unique=True
    )
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    status: Mapped[RefundStatus] = mapped_column(choice(RefundStatus, "status_known"))
    source: Mapped[RefundSource] = mapped_column(
        choice(RefundSource, "source_known"), default=RefundSource.ASKED, server_default=text("'asked'")
    )
    reason: Mapped[str]
    lessons_revoked: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    approval_id: Mapped[UUID | None] = mapped_column(ForeignKey("approvals.id"))
    provider_reference: Mapped[str | None]  # the provider's id of it
    needs_look: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # finance has to see it
    ended_package: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # it took the last lessons
    settled_at: Mapped[datetime | None]
    returned_at: Mapped[datetime | None]  # it was paid out at `settled_at`, and came back
    payment: Mapped[Payment] = relationship(viewonly=True)
    call: Mapped[RefundCall | None] = relationship(viewonly=True)


class RefundCall(Base):
    """The queue of refunds that a provider is asked for: one row a refund, closed when its end is known."""

    __tablename__ = "refund_calls"
    __table_args__ = (Index("ix_refund_calls_due", "due_at", "id", postgresql_where=text("closed_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(ForeignKey("refunds.id"), primary_key=True)  # the refund's
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # counted when it is claimed
    due_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    first_sent_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]  # the provider said that it is on its way
    last_error: Mapped[str | None]  # the kind of it, no values
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class RefundCredit(Base):
    """Lessons instead of money: what a part of a payment is worth, given as a package that costs nothing. Append-only.

    No money leaves, so it is no refund; it takes the payment's room all the same (decision 0015)."""

    __tablename__ = "refund_credits"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("lessons_granted > 0", name="gives_lessons"),
        CheckConstraint("lessons_revoked >= 0", name="takes_no_less_than_none"),
        UniqueConstraint("package_id", name="uq_refund_credits_package_id"),
        Index("ix_refund_credits_payment_id", "payment_id"),
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('CRD'::text, 'credit_reference'::text)"), unique=True
    )
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))  # the one that was given
    amount_minor: Mapped[Minor]  # of the payment; what the credit stands for
    currency: Mapped[Currency]
    lessons_revoked: Mapped[int]
    lessons_granted: Mapped[int]
    reason: Mapped[str]
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    approval_id: Mapped[UUID | None] = mapped_column(ForeignKey("approvals.id"))
    created_at: Mapped[datetime]
    payment: Mapped[Payment] = relationship(viewonly=True)
    package: Mapped[Package] = relationship(viewonly=True)
