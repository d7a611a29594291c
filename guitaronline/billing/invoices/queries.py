"""What was issued. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.billing.invoices.models import CreditNote, Invoice


def invoice_of(session: Session, payment_id: UUID) -> Invoice | None:
    """Index: uq_invoices_payment_id."""
    return session.scalars(select(Invoice).where(Invoice.payment_id == payment_id)).one_or_none()


def invoice_ids_of(session: Session, payment_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """By payment, of those that have one. Index: uq_invoices_payment_id."""
    query = select(Invoice.payment_id, Invoice.id).where(Invoice.payment_id.in_(payment_ids))
    return {row.payment_id: row.id for row in session.execute(query)}


def credit_note_of(session: Session, refund_id: UUID) -> CreditNote | None:
    """Index: uq_credit_notes_refund_id."""
    return session.scalars(select(CreditNote).where(CreditNote.refund_id == refund_id)).one_or_none()


def credit_notes_of(session: Session, invoice_ids: Sequence[UUID], *, limit: int = 100) -> list[CreditNote]:
    """Of these invoices, oldest first. Index: ix_credit_notes_invoice_id."""
    query = select(CreditNote).where(CreditNote.invoice_id.in_(invoice_ids)).order_by(CreditNote.id)
    return list(session.scalars(query.limit(limit)))


def credited_minor(session: Session, invoice_id: UUID) -> int:
    query = select(func.coalesce(func.sum(CreditNote.gross_minor), 0)).where(CreditNote.invoice_id == invoice_id)
    return int(session.scalars(query).one())


def invoices_of(
    session: Session, student_ids: Collection[UUID], *, after: UUID | None = None, offset: int = 0, limit: int = 20
) -> list[Invoice]:
    """Of these students, newest first; `after` is the id of the last one seen. Index: ix_invoices_student."""
    query = select(Invoice).where(Invoice.student_id.in_(student_ids)).order_by(Invoice.id.desc())
    if after is not None:
        query = query.where(Invoice.id < after)
    return list(session.scalars(query.offset(offset).limit(limit)))
