"""What is on sale, what students have, and what was paid. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from guitaronline.billing.dispute_models import Dispute, DisputeStatus
from guitaronline.billing.models import (
    Approval,
    ApprovalStatus,
    CreditEntry,
    Package,
    PackageStatus,
    Payment,
    PaymentStatus,
    PaymentTransition,
    Plan,
    PlanPrice,
    Refund,
    RefundStatus,
)
from guitaronline.billing.provider_models import PaymentCheckout, PaymentFact
from guitaronline.billing.providers.base import FactKind
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.billing.rules import LIVING

COMMITTED = (RefundStatus.PENDING, RefundStatus.SUCCEEDED)


@dataclass(frozen=True)
class Offer:
    """A plan with the price it has now."""

    plan: Plan
    price: PlanPrice


@dataclass(frozen=True)
class LiveBooking:
    """A booking that a package still has to serve."""

    id: UUID
    reference: str
    status: str
    start_at: datetime


def plans_on_sale(session: Session, *, limit: int = 100) -> list[Offer]:
    """Active plans with their newest price, by name."""
    return [each for each in all_plans(session, limit=limit) if each.plan.is_active]


def all_plans(session: Session, *, limit: int = 500) -> list[Offer]:
    newest = (
        select(PlanPrice.plan_id, func.max(PlanPrice.revision).label("revision")).group_by(PlanPrice.plan_id).subquery()
    )
    query = (
        select(Plan, PlanPrice)
        .join(newest, newest.c.plan_id == Plan.id)
        .join(PlanPrice, (PlanPrice.plan_id == Plan.id) & (PlanPrice.revision == newest.c.revision))
        .order_by(Plan.name)
        .limit(limit)
    )
    return [Offer(plan, price) for plan, price in session.execute(query)]


def price_of(session: Session, plan_id: UUID) -> PlanPrice | None:
    """The newest price version of the plan."""
    return prices_of(session, [plan_id]).get(plan_id)


def prices_of(session: Session, plan_ids: Collection[UUID]) -> dict[UUID, PlanPrice]:
    """The newest price version of each plan that has one."""
    newest_first = select(PlanPrice).order_by(PlanPrice.plan_id, PlanPrice.revision.desc())
    query = newest_first.where(PlanPrice.plan_id.in_(plan_ids)).ext(distinct_on(PlanPrice.plan_id))
    return {each.plan_id: each for each in session.scalars(query)}


def fitting_package_ids(
    session: Session, student_id: UUID, *, minutes: int, lesson_start: datetime, now: datetime, limit: int = 20
) -> list[UUID]:
    """Packages with which such a lesson can be held, earliest expiry first, those without one last, then by id.

    The same rule as `rules.package_problems`, which looks again under the lock. Index: ix_packages_student."""
    query = (
        select(Package.id)
        .where(
            Package.student_id == student_id,
            Package.status == PackageStatus.ACTIVE,
            Package.available > 0,
            Package.frozen_at.is_(None),
            or_(Package.lesson_minutes.is_(None), Package.lesson_minutes == minutes),
            or_(Package.expires_at.is_(None), (Package.expires_at > now) & (Package.expires_at >= lesson_start)),
        )
        .order_by(Package.expires_at.asc().nulls_last(), Package.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def packages_of_student(
    session: Session, student_id: UUID, *, after: UUID | None = None, offset: int = 0, limit: int = 20
) -> list[Package]:
    """Newest first; `after` is the id of the last one seen."""
    query = select(Package).where(Package.student_id == student_id).order_by(Package.id.desc())
    if after is not None:
        query = query.where(Package.id < after)
    return list(session.scalars(query.offset(offset).limit(limit)))


def entries_of(
    session: Session, package_id: UUID, *, after: int | None = None, offset: int = 0, limit: int = 20
) -> list[CreditEntry]:
    """The ledger of the package, newest first; `after` is the sequence of the last one seen. Index: ix_credit_entries_package."""
    query = select(CreditEntry).where(CreditEntry.package_id == package_id).order_by(CreditEntry.sequence.desc())
    if after is not None:
        query = query.where(CreditEntry.sequence < after)
    return list(session.scalars(query.offset(offset).limit(limit)))


def payments_of_student(
    session: Session, student_id: UUID, *, after: UUID | None = None, offset: int = 0, limit: int = 20
) -> list[Payment]:
    """Newest first; `after` is the id of the last one seen. Index: ix_payments_student."""
    query = select(Payment).where(Payment.student_id == student_id).order_by(Payment.id.desc())
    if after is not None:
        query = query.where(Payment.id < after)
    return list(session.scalars(query.offset(offset).limit(limit)))


def transitions_of(session: Session, payment_id: UUID) -> list[PaymentTransition]:
    """The payment's history, oldest first; it has a handful of rows."""
    query = select(PaymentTransition).where(PaymentTransition.payment_id == payment_id)
    return list(session.scalars(query.order_by(PaymentTransition.sequence)))


