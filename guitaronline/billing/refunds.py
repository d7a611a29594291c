"""Money goes back: previewed, asked for, settled when it has been paid out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing import approvals, queries, rules, settling
from guitaronline.billing.models import Approval, ApprovalKind, Package, Payment, Refund, RefundStatus
from guitaronline.billing.queries import LiveBooking
from guitaronline.billing.refusals import require_reason
from guitaronline.billing.rules import RefundFigures
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command


@dataclass(frozen=True)
class RefundPreview:
    """What a refund of `amount_minor` would do."""

    figures: RefundFigures
    amount_minor: int
    lessons_revoked: int
    needs_approval: bool
    bookings: list[LiveBooking]  # what the package still has to serve; each is canceled or kept by its own command


def refund_preview(
    session: Session, payment_id: UUID, *, now: datetime, amount_minor: int | None = None, delivered: int | None = None
) -> RefundPreview:
    """The consequences, by the rules that decide; None: the amount that the rule offers. Changes nothing.

    Raises what `refund_payment` would raise."""
    payment = session.get(Payment, payment_id, populate_existing=True)
    if payment is None:
        raise NotFound(record="payments", id=str(payment_id))
    package = session.get_one(Package, payment.package_id, populate_existing=True)
    figures = settling.figures_of(session, payment, package, delivered)
    amount = settling.refund_amount(payment, figures, amount_minor)
    limit = policy.current().APPROVAL_ABOVE_MINOR
    return RefundPreview(
        figures=figures,
        amount_minor=amount,
        lessons_revoked=settling.lessons_taken(session, payment, package, figures, amount),
        needs_approval=rules.needs_approval(amount, before_minor=figures.committed_minor, limit_minor=limit),
        bookings=queries.live_bookings(session, package.id, now=now),
    )


@command("refund.ask", on="payments")
def refund_payment(
    work: Work, payment_id: UUID, *, amount_minor: int | None = None, reason: str | None
) -> Refund | Approval:
    """A refund is pending (None: of what the rule offers) and its lessons are revoked, or an approval of it waits.

    Locks the payment, then its package. Raises ReasonRequired, PaymentNotSucceeded, NothingToRefund,
    RefundExceedsPayment, ApprovalAlreadyPending."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package = settling.lock_payment(work, payment_id)
    figures = settling.figures_of(work.session, payment, package)
    amount = settling.refund_amount(payment, figures, amount_minor)
    if approvals.is_asked_for(work, amount, before_minor=figures.committed_minor):
        return approvals.ask(work, payment, ApprovalKind.REFUND, amount, reason=said, wish={"settle": False})
    return settling.make_refund(work, payment, package, figures, amount, reason=said, requested_by=work.actor.id)


@command("refund.settle", on="refunds")
def settle_refund(work: Work, refund_id: UUID, *, succeeded: bool, reason: str | None = None) -> Refund:
    """The refund was paid out, or failed: then (with a reason) its lessons and its room are back. Told again: no-op.

    Locks the payment, its package, the refund. Raises ReasonRequired, IllegalMove."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    return _close(work, refund_id, RefundStatus.SUCCEEDED if succeeded else RefundStatus.FAILED, reason)


@command("refund.cancel", on="refunds")
def cancel_refund(work: Work, refund_id: UUID, *, reason: str | None) -> Refund:
    """The pending refund is withdrawn, its lessons and its room are back. Locks and raises as `settle_refund`."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    return _close(work, refund_id, RefundStatus.CANCELED, reason)


def _close(work: Work, refund_id: UUID, target: RefundStatus, reason: str | None) -> Refund:
    said = rules.said(reason) if target is RefundStatus.SUCCEEDED else require_reason(reason)
    payment, package = settling.lock_payment(work, work.find(Refund, refund_id).payment_id)
    refund = work.lock(Refund, refund_id)
    if refund.status is not target:
        settling.close_refund(work, payment, package, refund, target, reason=said)
    return refund
