"""Disputes: opened by a provider's word or by hand, their lessons frozen, then won or lost.

A lost dispute is a line of money of its own. It is no refund, and no payment becomes `refunded` by it; its amount cannot be
refunded any more, and while it is open it cannot either.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from guitaronline import money
from guitaronline.actor import STAFF_ROLES
from guitaronline.billing import ledger, room, rules, settling
from guitaronline.billing.dispute_models import Dispute, DisputeStatus
from guitaronline.billing.models import Package, PackageStatus, Payment, PaymentProvider, PaymentStatus
from guitaronline.billing.packages import thaw
from guitaronline.billing.refusals import (
    DisputeExceedsPayment,
    InvalidDispute,
    NotByHand,
    PaymentNotSucceeded,
    require_reason,
)
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.states import IllegalMove
from guitaronline.unit_of_work import Work, command

CAME = (PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED)


@command("dispute.open", on="payments")
def open_dispute(
    work: Work,
    payment_id: UUID,
    *,
    amount_minor: int,
    fee_minor: int = 0,
    evidence_due_at: datetime | None = None,
    reason: str | None,
) -> Dispute:
    """A bank takes money back that was paid by hand: the unused lessons of that purchase are frozen until it is decided.

    Locks the payment, then its package. Raises ReasonRequired, InvalidDispute, NotByHand, PaymentNotSucceeded,
    DisputeExceedsPayment."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package = settling.lock_payment(work, payment_id)
    if payment.provider is not PaymentProvider.MANUAL:
        raise NotByHand("The provider tells of its disputes by itself.", provider=payment.provider.value)
    _require_open_to_dispute(work, payment, amount_minor, fee_minor, evidence_due_at)
    return open_step(
        work, payment, package, amount_minor, fee_minor=fee_minor, evidence_due_at=evidence_due_at, reason=said
    )


def _require_open_to_dispute(
    work: Work, payment: Payment, amount_minor: int, fee_minor: int, evidence_due_at: datetime | None
) -> None:
    problems = []
    if not 0 <= fee_minor <= money.LARGEST_MINOR:
        problems.append(Reason("fee_invalid", "The fee is out of range.", pointer="/fee"))
    if evidence_due_at is not None and not work.now < evidence_due_at < work.now.replace(year=9998, month=1, day=1):
        problems.append(Reason("evidence_due_on_invalid", "The day must be still to come.", pointer="/evidence_due_on"))
    if problems:
        raise InvalidDispute(reasons=problems)
    if payment.status not in CAME:
        raise PaymentNotSucceeded("Only money that came can be disputed.", status=payment.status.value)
    gone = room.spoken_for(work.session, payment.id)
    left = payment.amount_minor - gone.lost_minor - gone.disputed_minor
    if not 1 <= amount_minor <= left:
        raise DisputeExceedsPayment(limit=left, asked=amount_minor)


def open_step(
    work: Work,
    payment: Payment,
    package: Package,
    amount_minor: int,
    *,
    reason: str,
    fee_minor: int = 0,
    evidence_due_at: datetime | None = None,
    provider_reference: str | None = None,
) -> Dispute:
    """A step: the dispute is open, and a package that lives and is not frozen already is frozen by it."""
    freezes = package.frozen_at is None and not rules.living_problems(package, work.now)
    dispute = Dispute(
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        fee_minor=fee_minor,
        status=DisputeStatus.OPEN,
        reason=reason,
        provider_reference=provider_reference,
        evidence_due_at=evidence_due_at,
        freezes=freezes,
        lessons_revoked=0,
    )
    work.create(dispute)
    work.session.flush()
    if freezes:
        package.frozen_at, package.frozen_reason = work.now, f"dispute {dispute.reference}"
        work.emit("package.frozen", package)
    return dispute


