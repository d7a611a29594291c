"""Money goes back: previewed, asked for, and settled: by hand where it was paid by hand, else by the provider's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing import approvals, queries, refund_queue, rules, settling
from guitaronline.billing.models import (
    Approval,
    ApprovalKind,
    Package,
    Payment,
    PaymentProvider,
    Refund,
    RefundStatus,
)
from guitaronline.billing.queries import LiveBooking
from guitaronline.billing.refusals import NotByHand, RefundUnderWay, require_reason
from guitaronline.billing.rules import RefundFigures
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.states import IllegalMove
from guitaronline.unit_of_work import Work, command


@dataclass(frozen=True)
class RefundPreview:
    """What a refund of `amount_minor` would do."""

    figures: RefundFigures
    amount_minor: int
    lessons_revoked: int
    needs_approval: bool
    bookings: list[LiveBooking]  # what the package still has to serve; each is canceled or kept


def refund_preview(
    session: Session,
    payment_id: UUID,
    *,
    now: datetime,
    amount_minor: int | None = None,
    delivered: int | None = None,
    available: int | None = None,
) -> RefundPreview:
    """The consequences, by the rules that decide; None: the amount that the rule offers. `available`: how many lessons the
    package has by then, where bookings are canceled with it. Changes nothing.

    Raises what `refund_payment` would raise."""
    payment, package = payment_and_package(session, payment_id)
    figures = settling.figures_of(session, payment, package, delivered)
    amount = settling.refund_amount(payment, figures, amount_minor)
    limit = policy.current().APPROVAL_ABOVE_MINOR
    return RefundPreview(
        figures=figures,
        amount_minor=amount,
        lessons_revoked=settling.lessons_taken(session, payment, package, figures, amount, available=available),
        needs_approval=rules.needs_approval(amount, before_minor=figures.committed_minor, limit_minor=limit),
        bookings=queries.live_bookings(session, package.id, now=now),
    )


def payment_and_package(session: Session, payment_id: UUID) -> tuple[Payment, Package]:
    """Fresh, unlocked. Raises NotFound."""
    payment = session.get(Payment, payment_id, populate_existing=True)
    if payment is None:
        raise NotFound(record="payments", id=str(payment_id))
    return payment, session.get_one(Package, payment.package_id, populate_existing=True)


@command("refund.ask", on="payments")
def refund_payment(
    work: Work, payment_id: UUID, *, amount_minor: int | None = None, reason: str | None
) -> Refund | Approval:
    """A refund is pending (None: of what the rule offers) and its lessons are revoked, or an approval of it waits.

    Locks the payment, then its package. Raises ReasonRequired, PaymentNotSucceeded, NothingToRefund,
    RefundExceedsPayment, RefundUnknown, ApprovalAlreadyPending."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package = settling.lock_payment(work, payment_id)
    refund_queue.require_known(work, payment)
    figures, amount = judge(work, payment, package, amount_minor)
    return ask_approval(work, payment, figures, amount, reason=said) or settling.make_refund(
        work, payment, package, figures, amount, reason=said, requested_by=work.actor.id
    )


def judge(work: Work, payment: Payment, package: Package, amount_minor: int | None) -> tuple[RefundFigures, int]:
    """A step: what of the locked payment can go back, and how much of it will.

    Raises PaymentNotSucceeded, NothingToRefund, RefundExceedsPayment."""
    figures = settling.figures_of(work.session, payment, package)
    return figures, settling.refund_amount(payment, figures, amount_minor)


def ask_approval(
    work: Work,
    payment: Payment,
    figures: RefundFigures,
    amount_minor: int,
    *,
    reason: str,
    wish: Mapping[str, Any] | None = None,
) -> Approval | None:
    """A step: the approval that waits where a second person has to allow it; None where nobody has to."""
    if not approvals.is_asked_for(work, amount_minor, before_minor=figures.committed_minor):
        return None
    whole = {"settle": False, **(wish or {})}
    return approvals.ask(work, payment, ApprovalKind.REFUND, amount_minor, reason=reason, wish=whole)


@command("refund.settle", on="refunds")
def settle_refund(work: Work, refund_id: UUID, *, succeeded: bool, reason: str | None = None) -> Refund:
    """The refund was paid out by hand, or failed: then (with a reason) its lessons and its room are back. Told again: no-op.

    A provider's refund is settled by the provider; by hand (with a reason) only when nobody can be asked any more.
    Locks the payment, its package, the refund. Raises ReasonRequired, NotByHand, IllegalMove."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    target = RefundStatus.SUCCEEDED if succeeded else RefundStatus.FAILED
    said = rules.said(reason) if succeeded else require_reason(reason)
    payment, package, refund = _lock(work, refund_id)
    if refund.status is target:
        return refund
    if refund.status is not RefundStatus.PENDING:
        raise IllegalMove(record="refunds", source=refund.status, target=target)
    if payment.provider is not PaymentProvider.MANUAL:
        if not refund_queue.is_left_to_people(work.session, refund.id):
            raise NotByHand(provider=payment.provider.value)
        require_reason(reason)
    settling.close_refund(work, payment, package, refund, target, reason=said)
    return refund


@command("refund.cancel", on="refunds")
def cancel_refund(work: Work, refund_id: UUID, *, reason: str | None) -> Refund:
    """The pending refund is withdrawn, its lessons and its room are back; a provider's only before it was asked.

    Locks as `settle_refund`. Raises ReasonRequired, RefundUnderWay, IllegalMove."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package, refund = _lock(work, refund_id)
    if refund.status is RefundStatus.CANCELED:
        return refund
    has_provider = payment.provider is not PaymentProvider.MANUAL and refund.status is RefundStatus.PENDING
    if has_provider and not refund_queue.take_off(work, refund.id):
        raise RefundUnderWay(refund=refund.reference)
    settling.close_refund(work, payment, package, refund, RefundStatus.CANCELED, reason=said)
    return refund


@command("refund.look_at", on="refunds")
def look_at_refund(work: Work, refund_id: UUID, *, reason: str | None) -> Refund:
    """Somebody of finance has looked at what came unasked or came back, and says what it was. Locks the refund."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    require_reason(reason)
    refund = work.lock(Refund, refund_id)
    refund.needs_look = False
    return refund


def _lock(work: Work, refund_id: UUID) -> tuple[Payment, Package, Refund]:
    payment, package = settling.lock_payment(work, work.find(Refund, refund_id).payment_id)
    return payment, package, work.lock(Refund, refund_id)
