"""Invoices and credit notes as they were issued. They are written once; nothing here changes them."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import flask
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import Button, CommandPage, Consequences, Done, commands
from guitaronline.admin.filters import Amount, Choice, Dates, Person, record_or_people
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing.invoices import documents, issuing, queries, sellers, taxes
from guitaronline.billing.invoices.addresses import buyer_of
from guitaronline.billing.invoices.countries import name_of
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import CreditCancellation, CreditNote, Invoice, Seller
from guitaronline.billing.invoices.tax import percent, split
from guitaronline.billing.models import Payment
from guitaronline.db import session
from guitaronline.identity.access import Permission


def amounts(paper: Any) -> tuple[Column, ...]:
    """The columns that both kinds of paper have."""
    return (
        Column("issued_on", "Issued", lambda each: show.day(each.issued_on), sort=paper.issued_on),
        Column("student", "Student", lambda each: show.link(each.student)),
        Column("buyer", "Buyer", lambda each: each.buyer["name"]),
        Column("gross_minor", "Gross", lambda each: show.money(each.gross_minor, each.currency), is_number=True),
        Column("net_minor", "Net", lambda each: show.money(each.net_minor, each.currency), is_number=True),
        Column("tax_minor", "Tax", lambda each: show.money(each.tax_minor, each.currency), is_number=True),
        Column("rate_bps", "Rate", lambda each: unbroken(percent(each.rate_bps)), is_number=True),
        Column("country", "Tax of", lambda each: name_of(each.country), is_default=False),
        Column("id", "Written", lambda each: show.stamp(each.created_at), sort=paper.id, is_default=False),
    )


def unbroken(words: str) -> Any:
    return show.html('<span class="nowrap">{}</span>', words)


def narrowed(paper: Any) -> tuple[Any, ...]:
    """The filters of both."""
    return (
        Dates("issued", "Issued", paper.issued_on, is_past=True),
        Amount("amount", "Gross", paper.gross_minor, paper.currency),
        Choice("tax", "Tax", ["charged", "none"], lambda value: _has_tax(paper, value == "charged")),
        Person("student", "Student", paper.student_id),
    )


def _has_tax(paper: Any, is_charged: bool) -> ColumnElement[bool]:
    found: ColumnElement[bool] = paper.rate_bps > 0 if is_charged else paper.rate_bps == 0
    return found


class InvoicesDesk(Desk):
    model_of = Invoice
    path = "invoices"
    title = "Invoices"
    one = "Invoice"
    permission = Permission.READ_PAYMENTS
    intro = "One for every payment that came, numbered without a gap. What was issued stays as it is; a refund adds a credit note."
    empty = "No invoice yet. They are issued with each payment, once the settings of invoices say who sells."
    search_words = "INV-…, student"
    columns = (
        Column("reference", "Invoice", show.link),
        *amounts(Invoice),
        Column("payment", "Payment", lambda each: show.link(each.payment)),
    )
    filters = narrowed(Invoice)
    has_personal_files = True
    exported = exported.INVOICES
    default_order = (Invoice.id, True)
    load = (selectinload(Invoice.student), selectinload(Invoice.payment))
    details_template = "admin/invoice.html"

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(Invoice.reference, words, Invoice.student_id)

    def record_page(self, invoice: Any) -> dict[str, Any]:
        page = Page(
            _facts(invoice, ("Payment", show.link(invoice.payment))),
            sections=[credit_notes_section([invoice])],
            also=[pdf_button("papers.invoice_pdf", invoice)],
        )
        return whole(invoice, page) | {"document": documents.of_invoice(invoice)}


class CreditNotesDesk(Desk):
    model_of = CreditNote
    path = "credit-notes"
    title = "Credit notes"
    one = "Credit note"
    permission = Permission.READ_PAYMENTS
    intro = "One for every refund that was paid out, with its share of the invoice's tax. One whose refund came back is canceled by a paper of its own."
    empty = "No credit note yet. One is issued when a refund is paid out."
    search_words = "CN-…, student"
    columns = (
        Column("reference", "Credit note", show.link),
        *amounts(CreditNote),
        Column("invoice", "Invoice", lambda each: show.link(each.invoice)),
        Column("refund", "Refund", lambda each: show.link(each.refund)),
    )
    filters = narrowed(CreditNote)
    has_personal_files = True
    exported = exported.CREDIT_NOTES
    default_order = (CreditNote.id, True)
    load = (selectinload(CreditNote.student), selectinload(CreditNote.invoice), selectinload(CreditNote.refund))
    details_template = "admin/invoice.html"

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(CreditNote.reference, words, CreditNote.student_id)

    def record_page(self, note: Any) -> dict[str, Any]:
        canceled = queries.cancellations_of(session(), [note.id]).get(note.id)
        about = [
            ("Invoice", show.link(note.invoice)),
            ("Refund", show.link(note.refund)),
            *([("Canceled by", _canceled(canceled))] if canceled else []),
        ]
        page = Page(_facts(note, *about), also=[pdf_button("papers.credit_note_pdf", note)])
        return whole(note, page) | {"document": documents.of_credit_note(note)}


def _canceled(cancellation: CreditCancellation) -> Any:
    """By which paper, and when."""
    address = gate.address("papers.cancellation_pdf", cancellation.id)
    return show.html('<a href="{}">{}</a>, {}', address, cancellation.reference, show.day(cancellation.issued_on))


def _facts(paper: Any, *about: tuple[str, Any]) -> list[show.Fact]:
    return facts(
        *about,
        ("Student", show.link(paper.student)),
        ("Issued", show.day(paper.issued_on)),
        ("Gross", show.money(paper.gross_minor, paper.currency)),
        ("Net", show.money(paper.net_minor, paper.currency)),
        ("Tax", show.money(paper.tax_minor, paper.currency)),
        ("Rate", f"{percent(paper.rate_bps)}, {name_of(paper.country)}"),
        ("Written", show.when(paper.created_at)),
    )


def pdf_button(endpoint: str, record: Any) -> Button:
    return Button("PDF", gate.address(endpoint, record.id), None, "primary")


def pdf_link(endpoint: str, record: Any) -> Any:
    return show.html('<a href="{}">PDF</a>', gate.address(endpoint, record.id))


def credit_notes_section(invoices: list[Invoice]) -> Section:
    found = queries.credit_notes_of(session(), [each.id for each in invoices], limit=20)
    canceled = queries.cancellations_of(session(), [each.id for each in found])
    table = rows(
        found,
        show.link,
        lambda each: show.day(each.issued_on),
        lambda each: show.money(each.gross_minor, each.currency),
        lambda each: show.money(each.tax_minor, each.currency),
        lambda each: _canceled(canceled[each.id]) if each.id in canceled else show.NOTHING,
        lambda each: pdf_link("papers.credit_note_pdf", each),
    )
    headings = ("Credit note", "Issued", "Gross", "Tax", "Canceled by", "")
    return Section("Credit notes", headings, table, "Nothing of it went back.")


def invoices_section(person: Any) -> Section:
    """The newest invoices of a student."""
    found = queries.invoices_of(session(), [person.id], limit=10)
    return Section(
        "Invoices",
        ("Invoice", "Issued", "Gross", ""),
        _invoice_rows(found),
        "No invoice yet.",
        flask.url_for("desk_invoices.index_view", student=person.id),
    )


def papers_section(payment: Payment) -> Section:
    """Of a payment: its invoice and its receipt."""
    invoice = queries.invoice_of(session(), payment.id)
    table = _invoice_rows([invoice] if invoice else [])
    if payment.paid_at is not None:
        day, amount = show.day(school_day(payment.paid_at)), show.money(payment.amount_minor, payment.currency)
        table.append(["Receipt", day, amount, pdf_link("papers.receipt_pdf", payment)])
    return Section("Papers", ("Paper", "Of", "Amount", ""), table, "There is one when the money came.")


def _invoice_rows(found: list[Invoice]) -> list[list[Any]]:
    return rows(
        found,
        show.link,
        lambda each: show.day(each.issued_on),
        lambda each: show.money(each.gross_minor, each.currency),
        lambda each: pdf_link("papers.invoice_pdf", each),
    )


INVOICES = Ahead[UUID, UUID]("invoices", lambda ids: queries.invoice_ids_of(session(), ids))
SELLERS = Ahead[date, Seller | None]("sellers", lambda days: {day: sellers.seller_on(session(), day) for day in days})


class IssueInvoice(CommandPage):
    record = Payment
    path = "payments/<uuid:id>/invoice"
    title = "Issue the invoice"
    permission = Permission.EDIT_PAYMENTS
    form = forms.MaybeReasonForm
    is_rare = True
    lead = "For money that came before the school issued invoices. It is dated today."

    def refused_because(self, record: Any) -> str | None:
        if record.status not in issuing.PAID:
            return "Only money that came has an invoice."
        if INVOICES.of(record.id) is not None:
            return "The payment has its invoice."
        if SELLERS.of(school_day(gate.now())) is None:
            return "Nobody said yet who sells: fill in the settings of invoices first."
        return None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        day = school_day(gate.now())
        seller = sellers.seller_on(session(), day)
        if seller is None:
            return Consequences()
        buyer = buyer_of(session(), record.student)
        rule = taxes.rule_for(session(), seller, buyer.country, day)
        if rule is None:
            return Consequences([("Tax", "No rate is known for this day.")])
        part = split(record.amount_minor, rule.rate_bps)
        return Consequences(
            [
                ("To", ", ".join(buyer.address_lines)),
                ("Gross", show.money(part.gross_minor, record.currency)),
                ("Net", show.money(part.net_minor, record.currency)),
                ("Tax", show.money(part.tax_minor, record.currency)),
                ("Rate", f"{percent(rule.rate_bps)}, {name_of(rule.country)}"),
                ("What went back", "Each refund that was paid out gets its credit note."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return issuing.issue_invoice(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is issued.", show.record_url("invoices", result.id) or "")


commands.add(IssueInvoice)