@command("dispute.decide", on="disputes")
def decide_dispute(work: Work, dispute_id: UUID, *, won: bool, reason: str | None) -> Dispute:
    """The bank has decided about money that was paid by hand; see `decide_step`. Told again: no-op.

    Locks the payment, its package, the dispute. Raises ReasonRequired, NotByHand, IllegalMove."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package, dispute = _lock(work, dispute_id)
    target = DisputeStatus.WON if won else DisputeStatus.LOST
    if dispute.status is target:
        return dispute
    if payment.provider is not PaymentProvider.MANUAL:
        raise NotByHand("The provider says how it ended.", provider=payment.provider.value)
    decide_step(work, payment, package, dispute, target, reason=said)
    return dispute


def decide_step(
    work: Work, payment: Payment, package: Package, dispute: Dispute, target: DisputeStatus, *, reason: str
) -> None:
    """A step. Won: the package that it froze can be used again. Lost: besides, the unused lessons that the amount paid for
    are revoked (`revoke:<dispute>`), by the rule of refunds. Raises IllegalMove."""
    lost = target is DisputeStatus.LOST
    figures = settling.figures_of(work.session, payment, package)
    lessons = settling.lessons_taken(work.session, payment, package, figures, dispute.amount_minor) if lost else 0
    work.move(dispute, target)
    dispute.decided_at, dispute.lessons_revoked = work.now, lessons
    _thaw(work, package, dispute)
    ledger.revoke(work, package, lessons, f"revoke:{dispute.id}", reason=reason)
    work.session.flush()
    nothing_left = room.spoken_for(work.session, payment.id).committed_minor >= payment.amount_minor
    if lessons and nothing_left and package.status is PackageStatus.DEPLETED:
        work.move(package, PackageStatus.REVOKED)


def _thaw(work: Work, package: Package, dispute: Dispute) -> None:
    """What the dispute froze is free, unless another one of the same package is open: then that one freezes it."""
    if not dispute.freezes:
        return
    dispute.freezes = False
    others = (
        select(Dispute)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(Payment.package_id == package.id, Dispute.status == DisputeStatus.OPEN, Dispute.id != dispute.id)
        .order_by(Dispute.id)
        .limit(1)
        .with_for_update(of=Dispute, key_share=True)
    )
    other = work.session.scalars(others, execution_options={"populate_existing": True}).one_or_none()
    if other is not None:
        other.freezes = True
        package.frozen_reason = f"dispute {other.reference}"
    else:
        thaw(work, package)


@command("dispute.assign", on="disputes")
def assign_dispute(
    work: Work, dispute_id: UUID, *, owner_id: UUID | None, evidence_due_at: datetime | None = None
) -> Dispute:
    """Somebody of finance looks after the dispute, and its evidence is due then. Locks the dispute.

    Raises InvalidDispute, IllegalMove when it is decided."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    dispute = _lock_open(work, dispute_id)
    owner = work.find(User, owner_id) if owner_id else None
    if owner is not None and not (owner.is_active and owner.role in STAFF_ROLES):
        unfit = Reason("owner_id_invalid", "Somebody active of the staff looks after it.", pointer="/owner_id")
        raise InvalidDispute(reasons=[unfit])
    dispute.owner_id, dispute.evidence_due_at = owner_id, evidence_due_at
    return dispute


@command("dispute.answer", on="disputes")
def answer_dispute(work: Work, dispute_id: UUID, *, reason: str | None) -> Dispute:
    """The evidence was handed in; `reason` says what and where. Told again: as before. Locks the dispute."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    require_reason(reason)
    dispute = _lock_open(work, dispute_id)
    if dispute.evidence_sent_at is None:
        dispute.evidence_sent_at = work.now
        work.emit("dispute.answered", dispute)
    return dispute


def _lock(work: Work, dispute_id: UUID) -> tuple[Payment, Package, Dispute]:
    payment, package = settling.lock_payment(work, work.find(Dispute, dispute_id).payment_id)
    return payment, package, work.lock(Dispute, dispute_id)


def _lock_open(work: Work, dispute_id: UUID) -> Dispute:
    dispute = work.lock(Dispute, dispute_id)
    if dispute.status is not DisputeStatus.OPEN:
        raise IllegalMove("The dispute is decided.", record="disputes", source=dispute.status, target=dispute.status)
    return dispute
