"""All that answers a disputed payment: what was bought on which terms, what was given, what was said, and the proof that none
of it was written afterwards. Reads only; a package has tens of lessons, so each query is small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.orm import Session, selectinload

from guitaronline.audit import verification
from guitaronline.audit.models import AuditVerification, OutboxEvent
from guitaronline.billing import queries
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.models import Package, Payment, PaymentTransition, Plan, PlanPrice
from guitaronline.booking.models import Booking, BookingStatus

BOOKINGS_MOST, EVENTS_MOST = 300, 300

PROOF = text("""
SELECT count(DISTINCT c.action_id) AS actions, count(DISTINCT s.action_id) AS sealed, min(s.sequence) AS first, max(s.sequence) AS last
  FROM audit_changes c LEFT JOIN audit_seals s ON s.action_id = c.action_id
 WHERE (c.table_name, c.row_id) IN (SELECT unnest(CAST(:tables AS text[])), unnest(CAST(:ids AS uuid[])))
""")
LINK = text("SELECT encode(hash, 'hex') FROM audit_seals WHERE sequence = :sequence")


@dataclass(frozen=True)
class Proof:
    """Where the history of these records stands in the sealed chain, and what the last proof of the whole chain saw."""

    actions: int
    sealed: int
    first: int | None
    last: int | None
    last_link: str | None
    verification: AuditVerification | None

    @property
    def holds(self) -> bool:
        return self.verification is not None and not self.verification.broken


@dataclass(frozen=True)
class Evidence:
    dispute: Dispute
    payment: Payment
    package: Package
    plan: Plan | None
    price: PlanPrice | None  # the version that was bought
    steps: Sequence[PaymentTransition]
    bookings: Sequence[Booking]  # by start
    events: Sequence[OutboxEvent]  # oldest first
    proof: Proof

    @property
    def terms(self) -> list[dict[str, Any]]:
        """The different terms that were shown when these lessons were booked."""
        found: list[dict[str, Any]] = []
        for each in self.bookings:
            if each.policy not in found:
                found.append(each.policy)
        return found

    @property
    def lessons(self) -> list[Booking]:
        """Bookings that became lessons."""
        return [each for each in self.bookings if each.lesson is not None]

    @property
    def called_off(self) -> list[Booking]:
        return [each for each in self.bookings if each.status is BookingStatus.CANCELED]


def evidence_of(session: Session, dispute: Dispute) -> Evidence:
    """Everything about the purchase that the dispute is about."""
    payment = session.get_one(Payment, dispute.payment_id)
    package = session.get_one(Package, payment.package_id)
    bookings = _bookings(session, package.id)
    records = _records(dispute, payment, package, bookings)
    return Evidence(
        dispute=dispute,
        payment=payment,
        package=package,
        plan=session.get(Plan, package.plan_id) if package.plan_id else None,
        price=session.get(PlanPrice, package.plan_price_id) if package.plan_price_id else None,
        steps=queries.transitions_of(session, payment.id),
        bookings=bookings,
        events=_events(session, records),
        proof=_proof(session, records),
    )


def _bookings(session: Session, package_id: UUID) -> list[Booking]:
    """ix_bookings_package_id"""
    query = select(Booking).where(Booking.package_id == package_id).order_by(Booking.start_at, Booking.id)
    load = (selectinload(Booking.lesson), selectinload(Booking.teacher))
    return list(session.scalars(query.limit(BOOKINGS_MOST).options(*load)))


def _records(
    dispute: Dispute, payment: Payment, package: Package, bookings: Sequence[Booking]
) -> list[tuple[str, UUID]]:
    found: list[Any] = [
        dispute,
        payment,
        package,
        *bookings,
        *(each.lesson for each in bookings if each.lesson is not None),
    ]
    return [(each.__tablename__, each.id) for each in found]


def _events(session: Session, records: Sequence[tuple[str, UUID]]) -> list[OutboxEvent]:
    """What people were told of. ix_outbox_events_record"""
    about = tuple_(OutboxEvent.record_type, OutboxEvent.record_id).in_(records)
    newest = select(OutboxEvent).where(about).order_by(OutboxEvent.id.desc()).limit(EVENTS_MOST)
    return list(reversed(session.scalars(newest).all()))


def _proof(session: Session, records: Sequence[tuple[str, UUID]]) -> Proof:
    """ix_audit_changes_row, then the key of the seals."""
    tables, ids = [table for table, _ in records], [record_id for _, record_id in records]
    row = session.execute(PROOF, {"tables": tables, "ids": ids}).one()
    link = session.scalar(LINK, {"sequence": row.last}) if row.last is not None else None
    newest = verification.newest(session)
    return Proof(row.actions, row.sealed, row.first, row.last, link, newest[0] if newest else None)


def is_cut(session: Session, package_id: UUID) -> bool:
    """Whether the package has more bookings than are shown."""
    query = select(func.count()).select_from(Booking).where(Booking.package_id == package_id)
    return session.scalars(query).one() > BOOKINGS_MOST
