"""What one person asks for above the limit, a second one allows or rejects.

The approval keeps the wish word for word and what the payment was like then; it is done only if that still holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline import policy
from guitaronline.billing import queries, rules, settling
from guitaronline.billing.models import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    Package,
    Payment,
    PaymentStatus,
    RefundStatus,
)
from guitaronline.billing.refusals import (
    ApprovalAlreadyPending,
    ApprovalDecided,
    ApprovalOutdated,
    ApproverIsRequester,
    require_reason,
)
from guitaronline.errors import NotAllowed
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

conditions: list[Callable[[Work, Approval], bool]] = []  # what else must still be true; other chapters add theirs


def is_asked_for(work: Work, amount_minor: int, *, before_minor: int = 0) -> bool:
    """Whether a second person has to allow it; the system, which moves no money by hand, asks nobody."""
    limit = policy.current().APPROVAL_ABOVE_MINOR
    return not work.actor.is_system and rules.needs_approval(amount_minor, before_minor=before_minor, limit_minor=limit)


def ask(
    work: Work, payment: Payment, kind: ApprovalKind, amount_minor: int, *, reason: str, wish: dict[str, Any]
) -> Approval:
    """The wish waits for a second person. The same wish again gives the same approval.

    The caller has locked the payment. Raises ApprovalAlreadyPending when another wish of this kind waits."""
    wish = {**wish, **_state_of(work, payment)}
    waiting = work.session.scalars(
        select(Approval).where(
            Approval.payment_id == payment.id, Approval.kind == kind, Approval.status == ApprovalStatus.PENDING
        )
    ).one_or_none()
    if waiting is not None:
        if (waiting.requested_by, waiting.amount_minor, waiting.wish) == (work.actor.id, amount_minor, wish):
            return waiting
        raise ApprovalAlreadyPending(approval_id=str(waiting.id))
    approval = Approval(
        kind=kind,
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=reason,
        wish=wish,
        status=ApprovalStatus.PENDING,
        requested_by=work.actor.id,
    )
    work.create(approval)
    return approval


@command("approval.decide", on="approvals")
def decide_approval(work: Work, approval_id: UUID, *, approve: bool, reason: str | None = None) -> Approval:
    """What was asked for is done word for word, or rejected (with a reason). The same decision again changes nothing.

    Locks the payment, its package, the approval. Raises ApproverIsRequester, ApprovalDecided, ApprovalOutdated when
    the payment changed after the request (reject it, ask again), ReasonRequired."""
    access.require(work.actor, Permission.APPROVE)
    if work.actor.id is None:
        raise NotAllowed("An approval is given by a person.")
    if not approve:
        require_reason(reason)
    payment, package = settling.lock_payment(work, work.find(Approval, approval_id).payment_id)
    approval = work.lock(Approval, approval_id)
    decision = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
    if (approval.status, approval.decided_by) == (decision, work.actor.id):
        return approval
    if approval.status is not ApprovalStatus.PENDING:
        raise ApprovalDecided(status=approval.status.value)
    if approval.requested_by == work.actor.id:
        raise ApproverIsRequester()
    if approve and not _still_holds(work, payment, approval):
        raise ApprovalOutdated(payment=payment.reference)
    approval.decided_by, approval.decided_at = work.actor.id, work.now
    work.move(approval, decision)
    if approve:
        _DO[approval.kind](work, payment, package, approval)
    return approval


def _state_of(work: Work, payment: Payment) -> dict[str, Any]:
    """What must still be true when the wish is done: the payment row, and what of it is refunded or on its way."""
    committed = queries.refunds_sum(work.session, payment.id, *queries.COMMITTED)
    return {"payment_version": payment.version, "committed_minor": committed}


def _still_holds(work: Work, payment: Payment, approval: Approval) -> bool:
    state = _state_of(work, payment)
    if {key: approval.wish.get(key) for key in state} != state:
        return False
    return all(holds(work, approval) for holds in conditions)


def _do_success(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
    settling.move_payment(
        work,
        payment,
        package,
        PaymentStatus.SUCCEEDED,
        cause=approval.wish.get("cause", f"approval:{approval.id}"),
        reason=approval.wish["reason"],
        evidence=approval.wish["evidence"],
    )


def _do_refund(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
    figures = settling.figures_of(work.session, payment, package)
    amount = settling.refund_amount(payment, figures, approval.amount_minor)
    refund = settling.make_refund(
        work,
        payment,
        package,
        figures,
        amount,
        reason=approval.reason,
        requested_by=approval.requested_by,
        approval=approval,
    )
    if approval.wish["settle"]:
        settling.close_refund(work, payment, package, refund, RefundStatus.SUCCEEDED, reason=approval.reason)


_DO = {ApprovalKind.PAYMENT_SUCCEEDED: _do_success, ApprovalKind.REFUND: _do_refund}
