from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import fields

from guitaronline.api.fields import Input, OneOf, Output, Text
from guitaronline.api.schemas.common import Money, moment, money_json, time
from guitaronline.billing.invoices.consents import Notice
from guitaronline.billing.invoices.countries import COUNTRIES
from guitaronline.billing.invoices.models import BillingAddress, CreditCancellation, CreditNote, Invoice
from guitaronline.billing.invoices.parties import LINE_LENGTH, Party

NAMED = ("name", "company", "street", "postal_code", "city", "country", "tax_id")


class AddressIn(Input):
    name = Text(required=True, least=1, most=LINE_LENGTH, metadata={"example": "Ann Example"})
    company = Text(most=LINE_LENGTH)
    street = Text(required=True, least=1, most=LINE_LENGTH, metadata={"example": "Long Street 6"})
    postal_code = Text(required=True, least=1, most=LINE_LENGTH, metadata={"example": "10115"})
    city = Text(required=True, least=1, most=LINE_LENGTH, metadata={"example": "Berlin"})
    country = OneOf(sorted(COUNTRIES), required=True, metadata={"description": "ISO 3166-1 alpha-2", "example": "DE"})
    tax_id = Text(most=LINE_LENGTH, metadata={"description": "of a business"})


class AddressOut(Output):
    name = fields.String(required=True)
    company = fields.String(required=True)
    street = fields.String(required=True)
    postal_code = fields.String(required=True)
    city = fields.String(required=True)
    country = fields.String(required=True, metadata={"description": "empty where it is not known"})
    tax_id = fields.String(required=True)


class CancellationOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "CNC-2026-000001"})
    issued_on = fields.Date(required=True)


class CreditNoteOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "CN-2026-000007"})
    refund_id = fields.UUID(required=True)
    issued_on = fields.Date(required=True)
    gross = fields.Nested(Money, required=True)
    net = fields.Nested(Money, required=True)
    tax = fields.Nested(Money, required=True)
    canceled_by = fields.Nested(
        CancellationOut,
        required=True,
        allow_none=True,
        metadata={"description": "the paper that canceled it, when its refund came back"},
    )
    created_at = time()


class InvoiceOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "INV-2026-000123"})
    payment_id = fields.UUID(required=True)
    student_id = fields.UUID(required=True)
    issued_on = fields.Date(required=True, metadata={"description": "the school's day"})
    gross = fields.Nested(Money, required=True, metadata={"description": "what was paid; net and tax together"})
    net = fields.Nested(Money, required=True)
    tax = fields.Nested(Money, required=True)
    tax_rate_bps = fields.Integer(required=True, metadata={"description": "1900 is 19 %", "example": 1900})
    tax_country = fields.String(required=True, metadata={"example": "DE"})
    buyer = fields.Nested(AddressOut, required=True)
    lines = fields.List(fields.String(), required=True, metadata={"description": "what was bought"})
    texts = fields.List(fields.String(), required=True, metadata={"description": "such as why no tax is charged"})
    credit_notes = fields.List(fields.Nested(CreditNoteOut), required=True)
    created_at = time()


class NoticeOut(Output):
    version = fields.String(required=True, metadata={"example": "2026-11"})
    days = fields.Integer(required=True, metadata={"description": "0: there is no such right", "example": 14})
    text = fields.String(required=True)


def address_json(address: BillingAddress) -> dict[str, Any]:
    return party_json(Party.of(address))


def party_json(party: Party) -> dict[str, Any]:
    return {name: getattr(party, name) for name in NAMED}


def invoice_json(
    invoice: Invoice, notes: list[CreditNote], canceled: Mapping[UUID, CreditCancellation]
) -> dict[str, Any]:
    return {
        "id": str(invoice.id),
        "reference": invoice.reference,
        "payment_id": str(invoice.payment_id),
        "student_id": str(invoice.student_id),
        "issued_on": invoice.issued_on.isoformat(),
        **_amounts(invoice),
        "tax_rate_bps": invoice.rate_bps,
        "tax_country": invoice.country,
        "buyer": party_json(Party.stored(invoice.buyer)),
        "lines": [each["text"] for each in invoice.lines],
        "texts": list(invoice.texts),
        "credit_notes": [credit_note_json(each, canceled.get(each.id)) for each in notes],
        "created_at": moment(invoice.created_at),
    }


def credit_note_json(note: CreditNote, canceled: CreditCancellation | None) -> dict[str, Any]:
    return {
        "id": str(note.id),
        "reference": note.reference,
        "refund_id": str(note.refund_id),
        "issued_on": note.issued_on.isoformat(),
        **_amounts(note),
        "canceled_by": _cancellation_json(canceled) if canceled else None,
        "created_at": moment(note.created_at),
    }


def _cancellation_json(cancellation: CreditCancellation) -> dict[str, Any]:
    return {
        "id": str(cancellation.id),
        "reference": cancellation.reference,
        "issued_on": cancellation.issued_on.isoformat(),
    }


def _amounts(paper: Invoice | CreditNote) -> dict[str, Any]:
    return {
        "gross": money_json(paper.gross_minor, paper.currency),
        "net": money_json(paper.net_minor, paper.currency),
        "tax": money_json(paper.tax_minor, paper.currency),
    }


def notice_json(notice: Notice) -> dict[str, Any]:
    return {"version": notice.version, "days": notice.days, "text": notice.text}