def checkout_of(session: Session, payment_id: UUID) -> PaymentCheckout | None:
    """Fresh; None: the payment is made by hand. Index: uq_checkouts_payment_id."""
    query = select(PaymentCheckout).where(PaymentCheckout.payment_id == payment_id)
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def facts_of(session: Session, payment_id: UUID, *, limit: int = 50) -> list[PaymentFact]:
    """What the provider said about the payment, oldest first. Index: ix_payment_facts_payment."""
    query = select(PaymentFact).where(PaymentFact.payment_id == payment_id)
    return list(session.scalars(query.order_by(PaymentFact.at, PaymentFact.id).limit(limit)))


def paid_facts_of(session: Session, payment_id: UUID, *, limit: int = 50) -> list[PaymentFact]:
    """What the provider said about money taken for the payment, oldest first. Index: ix_payment_facts_payment."""
    query = select(PaymentFact).where(PaymentFact.payment_id == payment_id, PaymentFact.kind == FactKind.PAID)
    return list(session.scalars(query.order_by(PaymentFact.at, PaymentFact.id).limit(limit)))


def refunds_of(
    session: Session, payment_id: UUID, *, after: UUID | None = None, offset: int = 0, limit: int = 20
) -> list[Refund]:
    """Newest first; `after` is the id of the last one seen. Index: ix_refunds_payment_id."""
    query = select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id.desc())
    if after is not None:
        query = query.where(Refund.id < after)
    return list(session.scalars(query.offset(offset).limit(limit)))


def approvals_waiting(session: Session, *, limit: int = 100) -> list[Approval]:
    """Oldest first."""
    query = select(Approval).where(Approval.status == ApprovalStatus.PENDING).order_by(Approval.id).limit(limit)
    return list(session.scalars(query))


def refunds_sum(session: Session, payment_id: UUID, *statuses: RefundStatus) -> int:
    """Minor units of the payment's refunds in these states."""
    query = select(func.coalesce(func.sum(Refund.amount_minor), 0))
    return int(session.scalars(query.where(Refund.payment_id == payment_id, Refund.status.in_(statuses))).one())


def lessons_revoked(session: Session, payment_id: UUID) -> int:
    """Lessons that refunds of the payment took, failed and canceled ones aside."""
    query = select(func.coalesce(func.sum(Refund.lessons_revoked), 0))
    return int(session.scalars(query.where(Refund.payment_id == payment_id, Refund.status.in_(COMMITTED))).one())


@dataclass(frozen=True)
class OtherMoney:
    """What other payments of the same package and currency brought, and what of it still pays for the package."""

    paid_minor: int
    left_minor: int


def money_of_others(session: Session, payment: Payment) -> OtherMoney:
    """Index: ix_payments_package_id."""
    gone = _sum(Refund, Refund.status.in_(COMMITTED)) + _sum(RefundCredit)
    gone += _sum(Dispute, Dispute.status == DisputeStatus.LOST)
    sums = (func.coalesce(func.sum(amount), 0) for amount in (Payment.amount_minor, Payment.amount_minor - gone))
    query = select(*sums).where(
        Payment.package_id == payment.package_id,
        Payment.id != payment.id,
        Payment.currency == payment.currency,
        Payment.status.in_((PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED)),
    )
    return OtherMoney(*map(int, session.execute(query).one()))


