"""What a printed page says: invoice, credit note and receipt, all of one shape. Made from what is stored, by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.billing.invoices import addresses, sellers, wording
from guitaronline.billing.invoices.countries import name_of
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import CreditCancellation, CreditNote, Invoice
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.tax import percent
from guitaronline.billing.invoices.wording import Line
from guitaronline.billing.models import Package, Payment, PaymentStatus, Refund, RefundStatus
from guitaronline.errors import Conflict
from guitaronline.identity.models import User
from guitaronline.money import Money

SCHOOL = "GuitarOnline"  # who receives, as long as nobody said who sells


class NothingReceived(Conflict):
    detail = "There is a receipt when the money came."


@dataclass(frozen=True)
class Document:
    """One page of paper. Amounts are words already: `49.00 EUR`."""

    title: str
    reference: str
    seller: Party
    buyer: Party
    facts: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    totals: Sequence[tuple[str, str]]  # the last one is the sum that counts
    currency: str
    texts: Sequence[str] = field(default_factory=tuple)

    def amount(self, amount_minor: int) -> str:
        return str(Money(amount_minor, self.currency))


def of_invoice(invoice: Invoice) -> Document:
    """From the invoice alone."""
    return _issued("Invoice", invoice, [("Invoice date", invoice.issued_on.isoformat())])


def of_credit_note(note: CreditNote) -> Document:
    """From the credit note alone; its texts name the invoice."""
    return _issued("Credit note", note, [("Date", note.issued_on.isoformat())])


def of_cancellation(cancellation: CreditCancellation) -> Document:
    """From the cancellation alone; its texts name the credit note and the invoice."""
    return _issued("Cancellation of a credit note", cancellation, [("Date", cancellation.issued_on.isoformat())])


def of_receipt(session: Session, payment: Payment) -> Document:
    """Money that was received, and what of it went back. No invoice: it shows no tax. Raises NothingReceived."""
    if payment.paid_at is None or payment.status not in (PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED):
        raise NothingReceived(status=payment.status.value)
    student = session.get_one(User, payment.student_id)
    package = session.get_one(Package, payment.package_id)
    query = select(Refund).where(Refund.payment_id == payment.id, Refund.status == RefundStatus.SUCCEEDED)
    back = list(session.scalars(query.order_by(Refund.id).limit(100)))
    line = wording.line_of(session, payment, package, student)
    returned = [Line("Paid back", f"refund {each.reference}", -each.amount_minor) for each in back]
    kept = payment.amount_minor - sum(each.amount_minor for each in back)
    paid_on = school_day(payment.paid_at)
    return Document(
        title="Receipt",
        reference=payment.reference,
        seller=_receiver(session, paid_on),
        buyer=addresses.buyer_of(session, student),
        facts=[("Received on", paid_on.isoformat()), ("Payment", payment.reference)],
        lines=[line, *returned],
        totals=[("Received", str(Money(kept, payment.currency)))],
        currency=payment.currency,
        texts=["This receipt says that the money came. It is no invoice."],
    )


def _receiver(session: Session, day: date) -> Party:
    seller = sellers.seller_on(session, day)
    return Party.of(seller) if seller else Party(name=SCHOOL)


def _issued(title: str, paper: Invoice | CreditNote | CreditCancellation, facts: list[tuple[str, str]]) -> Document:
    def money(amount_minor: int) -> str:
        return str(Money(amount_minor, paper.currency))

    tax = f"Tax {percent(paper.rate_bps)} ({name_of(paper.country)})" if paper.rate_bps else "Tax"
    buyer = Party.stored(paper.buyer)
    known = [("Your tax id", buyer.tax_id)] if buyer.tax_id else []
    return Document(
        title=title,
        reference=paper.reference,
        seller=Party.stored(paper.seller),
        buyer=buyer,
        facts=[("Number", paper.reference), *facts, *known],
        lines=[Line(**each) for each in paper.lines],
        totals=[("Net", money(paper.net_minor)), (tax, money(paper.tax_minor)), ("Total", money(paper.gross_minor))],
        currency=paper.currency,
        texts=paper.texts,
    )
