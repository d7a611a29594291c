"""Invoices and credit notes come to be, inside the transaction in which the money moves.

The steps are put off to the end of the unit, after everything else was written: the number is taken last, and others
wait for it only as long as a commit takes. The caller has locked the payment.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline import policy
from guitaronline.billing.invoices import addresses, numbering, queries, sellers, taxes, wording
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import CreditCancellation, CreditNote, Invoice, Series
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.refusals import (
    CreditExceedsInvoice,
    InvoiceExists,
    NothingToInvoice,
    SellerMissing,
    TaxRateMissing,
)
from guitaronline.billing.invoices.tax import Split, TaxRule, share, split
from guitaronline.billing.models import Package, Payment, PaymentStatus, Refund, RefundStatus
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command

PAID = (PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED)


def issue(work: Work, payment: Payment, package: Package) -> None:
    """Step: when this unit commits, the payment has its invoice; none where the school issues none (`INVOICES=off`), where
    nobody said yet who sells, or where no tax rate is known. Money never waits for its paper."""
    if policy.current().INVOICES == "on":
        work.at_end(partial(_issue, work, payment, package))


def credit(work: Work, payment: Payment, refund: Refund) -> None:
    """Step: when this unit commits, the refund that was paid out has its credit note; none where there is no invoice."""
    work.at_end(partial(_credit, work, payment, refund))


def cancel_credit(work: Work, refund: Refund) -> None:
    """Step: when this unit commits, the credit note of the refund that came back is canceled; nothing where it had none."""
    work.at_end(partial(_cancel_credit, work, refund))


@command("invoice.issue", on="payments")
def issue_invoice(work: Work, payment_id: UUID, *, reason: str | None = None) -> Invoice:
    """A payment that came before the school issued invoices has its invoice, dated today, and what of it went back its
    credit notes. Locks the payment, its package. Raises NothingToInvoice, InvoiceExists, SellerMissing, TaxRateMissing."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    payment = work.lock(Payment, payment_id)
    package = work.lock(Package, payment.package_id)
    if payment.status not in PAID:
        raise NothingToInvoice(status=payment.status.value)
    if queries.invoice_of(work.session, payment.id) is not None:
        raise InvoiceExists()
    day = school_day(work.now)
    if sellers.seller_on(work.session, day) is None:
        raise SellerMissing()
    invoice = _issue(work, payment, package)
    if invoice is None:
        raise TaxRateMissing(day=day.isoformat())
    paid_out = select(Refund).where(Refund.payment_id == payment.id, Refund.status == RefundStatus.SUCCEEDED)
    for refund in work.session.scalars(paid_out.order_by(Refund.settled_at, Refund.id)):
        _credit(work, payment, refund)
    return invoice


def _issue(work: Work, payment: Payment, package: Package) -> Invoice | None:
    day = school_day(work.now)
    seller = sellers.seller_on(work.session, day)
    if seller is None:
        return None
    student = work.session.get_one(User, payment.student_id)
    buyer = addresses.buyer_of(work.session, student)
    rule = taxes.rule_for(work.session, seller, buyer.country, day)
    if rule is None:
        return None
    line = wording.line_of(work.session, payment, package, student)
    texts = wording.invoice_texts(payment, rule, seller)
    invoice = Invoice(
        payment_id=payment.id,
        student_id=student.id,
        lines=[asdict(line)],
        texts=texts,
        seller=Party.of(seller).facts(),
        buyer=buyer.facts(),
        **_facts(day, split(payment.amount_minor, rule.rate_bps), payment.currency, rule),
    )
    return numbering.write(work, invoice, Series.INVOICE)


def _credit(work: Work, payment: Payment, refund: Refund) -> CreditNote | None:
    invoice = queries.invoice_of(work.session, payment.id)
    if invoice is None or queries.credit_note_of(work.session, refund.id) is not None:
        return None
    before = queries.credited(work.session, invoice.id)
    left = invoice.gross_minor - before.gross_minor
    if refund.amount_minor > left:
        raise CreditExceedsInvoice(limit=left, asked=refund.amount_minor)
    whole = Split(invoice.gross_minor, invoice.net_minor, invoice.tax_minor)
    rule = TaxRule(invoice.country, invoice.rate_bps, None)
    day = school_day(work.now)
    part = share(whole, before=before, gross_minor=refund.amount_minor)
    note = CreditNote(
        invoice_id=invoice.id,
        refund_id=refund.id,
        student_id=invoice.student_id,
        lines=[asdict(wording.credited_line(invoice, refund))],
        texts=wording.credit_texts(invoice),
        seller=invoice.seller,
        buyer=invoice.buyer,
        **_facts(day, part, invoice.currency, rule),
    )
    return numbering.write(work, note, Series.CREDIT_NOTE)


def _cancel_credit(work: Work, refund: Refund) -> CreditCancellation | None:
    """All of the note, to the minor unit, on the day on which the money came back."""
    note = queries.credit_note_of(work.session, refund.id)
    if note is None:
        return None
    cancellation = CreditCancellation(
        credit_note_id=note.id,
        student_id=note.student_id,
        lines=[asdict(wording.canceled_line(note, refund))],
        texts=wording.cancellation_texts(note),
        seller=note.seller,
        buyer=note.buyer,
        **_facts(
            school_day(work.now),
            Split(note.gross_minor, note.net_minor, note.tax_minor),
            note.currency,
            TaxRule(note.country, note.rate_bps, None),
        ),
    )
    return numbering.write(work, cancellation, Series.CANCELLATION)


def _facts(day: date, amounts: Split, currency: str, rule: TaxRule) -> dict[str, Any]:
    """The columns that say when, how much, and which tax."""
    told = {"issued_on": day, "currency": currency, "rate_bps": rule.rate_bps, "country": rule.country}
    return {**asdict(amounts), **told}