def is_awaited_otherwise(session: Session, payment: Payment) -> bool:
    """Whether another payment of the same package is still awaited. Index: ix_payments_package_id."""
    other = exists().where(
        Payment.package_id == payment.package_id, Payment.id != payment.id, Payment.status == PaymentStatus.PENDING
    )
    return bool(session.scalar(select(other)))


def is_disputed(session: Session, package_id: UUID) -> bool:
    """Whether an open dispute keeps the package frozen, also one that found it frozen. Indexes: ix_payments_package_id,
    ix_disputes_payment_id."""
    asked = select(Dispute.id).join(Payment, Payment.id == Dispute.payment_id)
    is_open = asked.where(Payment.package_id == package_id, Dispute.status == DisputeStatus.OPEN)
    return session.scalars(is_open.limit(1)).first() is not None


def _sum(table: type[Refund | RefundCredit | Dispute], *conditions: ColumnElement[bool]) -> Any:
    """SQL, over Payment: minor units of its rows there. Indexes: ix_…_payment_id."""
    query = select(func.coalesce(func.sum(table.amount_minor), 0))
    return query.where(table.payment_id == Payment.id, *conditions).correlate(Payment).scalar_subquery()


# Bookings and lessons stand above billing, so their models cannot be imported here. What money has to know about them
# is read by these two statements, as text, and by nothing else.

DELIVERED = text("""
    SELECT count(*) + (SELECT coalesce(sum(e.d_consumed), 0) FROM credit_entries e
                        WHERE e.package_id = :package_id AND e.kind = 'opening')  -- used before the school moved in
      FROM bookings b JOIN lessons l ON l.booking_id = b.id
     WHERE b.package_id = :package_id AND NOT l.is_returned
       AND (l.status = 'completed'
            OR (l.status = 'no_show' AND l.no_show_side = 'student')
            OR (l.status = 'canceled' AND b.refund_returned IS FALSE))
""")
LIVE_BOOKINGS = text("""
    SELECT id, reference, status, start_at FROM bookings
     WHERE package_id = :package_id AND (status = 'hold' OR (status = 'confirmed' AND start_at > :now))
     ORDER BY start_at, id LIMIT :limit
""")


def delivered_lessons(session: Session, package_id: UUID) -> int:
    """Consumed lessons that are no longer owed: given, missed by the student, or canceled too late."""
    return int(session.execute(DELIVERED, {"package_id": package_id}).scalar_one())


def live_bookings(session: Session, package_id: UUID, *, now: datetime, limit: int = 50) -> list[LiveBooking]:
    """Holds, lapsed ones too, and confirmed bookings still to come, soonest first."""
    rows = session.execute(LIVE_BOOKINGS, {"package_id": package_id, "now": now, "limit": limit})
    return [LiveBooking(*row) for row in rows]


@dataclass(frozen=True)
class Balance:
    """What a student can use now, over all packages; `left` includes what is reserved. `frozen`: left in frozen ones, on top."""

    left: int
    reserved: int
    frozen: int
    next_expiry: datetime | None


def balance_of(session: Session, student_id: UUID, *, now: datetime) -> Balance:
    """Lapsed packages do not count, whether or not a job has run. Index: ix_packages_student."""
    usable = Package.frozen_at.is_(None)
    in_time = or_(Package.expires_at.is_(None), Package.expires_at > now)
    left = Package.available + Package.reserved
    query = select(
        func.coalesce(func.sum(left).filter(usable, in_time), 0),
        func.coalesce(func.sum(Package.reserved).filter(usable, in_time), 0),
        func.coalesce(func.sum(left).filter(~usable), 0),
        func.min(Package.expires_at).filter(usable, in_time, left > 0),
    )
    row = session.execute(query.where(Package.student_id == student_id, Package.status.in_(LIVING))).one()
    return Balance(*row)


def entries_of_student(session: Session, student_id: UUID, *, limit: int = 10) -> list[tuple[CreditEntry, Package]]:
    """The newest facts about all lessons of the student. Reads the ledgers of their packages (ix_credit_entries_package)."""
    query = (
        select(CreditEntry, Package)
        .join(Package, Package.id == CreditEntry.package_id)
        .where(Package.student_id == student_id)
        .order_by(CreditEntry.created_at.desc(), CreditEntry.sequence.desc())
        .limit(limit)
    )
    return [(entry, package) for entry, package in session.execute(query)]
