"""Which accounts of the bookkeeping an event of the school's money belongs to."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id, Timestamps, Versioned, choice


class EventKind(StrEnum):
    """What is written into the journal; each leads from one account to another."""

    PACKAGE_SOLD = "package_sold"
    PAYMENT_RECEIVED = "payment_received"
    REFUND_PAID = "refund_paid"
    PROVIDER_FEE = "provider_fee"
    LESSONS_EARNED = "lessons_earned"
    BREAKAGE = "breakage"
    LESSONS_LAPSED = "lessons_lapsed"
    LESSONS_TAKEN_BACK = "lessons_taken_back"
    DISPUTE_LOST = "dispute_lost"
    TEACHER_COST = "teacher_cost"


class AccountMapping(Timestamps, Versioned, Base):
    """The debit and the credit account of a kind of event; for one currency, or for all that have no mapping of their own."""

    __tablename__ = "account_mappings"
    __table_args__ = (
        UniqueConstraint("kind", "currency", name="uq_account_mappings_kind"),
        CheckConstraint("currency = '' OR currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint("debit_account <> credit_account", name="two_accounts"),
        CheckConstraint(
            "debit_account ~ '^[0-9A-Za-z.-]{1,20}$' AND credit_account ~ '^[0-9A-Za-z.-]{1,20}$'", name="account_codes"
        ),
    )

    id: Mapped[Id]
    kind: Mapped[EventKind] = mapped_column(choice(EventKind, "kind_known"))
    currency: Mapped[str]  # empty: every currency
    debit_account: Mapped[str]
    credit_account: Mapped[str]
