"""What invoices are made of. What was issued is written once and never changed: see migration 0021."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.billing.models import Payment, Refund
from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.identity.models import User

COUNTRY_CODE = "country ~ '^[A-Z]{2}$'"
NUMBERED = "series::text || '-' || year::text || '-' || lpad(sequence::text, greatest(length(sequence::text), 6), '0')"


class Series(StrEnum):
    """Each counts 1, 2, 3 … within a year."""

    INVOICE = "INV"
    CREDIT_NOTE = "CN"
    CANCELLATION = "CNC"


class Seller(Base):
    """Who sells, as invoices say it from a day on; append-only. On a day the newest version that has begun holds."""

    __tablename__ = "invoice_sellers"
    __table_args__ = (
        UniqueConstraint("revision", name="uq_invoice_sellers_revision"),
        CheckConstraint(COUNTRY_CODE, name="country_code"),
        CheckConstraint("name <> '' AND street <> '' AND city <> ''", name="has_address"),
        CheckConstraint("exemption <> ''", name="exemption_says_something"),
    )

    id: Mapped[Id]
    revision: Mapped[int]
    valid_from: Mapped[date]
    name: Mapped[str]
    street: Mapped[str]
    postal_code: Mapped[str]
    city: Mapped[str]
    country: Mapped[str]
    tax_id: Mapped[str]  # tax number or VAT id; may be empty
    registration: Mapped[str]  # where and as what the business is registered
    contact: Mapped[str]  # e-mail, phone
    bank: Mapped[str]
    footer: Mapped[str]
    exemption: Mapped[str | None]  # why no tax is charged at all (small business); None: the table of rates decides
    created_at: Mapped[datetime]


class BillingAddress(Timestamps, Versioned, Base):
    """Whom and what address invoices name for this person."""

    __tablename__ = "billing_addresses"
    __table_args__ = (
        UniqueConstraint("user_id", name="uq_billing_addresses_user_id"),
        CheckConstraint(COUNTRY_CODE, name="country_code"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    company: Mapped[str]
    street: Mapped[str]
    postal_code: Mapped[str]
    city: Mapped[str]
    country: Mapped[str]
    tax_id: Mapped[str]


class TaxRate(Timestamps, Versioned, Base):
    """The tax on lessons for buyers of a country, from one day until before another. Never two on one day."""

    __tablename__ = "tax_rates"
    __table_args__ = (
        CheckConstraint(COUNTRY_CODE, name="country_code"),
        CheckConstraint("rate_bps BETWEEN 0 AND 10000", name="rate_range"),
        CheckConstraint("(rate_bps = 0) = (exemption IS NOT NULL)", name="exemption_says_why"),
        CheckConstraint("valid_until > valid_from", name="begins_before_it_ends"),
        ExcludeConstraint(("country", "="), ("days", "&&"), using="gist", name="tax_rates_one_a_day"),
        Index("ix_tax_rates_country", "country", "valid_from"),
    )

    id: Mapped[Id]
    country: Mapped[str]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]  # the first day on which it holds no more
    days: Mapped[Range[date]] = mapped_column(
        DATERANGE, Computed("daterange(valid_from, valid_until)", persisted=True), deferred=True
    )
    rate_bps: Mapped[int]  # 1900: 19 %
    exemption: Mapped[str | None]  # why a rate of 0


class NumberSeries(Base):
    """The last number given in a series and year. Derived: it always equals the highest number that was issued."""

    __tablename__ = "number_series"
    __table_args__ = (UniqueConstraint("series", "year", name="uq_number_series_year"),)

    id: Mapped[Id]
    series: Mapped[Series] = mapped_column(choice(Series, "series_known"))
    year: Mapped[int]
    last_number: Mapped[int]
    updated_at: Mapped[datetime]


class Issued:
    """What invoices, credit notes and their cancellations share: number, day, parties, sums and words, as facts that need no other table."""

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(Computed(NUMBERED, persisted=True))  # what people say: INV-2026-000123
    series: Mapped[Series] = mapped_column(choice(Series, "series_known"))
    year: Mapped[int]
    sequence: Mapped[int]
    issued_on: Mapped[date]  # the school's day
    gross_minor: Mapped[Minor]
    net_minor: Mapped[Minor]
    tax_minor: Mapped[Minor]
    currency: Mapped[Currency]
    rate_bps: Mapped[int]
    country: Mapped[str]  # whose tax it is
    seller: Mapped[dict[str, Any]] = mapped_column(JSONB)
    buyer: Mapped[dict[str, Any]] = mapped_column(JSONB)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    texts: Mapped[list[str]] = mapped_column(JSONB)
    created_at: Mapped[datetime]


def _issued_rules(table: str) -> tuple[Any, ...]:
    return (
        UniqueConstraint("reference", name=f"uq_{table}_reference"),
        UniqueConstraint("series", "year", "sequence", name=f"uq_{table}_number"),
        CheckConstraint("sequence > 0 AND extract(year FROM issued_on) = year", name="number_of_its_year"),
        CheckConstraint("net_minor + tax_minor = gross_minor", name="adds_up"),
        CheckConstraint("gross_minor > 0 AND net_minor >= 0 AND tax_minor >= 0", name="not_negative"),
        CheckConstraint("rate_bps BETWEEN 0 AND 10000", name="rate_range"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        Index(f"ix_{table}_student", "student_id", "id"),
        Index(f"ix_{table}_issued_on", "issued_on", "id"),
        Index(f"ix_{table}_gross", "gross_minor", "id"),
        Index(f"ix_{table}_untaxed", "id", postgresql_where=text("rate_bps = 0")),
    )


class Invoice(Issued, Base):
    """What a payment bought. One a payment; append-only."""

    __tablename__ = "invoices"
    __table_args__ = (
        *_issued_rules("invoices"),
        CheckConstraint("series = 'INV'", name="series_of_invoices"),
        UniqueConstraint("payment_id", name="uq_invoices_payment_id"),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    payment: Mapped[Payment] = relationship(viewonly=True)
    student: Mapped[User] = relationship(viewonly=True)


class CreditNote(Issued, Base):
    """What of an invoice a refund took back. One a refund; append-only. Those of an invoice that stand never exceed it."""

    __tablename__ = "credit_notes"
    __table_args__ = (
        *_issued_rules("credit_notes"),
        CheckConstraint("series = 'CN'", name="series_of_credit_notes"),
        UniqueConstraint("refund_id", name="uq_credit_notes_refund_id"),
        Index("ix_credit_notes_invoice_id", "invoice_id"),
    )

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    refund_id: Mapped[UUID] = mapped_column(ForeignKey("refunds.id"))
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    invoice: Mapped[Invoice] = relationship(viewonly=True)
    refund: Mapped[Refund] = relationship(viewonly=True)
    student: Mapped[User] = relationship(viewonly=True)


class CreditCancellation(Issued, Base):
    """A credit note that holds no more: its refund came back, so that much of the invoice stands again. One a credit note, and all
    of it; append-only."""

    __tablename__ = "credit_cancellations"
    __table_args__ = (
        *_issued_rules("credit_cancellations"),
        CheckConstraint("series = 'CNC'", name="series_of_credit_cancellations"),
        UniqueConstraint("credit_note_id", name="uq_credit_cancellations_credit_note_id"),
    )

    credit_note_id: Mapped[UUID] = mapped_column(ForeignKey("credit_notes.id"))
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    credit_note: Mapped[CreditNote] = relationship(viewonly=True)
    student: Mapped[User] = relationship(viewonly=True)


class WithdrawalConsent(Base):
    """What the buyer was told about withdrawal when they bought, and whether lessons may begin before it is over; append-only."""

    __tablename__ = "withdrawal_consents"
    __table_args__ = (
        UniqueConstraint("package_id", name="uq_withdrawal_consents_package_id"),
        CheckConstraint("days BETWEEN 0 AND 366", name="days_plausible"),
    )

    id: Mapped[Id]
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))
    is_given: Mapped[bool]
    text_version: Mapped[str]
    days: Mapped[int]  # of the right, as it was promised
    created_at: Mapped[datetime]
