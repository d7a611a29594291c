"""What a move of money does: the steps that payments, refunds and approvals share.

The caller has locked the payment, then its package.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from guitaronline.billing import ledger, queries, room, rules
from guitaronline.billing.invoices import issuing as invoices
from guitaronline.billing.models import (
    Approval,
    Package,
    PackageStatus,
    Payment,
    PaymentProvider,
    PaymentStatus,
    PaymentTransition,
    Plan,
    Refund,
    RefundStatus,
)
from guitaronline.billing.refund_models import RefundCall, RefundSource
from guitaronline.billing.refusals import NothingToRefund, PackageRevoked, PaymentNotSucceeded, RefundExceedsPayment
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work


def lock_payment(work: Work, payment_id: UUID) -> tuple[Payment, Package]:
    """The payment, then its package, locked and fresh. Raises NotFound."""
    payment = work.lock(Payment, payment_id)
    return payment, work.lock(Package, payment.package_id)


def lock_with_student(work: Work, payment_id: UUID) -> tuple[Payment, Package]:
    """The same for what also grants: the student first. Raises NotFound."""
    work.lock(User, work.find(Payment, payment_id).student_id)
    return lock_payment(work, payment_id)


def write_transition(
    work: Work,
    payment: Payment,
    source: PaymentStatus | None,
    target: PaymentStatus,
    *,
    cause: str,
    reason: str | None = None,
    evidence: str | None = None,
) -> None:
    """One more row of the payment's history; the payment's lock orders them."""
    last = select(func.coalesce(func.max(PaymentTransition.sequence), 0) + 1)
    sequence = last.where(PaymentTransition.payment_id == payment.id).scalar_subquery()
    work.add(
        PaymentTransition(
            payment_id=payment.id,
            sequence=cast(int, sequence),
            from_status=source.value if source else None,
            to_status=target.value,
            cause=cause,
            reason=reason,
            evidence=evidence,
            actor_id=work.actor.id,
        )
    )


def move_payment(
    work: Work,
    payment: Payment,
    package: Package,
    target: PaymentStatus,
    *,
    cause: str,
    reason: str | None = None,
    evidence: str | None = None,
) -> None:
    """As `move_as_told`, but no money is taken for a package that was taken back. Raises IllegalMove, PackageRevoked."""
    if target is PaymentStatus.SUCCEEDED and package.status is PackageStatus.REVOKED:
        raise PackageRevoked(package=package.reference)
    move_as_told(work, payment, package, target, cause=cause, reason=reason, evidence=evidence)


def move_as_told(
    work: Work,
    payment: Payment,
    package: Package,
    target: PaymentStatus,
    *,
    cause: str,
    reason: str | None = None,
    evidence: str | None = None,
) -> None:
    """The payment has that state and its history says why, whatever became of the package. The first success is its time
    of payment, and activates a package that was waiting for it: its lessons are granted once. Raises IllegalMove."""
    source = payment.status
    work.move(payment, target)
    write_transition(work, payment, source, target, cause=cause, reason=reason, evidence=evidence)
    if target is PaymentStatus.SUCCEEDED:
        payment.paid_at = work.now  # only once: no move leads back from here
        if package.status is PackageStatus.PENDING:
            _activate(work, package)
        invoices.issue(work, payment, package)


def _activate(work: Work, package: Package) -> None:
    plan = work.find(Plan, package.plan_id) if package.plan_id else None
    package.expires_at = rules.expiry_when_activated(
        now=work.now,
        ordered_at=package.created_at,
        expires_at=package.expires_at,
        valid_days=plan.valid_days if plan else None,
    )
    package.activated_at = work.now
    work.move(package, PackageStatus.ACTIVE)
    ledger.grant(work, package, package.lessons_ordered or 0, f"grant:{package.id}")


def figures_of(
    session: Session, payment: Payment, package: Package, delivered: int | None = None
) -> rules.RefundFigures:
    """What can be refunded. `delivered` None: counted from the package's lessons."""
    if delivered is None:
        delivered = queries.delivered_lessons(session, package.id)
    others = queries.money_of_others(session, payment)
    spoken_for = room.spoken_for(session, payment.id)
    return rules.refund_figures(
        paid_minor=payment.amount_minor,
        committed_minor=spoken_for.committed_minor,
        disputed_minor=spoken_for.disputed_minor,
        lessons_total=package.lessons_total,
        delivered=delivered,
        price_minor=package.price_minor if package.currency == payment.currency else 0,
        covered_otherwise=0 < package.price_minor <= others.left_minor,
        others_gone_minor=0 if others.left_minor > 0 else others.paid_minor,
    )


def refund_amount(payment: Payment, figures: rules.RefundFigures, amount_minor: int | None) -> int:
    """What is asked for, or what the rule offers. Raises PaymentNotSucceeded, NothingToRefund, RefundExceedsPayment."""
    if payment.status is PaymentStatus.REFUNDED:
        raise NothingToRefund()
    if payment.status is not PaymentStatus.SUCCEEDED:
        raise PaymentNotSucceeded(status=payment.status.value)
    asked = figures.refundable_minor if amount_minor is None else amount_minor
    if figures.left_minor == 0 or (amount_minor is None and asked == 0):
        raise NothingToRefund(left_minor=figures.left_minor, refundable_minor=figures.refundable_minor)
    if not 1 <= asked <= figures.left_minor:
        raise RefundExceedsPayment(limit=figures.left_minor, asked=asked)
    return asked


