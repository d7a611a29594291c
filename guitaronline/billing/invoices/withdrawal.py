"""The right to withdraw from a purchase: until when, and what would go back now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing import settling
from guitaronline.billing.invoices import consents
from guitaronline.billing.invoices.days import end_of, school_day
from guitaronline.billing.invoices.models import WithdrawalConsent
from guitaronline.billing.models import Package, PackageOrigin, Payment, PaymentStatus
from guitaronline.billing.rules import RefundFigures


@dataclass(frozen=True)
class Withdrawal:
    """What the buyer may do at a moment; `refund_minor` is what would go back, by the rule that decides refunds."""

    until: datetime
    is_open: bool
    refund_minor: int
    delivered: int
    consent: WithdrawalConsent | None


def withdrawal_until(bought_at: datetime, days: int) -> datetime:
    """The end of the last day, on the school's clock: the day of the purchase does not count."""
    return end_of(school_day(bought_at) + timedelta(days=days))


def withdrawal_refund(figures: RefundFigures, *, has_agreed: bool) -> int:
    """All that is left when nothing was delivered, or when nobody had agreed that lessons begin before the days were over;
    otherwise what was delivered is owed, and the rule of refunds says what is left."""
    return figures.refundable_minor if figures.delivered and has_agreed else figures.left_minor


def withdrawal_of(session: Session, payment: Payment, package: Package, now: datetime) -> Withdrawal | None:
    """None where nothing was bought and paid, or where there is no such right."""
    if package.origin is not PackageOrigin.PURCHASE or payment.status is not PaymentStatus.SUCCEEDED:
        return None
    consent = consents.consent_of(session, package)
    days = policy.current().WITHDRAWAL_DAYS if consent is None else consent.days
    if days == 0:
        return None
    until = withdrawal_until(package.created_at, days)
    figures = settling.figures_of(session, payment, package)
    agreed = consent is not None and consent.is_given
    return Withdrawal(until, now < until, withdrawal_refund(figures, has_agreed=agreed), figures.delivered, consent)
