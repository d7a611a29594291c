"""What was issued. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from guitaronline.billing.invoices.models import CreditCancellation, CreditNote, Invoice
from guitaronline.billing.invoices.tax import Split


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


def credited(session: Session, invoice_id: UUID) -> Split:
    """What the invoice's credit notes that stand took back, all together."""
    sums = [
        func.coalesce(func.sum(each), 0)
        for each in (CreditNote.gross_minor, CreditNote.net_minor, CreditNote.tax_minor)
    ]
    canceled = exists().where(CreditCancellation.credit_note_id == CreditNote.id)
    row = session.execute(select(*sums).where(CreditNote.invoice_id == invoice_id, ~canceled)).one()
    return Split(*(int(each) for each in row))


def cancellations_of(session: Session, note_ids: Collection[UUID]) -> dict[UUID, CreditCancellation]:
    """By credit note, of those that were canceled. Index: uq_credit_cancellations_credit_note_id."""
    query = select(CreditCancellation).where(CreditCancellation.credit_note_id.in_(note_ids))
    return {each.credit_note_id: each for each in session.scalars(query)}


def invoices_of(
    session: Session, student_ids: Collection[UUID], *, after: UUID | None = None, offset: int = 0, limit: int = 20
) -> list[Invoice]:
    """Of these students, newest first; `after` is the id of the last one seen. Index: ix_invoices_student."""
    query = select(Invoice).where(Invoice.student_id.in_(student_ids)).order_by(Invoice.id.desc())
    if after is not None:
        query = query.where(Invoice.id < after)
    return list(session.scalars(query.offset(offset).limit(limit)))
