"""What a provider says about disputes becomes their state; *won* and *lost* may come before *opened*, and end the same."""

from __future__ import annotations

from sqlalchemy import select

from guitaronline.billing import disputes
from guitaronline.billing.dispute_models import Dispute, DisputeStatus
from guitaronline.billing.facts import PAID_STATES, Outcome, appliers
from guitaronline.billing.models import Package, Payment
from guitaronline.billing.providers.base import FactKind, ProviderFact
from guitaronline.billing.refusals import InvalidDispute
from guitaronline.errors import Reason
from guitaronline.unit_of_work import Work

UNSAID = "the payer's bank asks for it back"
ENDS = {FactKind.DISPUTE_WON: DisputeStatus.WON, FactKind.DISPUTE_LOST: DisputeStatus.LOST}


def apply_dispute(work: Work, payment: Payment, package: Package, fact: ProviderFact) -> Outcome:
    """A step: an applier of facts; too early while the payment's own success has not been told. Raises IllegalMove when one
    that is decided is told to have ended otherwise."""
    if payment.status not in PAID_STATES:
        return Outcome.TOO_EARLY
    known = _find(work, payment, fact)
    dispute = known or _open(work, payment, package, fact)
    target = ENDS.get(fact.kind)
    if target is None or dispute.status is target:
        return Outcome.NOTHING_NEW if known else Outcome.APPLIED
    disputes.decide_step(work, payment, package, dispute, target, reason=fact.detail or UNSAID)
    return Outcome.APPLIED


def _find(work: Work, payment: Payment, fact: ProviderFact) -> Dispute | None:
    query = select(Dispute).where(Dispute.provider_reference == _reference(payment, fact))
    fresh = {"populate_existing": True}
    return work.session.scalars(query.with_for_update(key_share=True), execution_options=fresh).one_or_none()


def _open(work: Work, payment: Payment, package: Package, fact: ProviderFact) -> Dispute:
    amount = payment.amount_minor if fact.amount_minor is None else fact.amount_minor
    if fact.currency not in (None, payment.currency) or amount < 1:
        wrong = Reason("amount_invalid", f"A dispute is about money in {payment.currency}.", pointer="/amount")
        raise InvalidDispute(reasons=[wrong])
    reference = _reference(payment, fact)
    reason = fact.detail or UNSAID
    return disputes.open_step(work, payment, package, amount, provider_reference=reference, reason=reason)


def _reference(payment: Payment, fact: ProviderFact) -> str:
    """Theirs; where they give none there is one dispute a payment."""
    return fact.refund_reference or f"payment:{payment.id}"


for _kind in (FactKind.DISPUTE_OPENED, *ENDS):
    appliers[_kind] = apply_dispute
