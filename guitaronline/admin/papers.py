"""Invoices, credit notes, receipts and statements as files, and the page of a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from guitaronline import pdf
from guitaronline.admin import gate
from guitaronline.admin.base import ConsolePage
from guitaronline.billing.invoices import addresses, documents, sellers
from guitaronline.billing.invoices.days import school_day, school_zone
from guitaronline.billing.invoices.documents import Document
from guitaronline.billing.invoices.models import CreditCancellation, CreditNote, Invoice
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.statement import Account, Statement, statement_of
from guitaronline.billing.models import Payment
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.kpis import days
from guitaronline.kpis.days import Span
from guitaronline.money import Money
from guitaronline.office import exports, files
from guitaronline.office.export_models import ExportFormat
from guitaronline.office.exports import Wanted

blueprint = Blueprint("papers", __name__, url_prefix=gate.PREFIX)
HEADINGS = ("Day", "What", "Reference", "Invoice or credit note", "Amount", "Open", "Currency")


@blueprint.get("/invoices/<uuid:id>.pdf")
@gate.needs(Permission.READ_PAYMENTS)
def invoice_pdf(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    """The invoice as it was issued."""
    return _paper(documents.of_invoice(_found(Invoice, id)))


@blueprint.get("/credit-notes/<uuid:id>.pdf")
@gate.needs(Permission.READ_PAYMENTS)
def credit_note_pdf(id: UUID) -> ResponseReturnValue:  # noqa: A002
    """The credit note as it was issued."""
    return _paper(documents.of_credit_note(_found(CreditNote, id)))


@blueprint.get("/credit-notes/cancellations/<uuid:id>.pdf")
@gate.needs(Permission.READ_PAYMENTS)
def cancellation_pdf(id: UUID) -> ResponseReturnValue:  # noqa: A002
    """That a credit note holds no more, as it was issued."""
    return _paper(documents.of_cancellation(_found(CreditCancellation, id)))


@blueprint.get("/payments/<uuid:id>/receipt.pdf")
@gate.needs(Permission.READ_PAYMENTS)
def receipt_pdf(id: UUID) -> ResponseReturnValue:  # noqa: A002
    """That the money came, and what of it went back."""
    return _paper(documents.of_receipt(session(), _found(Payment, id)))


@blueprint.get("/statements/<uuid:id>.pdf")
@gate.needs(Permission.READ_PAYMENTS)
def statement_pdf(id: UUID) -> ResponseReturnValue:  # noqa: A002
    """The account of a student over the days asked for."""
    student, span = _found(User, id), asked()
    statement = statement_of(session(), student.id, first=span.first, last=span.last)
    made = pdf.pdf_of("invoices/statement_pdf.html", **said(student, statement))
    return _file(made, f"statement-{student.reference}-{span.first}-{span.last}.pdf")


@blueprint.post("/statements/<uuid:id>/csv")
@gate.needs(Permission.EXPORT)
def statement_csv(id: UUID) -> ResponseReturnValue:  # noqa: A002
    """The same as rows. Written down before a byte leaves."""
    student, span = _found(User, id), asked()
    statement = statement_of(session(), student.id, first=span.first, last=span.last)
    table = [row for account in statement.accounts for row in _rows(account, span)]
    days_of = {"student": student.reference, "from": span.first.isoformat(), "to": span.last.isoformat()}
    zone = school_zone()
    wanted = Wanted("statements", Permission.READ_PAYMENTS, HEADINGS, ExportFormat.CSV, zone.key, filters=days_of)
    exports.record_export(gate.viewer().actor, wanted=wanted, rows=len(table))
    made = b"".join(files.chunks(ExportFormat.CSV, files.Sheet("Statement", HEADINGS, [table], zone)))
    name = f"statement-{student.reference}-{span.first}-{span.last}.csv"
    return _file(made, name, files.MIME[ExportFormat.CSV])


def _rows(account: Account, span: Span) -> Iterator[Sequence[Any]]:
    def amount(minor: int) -> Money:
        return Money(minor, account.currency)

    yield (span.first, "Opening", "", "", None, amount(account.opening_minor), account.currency)
    for each in account.entries:
        papers = (each.reference, each.paper or "")
        yield (each.day, each.words, *papers, amount(each.amount_minor), amount(each.balance_minor), account.currency)
    yield (span.last, "Closing", "", "", None, amount(account.closing_minor), account.currency)


class StatementPage(ConsolePage):
    path = "statements"
    title = "Statement"
    permission = Permission.READ_PAYMENTS

    def page(self) -> Any:
        try:
            student_id = UUID(flask.request.args.get("student", ""))
        except ValueError:
            return self.render("admin/statement.html", person=None)
        student, span = _found(User, student_id), asked()
        statement = statement_of(session(), student.id, first=span.first, last=span.last)
        presets = days.presets(school_day(gate.now()))
        return self.render(
            "admin/statement.html", person=student, span=span, presets=presets, **said(student, statement)
        )


def asked() -> Span:
    """The days of the address; the last 90, with a word of warning, for what means nothing."""
    first, last = (flask.request.values.get(each, "").strip() for each in ("from", "to"))
    usual = days.presets(school_day(gate.now()))["last-90-days"][1]
    if not first and not last:
        return usual
    try:
        return days.written(first or last, last or first)
    except days.BadSpan as why:
        flask.flash(f"These days cannot be shown: {why}. Here are the last 90.", "warning")
        return usual


def said(student: User, statement: Statement) -> dict[str, Any]:
    """What the template of a statement needs."""
    seller = sellers.seller_on(session(), statement.last)
    return {
        "statement": statement,
        "student": student.full_name or student.reference,
        "seller": Party.of(seller) if seller else Party(name=documents.SCHOOL),
        "buyer": addresses.buyer_of(session(), student),
        "money": lambda minor, currency: str(Money(minor, currency)),
    }


def _found(model: Any, record_id: UUID) -> Any:
    found = session().get(model, record_id)
    if found is None:
        raise NotFound("There is no such record.")
    return found


def _paper(document: Document) -> flask.Response:
    made = pdf.pdf_of("invoices/pdf.html", document=document)
    return _file(made, f"{document.title.lower().replace(' ', '-')}-{document.reference}.pdf")


def _file(made: bytes, name: str, kind: str = pdf.MIME) -> flask.Response:
    answer = flask.Response(made, content_type=kind)
    shown = "inline" if kind == pdf.MIME else "attachment"
    answer.headers["Content-Disposition"] = f'{shown}; filename="{name}"'
    return answer
