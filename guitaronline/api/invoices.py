"""/billing/invoices, /billing/address: one's own papers, and the address that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Response

from guitaronline import pdf
from guitaronline.actor import Actor, Role
from guitaronline.api.billing import resource
from guitaronline.api.endpoint import PUBLIC, Answer, may, only
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.invoices import (
    AddressIn,
    AddressOut,
    InvoiceOut,
    NoticeOut,
    address_json,
    invoice_json,
    notice_json,
)
from guitaronline.billing.invoices import addresses, consents, documents, queries
from guitaronline.billing.invoices.consents import Notice
from guitaronline.billing.invoices.documents import Document, NothingReceived
from guitaronline.billing.invoices.models import BillingAddress, CreditCancellation, CreditNote, Invoice
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.refusals import InvalidAddress
from guitaronline.billing.models import Payment
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission

INVOICES = Order("invoices", lambda seen: (seen.invoice.id,), (UUID,))
READ = may(Permission.READ_PAYMENTS)
STUDENT = only(Role.STUDENT)
A_PDF = Answer(200, "string", media=pdf.MIME, words="The page as a PDF: the same bytes each time")


@dataclass(frozen=True)
class SeenInvoice:
    """An invoice with what of it was credited."""

    invoice: Invoice
    notes: list[CreditNote]
    canceled: dict[UUID, CreditCancellation]  # by credit note


def seen_json(seen: SeenInvoice) -> dict[str, Any]:
    return invoice_json(seen.invoice, seen.notes, seen.canceled)


@resource.listing("/invoices/my", InvoiceOut, seen_json, order=INVOICES, who=STUDENT)
def my_invoices(actor: Actor, page: Page) -> Sequence[SeenInvoice]:
    """One's own invoices and those of children one pays for, with their credit notes, newest first"""
    assert actor.id is not None
    after, whose = page.after[0] if page.after else None, addresses.paid_for_by(session(), actor.id)
    found = queries.invoices_of(session(), whose, after=after, offset=page.offset, limit=page.rows)
    return _with_notes(found)


@resource.endpoint(
    "GET", "/invoices/<uuid:invoice_id>", Answer(200, InvoiceOut, seen_json), who=READ, refuses=(NotFound,)
)
def invoice(actor: Actor, invoice_id: UUID) -> SeenInvoice:
    """An invoice with its credit notes"""
    return _with_notes([_own(actor, Invoice, invoice_id)])[0]


@resource.endpoint("GET", "/invoices/<uuid:invoice_id>.pdf", A_PDF, who=READ, refuses=(NotFound,))
def invoice_pdf(actor: Actor, invoice_id: UUID) -> Response:
    """An invoice to print"""
    return _paper(documents.of_invoice(_own(actor, Invoice, invoice_id)))


@resource.endpoint("GET", "/credit-notes/<uuid:credit_note_id>.pdf", A_PDF, who=READ, refuses=(NotFound,))
def credit_note_pdf(actor: Actor, credit_note_id: UUID) -> Response:
    """A credit note to print"""
    return _paper(documents.of_credit_note(_own(actor, CreditNote, credit_note_id)))


@resource.endpoint(
    "GET", "/credit-notes/cancellations/<uuid:cancellation_id>.pdf", A_PDF, who=READ, refuses=(NotFound,)
)
def cancellation_pdf(actor: Actor, cancellation_id: UUID) -> Response:
    """The cancellation of a credit note, to print"""
    return _paper(documents.of_cancellation(_own(actor, CreditCancellation, cancellation_id)))


@resource.endpoint(
    "GET", "/payments/<uuid:payment_id>/receipt.pdf", A_PDF, who=READ, refuses=(NotFound, NothingReceived)
)
def receipt_pdf(actor: Actor, payment_id: UUID) -> Response:
    """A receipt of money that came, to print"""
    return _paper(documents.of_receipt(session(), _own(actor, Payment, payment_id)))


@resource.endpoint("GET", "/address", Answer(200, AddressOut, address_json), who=STUDENT, refuses=(NotFound,))
def address(actor: Actor) -> BillingAddress:
    """The address on one's invoices; 404 where none was given"""
    assert actor.id is not None
    found = addresses.address_of(session(), actor.id)
    if found is None:
        raise NotFound("No billing address was given yet.")
    return found


@resource.endpoint(
    "PUT", "/address", Answer(200, AddressOut, address_json), who=STUDENT, body=AddressIn, refuses=(InvalidAddress,)
)
def set_address(actor: Actor, body: dict[str, Any]) -> BillingAddress:
    """Give the address for invoices from now on; those that were issued stay as they are"""
    assert actor.id is not None
    return addresses.set_billing_address(actor, actor.id, party=Party(**body))


@resource.endpoint("GET", "/withdrawal-notice", Answer(200, NoticeOut, notice_json), who=PUBLIC)
def withdrawal_notice(actor: Actor) -> Notice:
    """What buyers are told about withdrawal; the purchase sends its version back"""
    return consents.notice_now()


def _own(actor: Actor, model: Any, record_id: UUID) -> Any:
    """Raises NotFound for what is not there or not the caller's to see: their own, or of a child for whom they pay."""
    found = session().get(model, record_id)
    if found is None:
        raise NotFound()
    is_own = actor.id is not None and found.student_id in addresses.paid_for_by(session(), actor.id)
    access.require(actor, Permission.READ_PAYMENTS, own=is_own)
    return found


def _with_notes(found: Sequence[Invoice]) -> list[SeenInvoice]:
    """One statement for the notes of all of them, one for their cancellations."""
    notes = queries.credit_notes_of(session(), [each.id for each in found], limit=1000) if found else []
    canceled = queries.cancellations_of(session(), [each.id for each in notes]) if notes else {}
    return [SeenInvoice(each, [note for note in notes if note.invoice_id == each.id], canceled) for each in found]


def _paper(document: Document) -> Response:
    answer = Response(pdf.pdf_of("invoices/pdf.html", document=document), content_type=pdf.MIME)
    name = f"{document.title.lower().replace(' ', '-')}-{document.reference}.pdf"
    answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return answer
