"""Plans, packages of lessons with their ledger, payments with their history, refunds and approvals."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class Plan(Timestamps, Versioned, Base):
    """What can be bought. Its price is the newest of its price versions."""

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("lessons_total BETWEEN 1 AND 1000", name="lessons_plausible"),
        CheckConstraint("valid_days BETWEEN 1 AND 3660", name="valid_days_plausible"),
        CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name="lesson_minutes_plausible"),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    lessons_total: Mapped[int]
    lesson_minutes: Mapped[int | None]  # None: any length
    valid_days: Mapped[int | None]  # None: never expires
    is_trial: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    books_breakage: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # of what expires
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))


class PlanPrice(Base):
    """A price from a moment on; append-only."""

    __tablename__ = "plan_prices"
    __table_args__ = (
        UniqueConstraint("plan_id", "revision", name="uq_plan_prices_revision"),
        CheckConstraint("amount_minor BETWEEN 0 AND 1000000000000", name="amount_range"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
    )

    id: Mapped[Id]
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    revision: Mapped[int]
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    created_at: Mapped[datetime]


class PackageStatus(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    REVOKED = "revoked"


class PackageOrigin(StrEnum):
    PURCHASE = "purchase"
    GRANTED = "granted"
    ON_ACCOUNT = "on_account"
    OPENING = "opening"  # was paid before the school moved in


@guard_status
class Package(Timestamps, Versioned, Base):
    """Prepaid lessons in five buckets that always add up to `lessons_total`. Only `ledger.py` writes the buckets."""

    __tablename__ = "packages"
    __table_args__ = (
        CheckConstraint("lessons_total = available + reserved + consumed + expired + revoked", name="buckets_add_up"),
        CheckConstraint(
            "available >= 0 AND reserved >= 0 AND consumed >= 0 AND expired >= 0 AND revoked >= 0",
            name="buckets_not_negative",
        ),
        CheckConstraint("lessons_total BETWEEN 0 AND 1000", name="lessons_plausible"),
        CheckConstraint("lessons_ordered BETWEEN 1 AND 1000", name="order_plausible"),
        CheckConstraint("(status = 'pending') <= (lessons_ordered IS NOT NULL)", name="pending_is_ordered"),
        CheckConstraint("price_minor BETWEEN 0 AND 1000000000000", name="price_range"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint("(frozen_at IS NULL) = (frozen_reason IS NULL)", name="frozen_with_reason"),
        CheckConstraint("isfinite(expires_at) AND expires_at < '9999-01-01'", name="expiry_finite"),
        UniqueConstraint("id", "student_id", name="uq_packages_owner"),
        Index("ix_packages_student", "student_id", "expires_at", "id"),
        Index("ix_packages_expires", "expires_at", "id"),
        Index("ix_packages_activated_at", "activated_at"),
        Index(
            "ix_packages_due",
            "expires_at",
            postgresql_where=text("status IN ('active', 'depleted') AND frozen_at IS NULL"),
        ),
        Index("ix_packages_on_account", "created_at", "id", postgresql_where=text("origin = 'on_account'")),
        Index("ix_packages_little_left", "little_left_at", postgresql_where=text("little_left_at IS NOT NULL")),
    )
    states: ClassVar[StateTable] = StateTable(
        "packages",
        {
            PackageStatus.PENDING: "bought, not yet paid; gives no lesson",
            PackageStatus.ACTIVE: "has lessons",
            PackageStatus.DEPLETED: "all lessons used",
            PackageStatus.EXPIRED: "its time is over",
            PackageStatus.REVOKED: "taken back",
        },
        [
            Move(None, PackageStatus.PENDING, "package.created"),
            Move(None, PackageStatus.ACTIVE, "package.activated"),
            Move(PackageStatus.PENDING, PackageStatus.ACTIVE, "package.activated"),
            Move(PackageStatus.ACTIVE, PackageStatus.DEPLETED, "package.depleted"),
            Move(PackageStatus.DEPLETED, PackageStatus.ACTIVE, "package.refilled"),
            Move(PackageStatus.ACTIVE, PackageStatus.EXPIRED, "package.expired"),
            Move(PackageStatus.DEPLETED, PackageStatus.EXPIRED, "package.expired"),
            Move(PackageStatus.EXPIRED, PackageStatus.ACTIVE, "package.reinstated"),
            Move(PackageStatus.PENDING, PackageStatus.REVOKED, "package.revoked"),
            Move(PackageStatus.REVOKED, PackageStatus.PENDING, "package.reopened"),  # money after its checkout lapsed
            Move(PackageStatus.ACTIVE, PackageStatus.REVOKED, "package.revoked"),
            Move(PackageStatus.DEPLETED, PackageStatus.REVOKED, "package.revoked"),
            Move(PackageStatus.REVOKED, PackageStatus.DEPLETED, "package.given_back"),  # its refund came back
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('PKG'::text, 'package_reference'::text)"), unique=True
    )
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("plans.id"))
    plan_price_id: Mapped[UUID | None] = mapped_column(ForeignKey("plan_prices.id"))
    origin: Mapped[PackageOrigin] = mapped_column(choice(PackageOrigin, "origin_known"))
    is_trial: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    status: Mapped[PackageStatus] = mapped_column(choice(PackageStatus, "status_known"))
    lesson_minutes: Mapped[int | None]
    lessons_ordered: Mapped[int | None]  # what a purchase will grant once it is paid
    lessons_total: Mapped[int]  # 0 until granted
    available: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    reserved: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    consumed: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    expired: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    revoked: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    price_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    currency: Mapped[Currency]
    activated_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    frozen_at: Mapped[datetime | None]
    frozen_reason: Mapped[str | None]
    books_breakage: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # as its plan said then
    # When a trial, or a package with one lesson at most, was last changed; NULL while there is more. An index on `updated_at`
    # would make every hold write all indexes of the package anew (no HOT update); this is the same NULL before and after.
    little_left_at: Mapped[datetime | None] = mapped_column(
        Computed(
            "CASE WHEN is_trial OR available + reserved <= 1 THEN updated_at ELSE NULL::timestamp with time zone END",
            persisted=True,
        ),
        deferred=True,
    )
    student: Mapped[User] = relationship(viewonly=True)

    @property
    def lessons_left(self) -> int:
        return self.available + self.reserved

    @property
    def lessons_reserved(self) -> int:
        return self.reserved


class EntryKind(StrEnum):
    GRANT = "grant"
    HOLD = "hold"  # available → reserved
    RELEASE = "release"  # reserved → available (or expired)
    CONSUME = "consume"  # reserved → consumed
    RETURN = "return"  # consumed → available (or expired)
    EXPIRE = "expire"  # available → expired
    REINSTATE = "reinstate"  # expired → available
    ADJUST = "adjust"  # available ↔ revoked, by a person with a reason
    REVOKE = "revoke"  # available → revoked
    UNREVOKE = "unrevoke"  # revoked → available, when a refund failed
    OPENING = "opening"  # an imported balance


class CreditEntry(Base):
    """One fact about a package's lessons: what each bucket gained or lost and what stood there after. Append-only."""

    __tablename__ = "credit_entries"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('grant', 'opening') OR d_available + d_reserved + d_consumed + d_expired + d_revoked = 0",
            name="moves_only",
        ),
        CheckConstraint("kind <> 'adjust' OR reason IS NOT NULL", name="adjustment_has_reason"),
        CheckConstraint("breakage_minor = 0 OR sign(breakage_minor) = sign(d_expired)", name="breakage_of_expired"),
        Index("ix_credit_entries_package", "package_id", "sequence", unique=True),
        Index("ix_credit_entries_booking_id", "booking_id"),
    )

    id: Mapped[Id]
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))
    sequence: Mapped[int]  # 1, 2, 3 … within the package
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind, "kind_known"))
    op_key: Mapped[str] = mapped_column(unique=True)  # a fact cannot count twice
    d_available: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    d_reserved: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    d_consumed: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    d_expired: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    d_revoked: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    available: Mapped[int]
    reserved: Mapped[int]
    consumed: Mapped[int]
    expired: Mapped[int]
    revoked: Mapped[int]
    # What it earned the school, because lessons expired whose plan says so; negative when they came back. In the package's
    # currency; the entries of a package add up to what its expired lessons are worth (`worth.py`).
    breakage_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    booking_id: Mapped[UUID | None]  # bookings stand above billing: no foreign key, checked by an invariant
    reason: Mapped[str | None]
    created_at: Mapped[datetime]


class PaymentStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUNDED = "refunded"


class PaymentProvider(StrEnum):
    MANUAL = "manual"  # cash or bank transfer, recorded by staff
    SANDBOX = "sandbox"  # play money of the embedded run; production refuses it
    STRIPE = "stripe"


@guard_status
class Payment(Timestamps, Versioned, Base):
    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount_range"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        CheckConstraint("(status IN ('succeeded', 'refunded')) <= (paid_at IS NOT NULL)", name="paid_has_time"),
        Index("ix_payments_student", "student_id", "id"),
        Index("ix_payments_package_id", "package_id"),
        Index("ix_payments_status", "status", "id"),
        Index("ix_payments_paid", "paid_at", "id"),
        Index("ix_payments_amount", "amount_minor", "id"),
        Index("uq_payments_external_reference", "provider", "external_reference", unique=True),
    )
    states: ClassVar[StateTable] = StateTable(
        "payments",
        {
            PaymentStatus.PENDING: "awaited",
            PaymentStatus.SUCCEEDED: "the money is there",
            PaymentStatus.FAILED: "the money did not come",
            PaymentStatus.REFUNDED: "all of it went back",
        },
        [
            Move(None, PaymentStatus.PENDING, "payment.created"),
            Move(PaymentStatus.PENDING, PaymentStatus.SUCCEEDED, "payment.succeeded"),
            Move(PaymentStatus.PENDING, PaymentStatus.FAILED, "payment.failed"),
            Move(PaymentStatus.FAILED, PaymentStatus.PENDING, "payment.reopened"),
            Move(PaymentStatus.FAILED, PaymentStatus.SUCCEEDED, "payment.succeeded"),
            Move(PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED, "payment.refunded"),
            Move(
                PaymentStatus.REFUNDED, PaymentStatus.SUCCEEDED, "payment.refund_returned"
            ),  # it was paid out, and came back
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('PAY'::text, 'payment_reference'::text)"), unique=True
    )
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    status: Mapped[PaymentStatus] = mapped_column(choice(PaymentStatus, "status_known"))
    provider: Mapped[PaymentProvider] = mapped_column(choice(PaymentProvider, "provider_known"))
    external_reference: Mapped[str | None]
    paid_at: Mapped[datetime | None]  # first success; kept on refund
    package: Mapped[Package] = relationship(viewonly=True)
    student: Mapped[User] = relationship(viewonly=True)


class PaymentTransition(Base):
    """One move of a payment and its cause; append-only, unique per cause."""

    __tablename__ = "payment_transitions"
    __table_args__ = (
        UniqueConstraint("payment_id", "sequence", name="uq_payment_transitions_sequence"),
        UniqueConstraint("payment_id", "cause", "to_status", name="uq_payment_transitions_cause"),
    )

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    sequence: Mapped[int]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    cause: Mapped[str]  # `person:<action>`, `refund:<id>`, later `event:<provider id>`, `match:<id>`
    reason: Mapped[str | None]
    evidence: Mapped[str | None]
    actor_id: Mapped[UUID | None]
    created_at: Mapped[datetime]


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class DecidedHow(StrEnum):
    """How it was decided where no second person did."""

    ALONE = "alone"  # nobody objected for a day where one person runs the school; the system did it
    WITHDRAWN = "withdrawn"  # by whoever had asked


class ApprovalKind(StrEnum):
    PAYMENT_SUCCEEDED = "payment_succeeded"
    REFUND = "refund"


@guard_status
class Approval(Timestamps, Versioned, Base):
    """What one person asked for and another has to allow; bound to the exact amount."""

    __tablename__ = "approvals"
    __table_args__ = (
        CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="four_eyes"),
        CheckConstraint(
            "(status = 'pending') = (decided_by IS NULL AND decided_how IS NULL)", name="decided_by_somebody"
        ),
        CheckConstraint("decided_by IS NULL OR decided_how IS NULL", name="decided_in_one_way"),
        CheckConstraint("due_alone_at >= created_at + interval '24 hours'", name="alone_never_sooner"),
        CheckConstraint(
            "decided_how IS DISTINCT FROM 'alone' OR status <> 'approved' OR decided_at >= due_alone_at",
            name="alone_after_a_day",
        ),
        Index("uq_approvals_pending", "payment_id", "kind", unique=True, postgresql_where=text("status = 'pending'")),
        Index("ix_approvals_payment_id", "payment_id"),
        Index(
            "ix_approvals_alone",
            "due_alone_at",
            postgresql_where=text("status = 'pending' AND due_alone_at IS NOT NULL"),
        ),
    )
    states: ClassVar[StateTable] = StateTable(
        "approvals",
        {
            ApprovalStatus.PENDING: "waits for a second person",
            ApprovalStatus.APPROVED: "allowed and done",
            ApprovalStatus.REJECTED: "not allowed",
        },
        [
            Move(None, ApprovalStatus.PENDING, "approval.requested"),
            Move(ApprovalStatus.PENDING, ApprovalStatus.APPROVED, "approval.approved"),
            Move(ApprovalStatus.PENDING, ApprovalStatus.REJECTED, "approval.rejected"),
        ],
    )

    id: Mapped[Id]
    kind: Mapped[ApprovalKind] = mapped_column(choice(ApprovalKind, "kind_known"))
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    reason: Mapped[str]
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB)  # the command's arguments, done word for word when allowed
    status: Mapped[ApprovalStatus] = mapped_column(choice(ApprovalStatus, "status_known"))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    decided_how: Mapped[DecidedHow | None] = mapped_column(
        choice(DecidedHow, "decided_how_known")
    )  # None: by `decided_by`
    due_alone_at: Mapped[datetime | None]  # one-person mode when it was asked for: from then on the system may do it
    payment: Mapped[Payment] = relationship(viewonly=True)


from guitaronline.billing.refund_models import Refund as Refund  # noqa: E402, PLC0414  # part of this chapter, in a file of its own
from guitaronline.billing.refund_models import RefundStatus as RefundStatus  # noqa: E402, PLC0414
