"""Checkouts, what providers told of payments, the inbox of their events, and whom to ask again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.billing.models import Payment, PaymentProvider
from guitaronline.billing.providers.base import FactKind
from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice


class PaymentCheckout(Timestamps, Base):
    """The page of the provider on which a payment can be paid: at most one at a time."""

    __tablename__ = "checkouts"
    __table_args__ = (
        UniqueConstraint("payment_id"),
        CheckConstraint("number >= 1", name="number_positive"),
        CheckConstraint("(url IS NULL) = (reference IS NULL)", name="page_has_reference"),
        CheckConstraint("(url IS NULL) = (expires_at IS NULL)", name="page_expires"),
    )

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    number: Mapped[int]  # grows when a new page is wanted; the provider's idempotency key is `<payment>-<number>`
    reference: Mapped[str | None]  # theirs; None: not opened yet, or nobody knows
    url: Mapped[str | None]  # whoever has it may pay, so the audit keeps `***`
    expires_at: Mapped[datetime | None]
    problem: Mapped[str | None]  # why there is no page: `unknown`, or the provider's code
    lapsed_at: Mapped[datetime | None]  # nobody paid in time, and the package was taken back

    @property
    def key(self) -> str:
        return f"{self.payment_id}-{self.number}"


class PaymentFact(Base):
    """One thing a provider said about a payment and that changed or explains something; append-only."""

    __tablename__ = "payment_facts"
    __table_args__ = (
        UniqueConstraint("payment_id", "event_id", "kind", name="uq_payment_facts_once"),
        Index("ix_payment_facts_payment", "payment_id", "at"),
    )

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    event_id: Mapped[str]
    kind: Mapped[FactKind] = mapped_column(choice(FactKind, "kind_known"))
    at: Mapped[datetime]  # by the provider's clock
    reference: Mapped[str | None]
    amount_minor: Mapped[Minor | None]
    currency: Mapped[Currency | None]
    refund_id: Mapped[UUID | None]
    refund_reference: Mapped[str | None]
    detail: Mapped[str]
    created_at: Mapped[datetime]


class ExceptionKind(StrEnum):
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    PAID_TWICE = "paid_twice"  # the same payment, two payments there
    ALREADY_PAID = "already_paid"  # other money had paid for the package
    PACKAGE_TAKEN_BACK = "package_taken_back"
    SECOND_TRIAL = "second_trial"  # money for a lapsed trial of somebody who has had another since
    UNKNOWN_PAYMENT = "unknown_payment"  # money there that belongs to no payment here


EXCEPTION_WORDS = {
    ExceptionKind.WRONG_AMOUNT: "Another amount was paid than was asked for. The payment does not count as paid.",
    ExceptionKind.WRONG_CURRENCY: "It was paid in another currency than was asked for. The payment does not count as paid.",
    ExceptionKind.PAID_TWICE: "The provider took the money twice for this payment. Give back there the one whose reference the payment does not bear.",
    ExceptionKind.ALREADY_PAID: "Other money had paid for this package: nothing more was granted. Give it back.",
    ExceptionKind.PACKAGE_TAKEN_BACK: "The money came after the package was taken back: nothing was granted. Give it back.",
    ExceptionKind.SECOND_TRIAL: "The money came for a trial that had lapsed, and there has been another since. Give it back.",
    ExceptionKind.UNKNOWN_PAYMENT: "The provider speaks of a payment that is not known here.",
}


class PaymentException(Timestamps, Versioned, Base):
    """Money that does not fit what was agreed, and that a person has to look at."""

    __tablename__ = "payment_exceptions"
    __table_args__ = (
        UniqueConstraint("kind", "key", name="uq_payment_exceptions_once"),
        CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolved_with_words"),
        Index("ix_payment_exceptions_open", "created_at", "id", postgresql_where=text("resolved_at IS NULL")),
        Index("ix_payment_exceptions_payment_id", "payment_id"),
    )

    id: Mapped[Id]
    kind: Mapped[ExceptionKind] = mapped_column(choice(ExceptionKind, "kind_known"))
    key: Mapped[str]  # what it is about; noted once
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"))
    provider: Mapped[PaymentProvider] = mapped_column(choice(PaymentProvider, "provider_known"))
    event_id: Mapped[str | None]
    external_reference: Mapped[str | None]
    amount_minor: Mapped[Minor | None]  # at risk
    currency: Mapped[Currency | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    resolution: Mapped[str | None]
    payment: Mapped[Payment | None] = relationship(viewonly=True)


class EventStatus(StrEnum):
    RECEIVED = "received"
    APPLIED = "applied"
    PARKED = "parked"  # too early: what it is about is not here yet
    IGNORED = "ignored"  # nothing in it for us
    DEAD = "dead"  # every attempt failed, or what it is about never came


class ProviderEvent(Base):
    """An event of a provider as it came, signature verified, and how far we are with it. The table is the queue."""

    __tablename__ = "provider_events"
    __table_args__ = (
        UniqueConstraint("provider", "event_id", name="uq_provider_events_once"),
        Index(
            "ix_provider_events_due", "available_at", "id", postgresql_where=text("status IN ('received', 'parked')")
        ),
        Index("ix_provider_events_status", "status", "id"),
        Index("ix_provider_events_payment_id", "payment_id"),
        Index("ix_provider_events_received_at", "received_at"),
    )

    id: Mapped[Id]
    provider: Mapped[PaymentProvider] = mapped_column(choice(PaymentProvider, "provider_known"))
    event_id: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    received_at: Mapped[datetime]
    status: Mapped[EventStatus] = mapped_column(choice(EventStatus, "status_known"))
    said: Mapped[str | None]  # kinds of its facts
    payment_id: Mapped[UUID | None]  # as the event says: it need not exist
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    available_at: Mapped[datetime]
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    closed_at: Mapped[datetime | None]


class PaymentAsk(Base):
    """A payment of which the provider is asked again until it has succeeded or lapsed."""

    __tablename__ = "payment_asks"
    __table_args__ = (
        Index("ix_payment_asks_due", "ask_at"),
        Index("ix_payment_asks_unknown", "unknown_since", postgresql_where=text("unknown_since IS NOT NULL")),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    ask_at: Mapped[datetime]
    asks: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    lapse_at: Mapped[datetime]
    unknown_since: Mapped[datetime | None]  # since when the provider gives no answer
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
