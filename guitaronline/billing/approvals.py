"""What one person asks for above the limit, a second one allows or rejects.

The approval keeps the wish word for word and what the payment was like then; it is done only if that still holds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline import policy
from guitaronline.billing import arriving, refund_queue, room, rules, settling
from guitaronline.billing.models import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    DecidedHow,
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
    NotRequester,
    require_reason,
)
from guitaronline.errors import NotAllowed
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

conditions: list[Callable[[Work, Approval], bool]] = []  # what else must still be true; other chapters add theirs
ALONE_AFTER = timedelta(hours=24)  # time for the owner to read the mail and say no

Do = Callable[[Work, Payment, Package, Approval], None]
refund_ways: dict[str, Do] = {}  # a wish's `to` → what does it; `source` here, `credit` in credits.py
done_first: dict[str, Do] = {}  # a part of a wish that a chapter above billing does before the money: `bookings`


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
        due_alone_at=work.now + ALONE_AFTER if policy.current().ONE_PERSON_APPROVALS else None,
    )
    work.create(approval)
    if approval.due_alone_at is not None:
        work.emit("approval.one_person", approval, due_at=approval.due_alone_at.isoformat())
    return approval


@command("approval.decide", on="approvals")
def decide_approval(work: Work, approval_id: UUID, *, approve: bool, reason: str | None = None) -> Approval:
    """What was asked for is done word for word, or rejected (with a reason). The same decision again changes nothing.

    Locks the student, the payment, its package, the approval. Raises ApproverIsRequester, ApprovalDecided, ApprovalOutdated when
    the payment changed after the request (reject it, ask again), ReasonRequired."""
    access.require(work.actor, Permission.APPROVE)
    if work.actor.id is None:
        raise NotAllowed("An approval is given by a person.")
    if not approve:
        require_reason(reason)
    payment, package, approval = lock(work, approval_id)
    if approve:
        refund_queue.require_known(work, payment)
    decision = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
    if (approval.status, approval.decided_by) == (decision, work.actor.id):
        return approval
    if approval.status is not ApprovalStatus.PENDING:
        raise ApprovalDecided(status=approval.status.value)
    if approval.requested_by == work.actor.id:
        raise ApproverIsRequester()
    if approve and not still_holds(work, payment, approval):
        raise ApprovalOutdated(payment=payment.reference)
    approval.decided_by, approval.decided_at = work.actor.id, work.now
    work.move(approval, decision)
    if approve:
        carry_out(work, payment, package, approval)
    return approval


@command("approval.withdraw", on="approvals")
def withdraw_approval(work: Work, approval_id: UUID, *, reason: str | None) -> Approval:
    """Whoever asked for it does not want it any more. Told again: no-op. Locks as `decide_approval`.

    Raises NotRequester, ApprovalDecided, ReasonRequired."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    require_reason(reason)
    _, _, approval = lock(work, approval_id)
    if approval.requested_by != work.actor.id:
        raise NotRequester()
    if approval.decided_how is DecidedHow.WITHDRAWN:
        return approval
    if approval.status is not ApprovalStatus.PENDING:
        raise ApprovalDecided(status=approval.status.value)
    approval.decided_how, approval.decided_at = DecidedHow.WITHDRAWN, work.now
    work.move(approval, ApprovalStatus.REJECTED)
    return approval


def lock(work: Work, approval_id: UUID) -> tuple[Payment, Package, Approval]:
    """A step: all that the approval's wish touches, locked in the one order; the student too, to whom it may grant."""
    payment, package = settling.lock_with_student(work, work.find(Approval, approval_id).payment_id)
    return payment, package, work.lock(Approval, approval_id)


def carry_out(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
    """A step: the wish is done word for word; a part of it that nobody here knows is an error, never left out."""
    for part in approval.wish.keys() & {"bookings"}:
        done_first[part](work, payment, package, approval)
    _DO[approval.kind](work, payment, package, approval)


def _state_of(work: Work, payment: Payment) -> dict[str, Any]:
    """What must still be true when the wish is done: the payment row, and what of it is refunded or on its way."""
    return {
        "payment_version": payment.version,
        "committed_minor": room.spoken_for(work.session, payment.id).total_minor,
    }


def still_holds(work: Work, payment: Payment, approval: Approval) -> bool:
    state = _state_of(work, payment)
    if {key: approval.wish.get(key) for key in state} != state:
        return False
    return all(holds(work, approval) for holds in conditions)


def _do_success(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
    """By hand none succeeds whose package was taken back. What a match found is there all the same."""
    how = {"reason": approval.wish["reason"], "evidence": approval.wish["evidence"]}
    found = approval.wish.get("cause")
    if found is None:
        cause = f"approval:{approval.id}"
        settling.move_payment(work, payment, package, PaymentStatus.SUCCEEDED, cause=cause, **how)
    else:
        arriving.arrive_by_match(work, payment, package, cause=found, **how)


def _do_refund(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
    refund_ways[approval.wish.get("to", "source")](work, payment, package, approval)


def _refund_to_source(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
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


refund_ways["source"] = _refund_to_source
_DO: dict[ApprovalKind, Do] = {ApprovalKind.PAYMENT_SUCCEEDED: _do_success, ApprovalKind.REFUND: _do_refund}
