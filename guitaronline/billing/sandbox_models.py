"""The books of the sandbox provider: what a real one keeps on its own machines."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Currency, Id, Minor, choice


class SandboxState(StrEnum):
    OPEN = "open"
    PAID = "paid"


class SandboxCheckout(Base):
    """One page to pay play money on."""

    __tablename__ = "sandbox_checkouts"
    __table_args__ = (Index("ix_sandbox_checkouts_payment_id", "payment_id"),)

    id: Mapped[Id]
    token: Mapped[str] = mapped_column(unique=True)  # in the page's address
    key: Mapped[str] = mapped_column(unique=True)  # of idempotency
    payment_id: Mapped[UUID]
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    title: Mapped[str]
    return_url: Mapped[str]
    state: Mapped[SandboxState] = mapped_column(choice(SandboxState, "state_known"))
    declined: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # attempts
    reference: Mapped[str | None] = mapped_column(unique=True)  # of the payment, once it is paid
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]


class SandboxRefund(Base):
    """Play money that went back."""

    __tablename__ = "sandbox_refunds"
    __table_args__ = (Index("ix_sandbox_refunds_reference", "reference"),)

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    reference: Mapped[str]  # of the payment
    payment_id: Mapped[UUID]
    refund_id: Mapped[UUID]
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    succeeded: Mapped[bool]
    created_at: Mapped[datetime]


class SandboxEvent(Base):
    """A message of the sandbox on its way to our own webhook."""

    __tablename__ = "sandbox_events"
    __table_args__ = (Index("ix_sandbox_events_due", "send_at", postgresql_where=text("sent_at IS NULL")),)

    id: Mapped[Id]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    send_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    sent_at: Mapped[datetime | None]
