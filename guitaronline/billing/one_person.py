"""Where one person runs the school, what they ask for above the limit is done by the system a day later, unless somebody
says no. A mode of its own (ONE_PERSON_APPROVALS): the owner is told by mail when it is asked for."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing import approvals, refund_queue
from guitaronline.billing.models import Approval, ApprovalStatus, DecidedHow
from guitaronline.billing.refusals import ApprovalNotDue
from guitaronline.errors import NotAllowed
from guitaronline.unit_of_work import Work, command


@command("approval.carry_out", on="approvals")
def carry_out_alone(work: Work, approval_id: UUID) -> Approval:
    """What waited for a day is done, or rejected when the payment changed meanwhile. One that is decided stays as it is.

    Only the system does this. Locks as `decide_approval`. Raises ApprovalNotDue and what the wish may meet."""
    if not work.actor.is_system:
        raise NotAllowed("A person decides about an approval; only the system waits.")
    payment, package, approval = approvals.lock(work, approval_id)
    refund_queue.require_known(work, payment)
    if approval.status is not ApprovalStatus.PENDING:
        return approval
    due_at = approval.due_alone_at
    if not policy.current().ONE_PERSON_APPROVALS or due_at is None or work.now < due_at:
        raise ApprovalNotDue(due_at=due_at)
    holds = approvals.still_holds(work, payment, approval)
    approval.decided_how, approval.decided_at = DecidedHow.ALONE, work.now
    work.move(approval, ApprovalStatus.APPROVED if holds else ApprovalStatus.REJECTED)
    if holds:
        approvals.carry_out(work, payment, package, approval)
    return approval


def due_alone(session: Session, *, limit: int = 50) -> list[UUID]:
    """Approvals that have waited for a day, the longest first; none while the mode is off. ix_approvals_alone"""
    if not policy.current().ONE_PERSON_APPROVALS:
        return []
    query = select(Approval.id).where(
        Approval.status == ApprovalStatus.PENDING, Approval.due_alone_at <= clock.read(session)
    )
    return list(session.scalars(query.order_by(Approval.due_alone_at).limit(limit)))
