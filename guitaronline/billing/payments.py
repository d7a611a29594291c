"""Payments by hand: recorded, then succeeded or failed, with evidence, and with a second person above the limit."""

from __future__ import annotations

from uuid import UUID

from guitaronline import policy
from guitaronline.billing import approvals, purchasing, queries, rules, settling
from guitaronline.billing.models import (
    Approval,
    ApprovalKind,
    Package,
    PackageStatus,
    Payment,
    PaymentProvider,
    PaymentStatus,
    RefundStatus,
)
from guitaronline.billing.refusals import (
    EvidenceMissing,
    InvalidPayment,
    PackageRevoked,
    PaymentOfProvider,
    RefundPending,
)
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.states import IllegalMove
from guitaronline.unit_of_work import Work, command

FULL_REFUND = "recorded as refunded in full"


@command("payment.record", creates="payments")
def record_payment(
    work: Work,
    *,
    package_id: UUID,
    amount_minor: int,
    currency: str,
    external_reference: str | None = None,
    reason: str | None = None,
) -> Payment:
    """A payment for the package is awaited. Locks the package.

    Raises InvalidPayment with every reason, PackageRevoked, DuplicateReference."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    package = work.lock(Package, package_id)
    reference = rules.said(external_reference)
    problems = rules.payment_problems(
        package, amount_minor=amount_minor, currency=currency, external_reference=reference
    )
    if problems:
        raise InvalidPayment(reasons=problems)
    if package.status is PackageStatus.REVOKED:
        raise PackageRevoked(package=package.reference)
    return purchasing.await_payment(
        work,
        package,
        amount_minor,
        currency,
        PaymentProvider.MANUAL,
        payment_id=work.record_id,
        external_reference=reference,
        reason=rules.said(reason),
    )


@command("payment.set_status", on="payments")
def set_payment_status(
    work: Work,
    payment_id: UUID,
    *,
    status: PaymentStatus | str,
    reason: str | None = None,
    evidence: str | None = None,
) -> Payment | Approval:
    """The payment has that state, or an approval of it waits for a second person. The state it has already is a no-op.

    A payment through a provider is never moved by hand. `succeeded` needs a reason or evidence (an external reference is
    evidence), once failed evidence of its own;
    `refunded` gives back, at once, all that is left. Locks the payment, then its package. Raises InvalidPayment,
    PaymentOfProvider, IllegalMove, EvidenceMissing, RefundPending, PackageRevoked, ApprovalAlreadyPending."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    if status not in list(PaymentStatus):
        raise InvalidPayment(reasons=[Reason("status_invalid", "There is no such status.", pointer="/status")])
    target = PaymentStatus(status)
    payment, package = settling.lock_payment(work, payment_id)
    if payment.status is target:
        return payment
    if payment.provider is not PaymentProvider.MANUAL:
        raise PaymentOfProvider(provider=payment.provider.value)
    if (payment.status, target) == (PaymentStatus.REFUNDED, PaymentStatus.SUCCEEDED):
        raise IllegalMove(record="payments", source=payment.status, target=target)  # only by a refund that comes back
    Payment.states.event(payment.status, target)  # raises IllegalMove
    said, seen = rules.said(reason), rules.said(evidence)
    if target is PaymentStatus.REFUNDED:
        return _refund_all(work, payment, package, said or FULL_REFUND)
    _require_evidence(payment, target, said, seen)
    if target is PaymentStatus.SUCCEEDED and approvals.is_asked_for(work, payment.amount_minor):
        wish = {"reason": said, "evidence": seen}
        because = said or "see the evidence"
        return approvals.ask(
            work, payment, ApprovalKind.PAYMENT_SUCCEEDED, payment.amount_minor, reason=because, wish=wish
        )
    settling.move_payment(work, payment, package, target, cause=_by_hand(work), reason=said, evidence=seen)
    return payment


def _refund_all(work: Work, payment: Payment, package: Package, reason: str) -> Payment | Approval:
    """All that is left is refunded and settled in this transaction."""
    on_its_way = queries.refunds_sum(work.session, payment.id, RefundStatus.PENDING)
    if on_its_way:
        raise RefundPending(pending_minor=on_its_way)
    figures = settling.figures_of(work.session, payment, package)
    left = settling.refund_amount(payment, figures, figures.left_minor)
    if approvals.is_asked_for(work, left, before_minor=figures.committed_minor):
        return approvals.ask(work, payment, ApprovalKind.REFUND, left, reason=reason, wish={"settle": True})
    refund = settling.make_refund(work, payment, package, figures, left, reason=reason, requested_by=work.actor.id)
    settling.close_refund(work, payment, package, refund, RefundStatus.SUCCEEDED, reason=reason)
    return payment


def _require_evidence(payment: Payment, target: PaymentStatus, reason: str | None, evidence: str | None) -> None:
    """A failed payment is reopened or succeeds on evidence only. Above the approval limit a success needs a person's word."""
    if payment.status is PaymentStatus.FAILED and evidence is None:
        raise EvidenceMissing("This payment failed: only evidence that the money came can change that.")
    is_large = payment.amount_minor > policy.current().APPROVAL_ABOVE_MINOR
    if target is PaymentStatus.SUCCEEDED and is_large and not (evidence or reason or payment.external_reference):
        raise EvidenceMissing()


def _by_hand(work: Work) -> str:
    return f"person:{work.action_id}"
