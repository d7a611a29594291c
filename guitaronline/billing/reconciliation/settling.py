"""A payment that we took for pending or failed, while its money is there: settled by its match, with a second person's word."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from guitaronline.billing import approvals, settling
from guitaronline.billing.models import Approval, ApprovalKind, PaymentStatus
from guitaronline.billing.reconciliation.models import Category, Match, MatchPart, MatchStatus, ReconciliationException
from guitaronline.billing.reconciliation.refusals import NotAState
from guitaronline.billing.refusals import require_reason
from guitaronline.billing.settlements.models import SettlementFile, SettlementLine
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.money import Money
from guitaronline.unit_of_work import Work, command

NOT_YET = (PaymentStatus.PENDING, PaymentStatus.FAILED)


@command("exception.settle", on="reconciliation_exceptions")
def settle_by_match(work: Work, exception_id: UUID, *, reason: str | None) -> Approval:
    """An approval waits: when somebody else allows it, the payment succeeds because of its match, whatever the amount.

    Locks the payment, its package, the exception. Raises ReasonRequired, NotAState, ApprovalAlreadyPending."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    seen = work.find(ReconciliationException, exception_id)
    if seen.category is not Category.STATE or seen.payment_id is None or seen.line_id is None:
        raise NotAState()
    payment, _ = settling.lock_payment(work, seen.payment_id)
    match = _match_of(work, seen.line_id)
    if payment.status not in NOT_YET or match is None or not _pays(work, match, payment.id):
        raise NotAState()
    wish = {"reason": said, "evidence": _evidence(work, match), "cause": f"match:{match.id}", "match_id": str(match.id)}
    kind = ApprovalKind.PAYMENT_SUCCEEDED
    return approvals.ask(work, payment, kind, payment.amount_minor, reason=said, wish=wish)


def _match_of(work: Work, line_id: UUID) -> Match | None:
    query = select(Match).where(Match.line_id == line_id, Match.status == MatchStatus.ACTIVE)
    return work.session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).one_or_none()


def _pays(work: Work, match: Match, payment_id: UUID) -> bool:
    """Whether the match's line is that payment, whole or as one of its parts."""
    part = select(MatchPart.id).where(
        MatchPart.match_id == match.id, MatchPart.payment_id == payment_id, MatchPart.is_active
    )
    return match.payment_id == payment_id or work.session.scalar(part) is not None


def _evidence(work: Work, match: Match) -> str:
    line = work.find(SettlementLine, match.line_id)
    file = work.find(SettlementFile, line.file_id)
    amount = Money(line.amount_minor, line.currency)
    return f"{line.source_id or line.external_id}, {amount} on {line.booked_on}, in {file.reference}"


def _match_stands(work: Work, approval: Approval) -> bool:
    match_id = approval.wish.get("match_id")
    if match_id is None:
        return True
    match = work.session.get(Match, UUID(match_id), populate_existing=True)
    return match is not None and match.status is MatchStatus.ACTIVE and _pays(work, match, approval.payment_id)


approvals.conditions.append(_match_stands)
