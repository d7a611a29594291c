"""The words on invoices and credit notes. They are stored with what they stand on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import CreditNote, Invoice, Seller
from guitaronline.billing.invoices.tax import TaxRule
from guitaronline.billing.models import Package, Payment, Plan, Refund
from guitaronline.identity.models import User


@dataclass(frozen=True)
class Line:
    """What is charged: one sentence, more about it, and how much with its tax."""

    text: str
    detail: str
    gross_minor: int


def line_of(session: Session, payment: Payment, package: Package, student: User) -> Line:
    """The lessons that the payment bought, for whom, and when they can be taken."""
    plan = session.get(Plan, package.plan_id) if package.plan_id else None
    parts = [
        package.reference,
        f"for {student.full_name}" if student.full_name else "",
        _taken(package.activated_at, package.expires_at),
    ]
    part = "Part payment: " if payment.amount_minor < package.price_minor else ""
    named = f", plan “{plan.name}”" if plan else ""
    return Line(f"{part}{_lessons(package)}{named}", ", ".join(each for each in parts if each), payment.amount_minor)


def _lessons(package: Package) -> str:
    number = package.lessons_total or package.lessons_ordered or 0
    length = f" of {package.lesson_minutes} minutes" if package.lesson_minutes else ""
    return f"{number} guitar {'lesson' if number == 1 else 'lessons'}{length}"


def _taken(since: datetime | None, until: datetime | None) -> str:
    if since is None:
        return ""
    if until is None:
        return f"from {school_day(since).isoformat()}"
    return f"from {school_day(since).isoformat()} to {school_day(until).isoformat()}"


def invoice_texts(payment: Payment, rule: TaxRule, seller: Seller) -> list[str]:
    paid = f" on {school_day(payment.paid_at).isoformat()}" if payment.paid_at else ""
    texts = [
        f"Paid{paid} (payment {payment.reference}). Nothing of this invoice is left to pay.",
        rule.exemption,
        seller.footer,
    ]
    return [each for each in texts if each]


def credited_line(invoice: Invoice, refund: Refund) -> Line:
    """What of the invoice goes back."""
    what = invoice.lines[0]["text"] if invoice.lines else ""
    whole = refund.amount_minor == invoice.gross_minor
    return Line(f"{'Credit' if whole else 'Part credit'}: {what}", f"refund {refund.reference}", refund.amount_minor)


def credit_texts(invoice: Invoice) -> list[str]:
    """It names its invoice, and why no tax was charged where none was."""
    corrects = f"This credit note corrects invoice {invoice.reference} of {invoice.issued_on.isoformat()}."
    return [corrects, *invoice.texts[1:]]


def canceled_line(note: CreditNote, refund: Refund) -> Line:
    """What of the invoice stands again."""
    what = note.lines[0]["text"] if note.lines else ""
    return Line(f"Canceled: {what}", f"refund {refund.reference} came back", note.gross_minor)


def cancellation_texts(note: CreditNote) -> list[str]:
    """It names its credit note, and through that the invoice, and why no tax was charged where none was."""
    cancels = (
        f"This cancels credit note {note.reference} of {note.issued_on.isoformat()}: the money could not be paid out and came back."
        " The invoice stands again for this amount."
    )
    return [cancels, *note.texts]