def lessons_taken(
    session: Session,
    payment: Payment,
    package: Package,
    figures: rules.RefundFigures,
    amount_minor: int,
    *,
    available: int | None = None,
) -> int:
    """How many unused lessons a refund of that amount takes; a package that has ended has none to take.

    `available`: how many there will be by then; None: as many as now."""
    if available is None:
        available = package.available if package.status in rules.LIVING else 0
    return rules.lessons_to_revoke(
        figures,
        amount_minor,
        revoked_before=room.spoken_for(session, payment.id).lessons_revoked,
        available=available,
    )


def make_refund(
    work: Work,
    payment: Payment,
    package: Package,
    figures: rules.RefundFigures,
    amount_minor: int,
    *,
    reason: str,
    requested_by: UUID | None,
    approval: Approval | None = None,
) -> Refund:
    """The refund is pending, and the unused lessons it pays back are revoked (`revoke:<refund>`). A provider's waits in the
    queue of those that it is asked for."""
    refund = Refund(
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        status=RefundStatus.PENDING,
        reason=reason,
        lessons_revoked=lessons_taken(work.session, payment, package, figures, amount_minor),
        requested_by=requested_by,
        approval_id=approval.id if approval else None,
    )
    _add_refund(work, package, refund)
    if payment.provider is not PaymentProvider.MANUAL:
        work.session.add(RefundCall(id=refund.id))
    return refund


def note_refund(
    work: Work, payment: Payment, package: Package, amount_minor: int, *, provider_reference: str, reason: str
) -> Refund:
    """A refund that the provider made and nobody here asked for stands, pending; its lessons are revoked by the same rule,
    and finance has to look at it."""
    figures = figures_of(work.session, payment, package)
    refund = Refund(
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        status=RefundStatus.PENDING,
        reason=reason,
        lessons_revoked=lessons_taken(work.session, payment, package, figures, amount_minor),
        source=RefundSource.PROVIDER,
        provider_reference=provider_reference,
        needs_look=True,
    )
    _add_refund(work, package, refund)
    work.emit("refund.unexpected", refund)
    return refund


def _add_refund(work: Work, package: Package, refund: Refund) -> None:
    work.create(refund)
    ledger.revoke(work, package, refund.lessons_revoked, f"revoke:{refund.id}", reason=refund.reason)
    work.session.flush()


def close_refund(
    work: Work, payment: Payment, package: Package, refund: Refund, target: RefundStatus, *, reason: str | None
) -> None:
    """The pending refund is paid out, or its lessons and its room are back. Raises IllegalMove.

    When all of the payment has been paid out it is `refunded`, and a package with nothing left is revoked."""
    work.move(refund, target)
    refund.settled_at = work.now
    if payment.provider is not PaymentProvider.MANUAL:
        _close_call(work, refund)
    if target is not RefundStatus.SUCCEEDED:
        ledger.unrevoke(work, package, refund.lessons_revoked, f"unrevoke:{refund.id}")
        return
    work.session.flush()
    invoices.credit(work, payment, refund)
    if queries.refunds_sum(work.session, payment.id, RefundStatus.SUCCEEDED) < payment.amount_minor:
        return
    move_payment(work, payment, package, PaymentStatus.REFUNDED, cause=f"refund:{refund.id}", reason=reason)
    if queries.lessons_revoked(work.session, payment.id) > 0 and package.status is PackageStatus.DEPLETED:
        work.move(package, PackageStatus.REVOKED)
        refund.ended_package = True


def return_refund(work: Work, payment: Payment, package: Package, refund: Refund, *, reason: str) -> None:
    """The refund that was reported as paid out came back: it has failed after all, its room and its lessons are back, and
    neither is the payment refunded any more nor its package taken back by that. Its credit note is canceled. Finance has to look."""
    was_refunded = payment.status is PaymentStatus.REFUNDED
    work.move(refund, RefundStatus.FAILED)
    refund.returned_at, refund.needs_look = work.now, True  # `settled_at` stays: that day the money was out
    invoices.cancel_credit(work, refund)
    _give_back_package(work, payment, package)
    ledger.unrevoke(work, package, refund.lessons_revoked, f"unrevoke:{refund.id}")
    if was_refunded:
        source = payment.status
        work.move(payment, PaymentStatus.SUCCEEDED)
        cause = f"refund_returned:{refund.id}"
        write_transition(work, payment, source, PaymentStatus.SUCCEEDED, cause=cause, reason=reason)


def _give_back_package(work: Work, payment: Payment, package: Package) -> None:
    """A package that ended because its payment was refunded lives again, empty."""
    ended = update(Refund).where(Refund.payment_id == payment.id, Refund.ended_package).values(ended_package=False)
    if work.session.execute(ended.returning(Refund.id)).all() and package.status is PackageStatus.REVOKED:
        work.move(package, PackageStatus.DEPLETED)


def _close_call(work: Work, refund: Refund) -> None:
    """The provider need not be asked any more."""
    call = update(RefundCall).where(RefundCall.id == refund.id, RefundCall.closed_at.is_(None))
    work.session.execute(call.values(closed_at=func.clock_timestamp(), lease_until=None))
