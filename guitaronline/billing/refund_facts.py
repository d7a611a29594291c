"""What a provider says about refunds becomes their state. However late, often or shuffled it is told, it ends the same:
of one refund *failed* outweighs *paid out*, and one that nobody here asked for becomes a refund of its own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from guitaronline.billing import queries, settling
from guitaronline.billing.facts import PAID_STATES, Outcome, appliers, apply_facts
from guitaronline.billing.models import Package, Payment, Refund, RefundStatus
from guitaronline.billing.providers.base import FactKind, ProviderFact
from guitaronline.billing.refund_models import RefundCall
from guitaronline.billing.refusals import InvalidPayment, RefundExceedsPayment
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

FROM_PROVIDER = "seen at the provider"
MADE_THERE = "the provider paid it back by itself"
CAME_BACK = "the provider could not pay it out"


@command("refund.provider_says", on="refunds")
def take_word(work: Work, refund_id: UUID, *, fact: ProviderFact) -> Refund:
    """The provider's answer to our asking is recorded. Told again: no-op. Locks the payment, its package, the refund."""
    access.require(work.actor, Permission.ADMINISTER)
    payment, package = settling.lock_payment(work, work.find(Refund, refund_id).payment_id)
    apply_facts(work, payment, package, [fact])
    return work.find(Refund, refund_id)


@command("refund.refused", on="refunds")
def fail_refund(work: Work, refund_id: UUID, *, reason: str) -> Refund:
    """The provider said no: the refund failed, its lessons and its room are back, and finance has to look. Locks as above."""
    access.require(work.actor, Permission.ADMINISTER)
    payment, package = settling.lock_payment(work, work.find(Refund, refund_id).payment_id)
    refund = work.lock(Refund, refund_id)
    if refund.status is RefundStatus.PENDING:
        refund.needs_look = True
        settling.close_refund(work, payment, package, refund, RefundStatus.FAILED, reason=reason)
    return refund


def apply_refund(work: Work, payment: Payment, package: Package, fact: ProviderFact) -> Outcome:
    """A step: an applier of facts; too early while the payment's own success has not been told."""
    if payment.status not in PAID_STATES:
        return Outcome.TOO_EARLY
    _require_money(payment, fact)
    refund = _find(work, payment, fact)
    succeeded = fact.kind is FactKind.REFUNDED
    if refund is None:
        _note(work, payment, package, fact, succeeded=succeeded)
        return Outcome.APPLIED
    changed = refund.provider_reference is None and fact.refund_reference is not None
    refund.provider_reference = refund.provider_reference or fact.refund_reference
    if fact.amount_minor not in (None, refund.amount_minor):
        refund.needs_look = True
    moved = _pay_out(work, payment, package, refund) if succeeded else _fail(work, payment, package, refund)
    return Outcome.APPLIED if moved or changed else Outcome.NOTHING_NEW


def _require_money(payment: Payment, fact: ProviderFact) -> None:
    if fact.currency not in (None, payment.currency):
        wrong = Reason("currency_invalid", f"The payment is in {payment.currency}.", pointer="/currency")
        raise InvalidPayment(reasons=[wrong])


def _find(work: Work, payment: Payment, fact: ProviderFact) -> Refund | None:
    """Ours by the id that we sent along, one known by the provider's id, or one of that amount that was asked for and that
    nobody has put a provider's id to. One that never happened here is no match for money that went back."""
    query = select(Refund).where(Refund.payment_id == payment.id).order_by(Refund.id).with_for_update(key_share=True)
    refunds = list(work.session.scalars(query, execution_options={"populate_existing": True}))
    by_reference = [each for each in refunds if each.provider_reference == _reference(fact)]
    ours = [
        each for each in refunds if each.id == fact.refund_id and each.provider_reference in (None, _reference(fact))
    ]
    asked = [each for each in refunds if fact.refund_id is None and _may_be(work, each, fact)]
    found = [each for each in [*by_reference, *ours, *asked] if not _is_over_unpaid(each, fact)]
    return found[0] if found else None


def _reference(fact: ProviderFact) -> str:
    return fact.refund_reference or f"event:{fact.event_id}"


def _is_over_unpaid(refund: Refund, fact: ProviderFact) -> bool:
    """It was withdrawn, or given up here without the provider's word: money that went back all the same is another matter."""
    ended = refund.status in (RefundStatus.CANCELED, RefundStatus.FAILED)
    return ended and refund.provider_reference is None and fact.kind is FactKind.REFUNDED


def _may_be(work: Work, refund: Refund, fact: ProviderFact) -> bool:
    if (refund.status, refund.amount_minor) != (RefundStatus.PENDING, fact.amount_minor) or refund.provider_reference:
        return False
    call = work.session.get(RefundCall, refund.id, populate_existing=True)
    return call is not None and call.attempts > 0


def _pay_out(work: Work, payment: Payment, package: Package, refund: Refund) -> bool:
    if refund.status is not RefundStatus.PENDING:
        return False
    settling.close_refund(work, payment, package, refund, RefundStatus.SUCCEEDED, reason=FROM_PROVIDER)
    return True


def _fail(work: Work, payment: Payment, package: Package, refund: Refund) -> bool:
    if refund.status is RefundStatus.PENDING:
        refund.needs_look = True
        settling.close_refund(work, payment, package, refund, RefundStatus.FAILED, reason=CAME_BACK)
        return True
    if refund.status is RefundStatus.SUCCEEDED:
        settling.return_refund(work, payment, package, refund, reason=CAME_BACK)
        return True
    return False


def _note(work: Work, payment: Payment, package: Package, fact: ProviderFact, *, succeeded: bool) -> None:
    """A refund that was made at the provider. Ours that no longer fit can never be paid out: a provider gives back no more
    than it took. One that has failed already takes nobody's room."""
    amount = fact.amount_minor or 0
    if succeeded or amount < 1:
        _make_room(work, payment, package, amount)
    refund = settling.note_refund(
        work, payment, package, amount, provider_reference=_reference(fact), reason=fact.detail or MADE_THERE
    )
    if succeeded:
        _pay_out(work, payment, package, refund)
    else:
        _fail(work, payment, package, refund)


def _make_room(work: Work, payment: Payment, package: Package, amount_minor: int) -> None:
    """Pending refunds fail, the newest first, until the amount fits. Raises RefundExceedsPayment when it cannot."""
    pending = select(Refund).where(Refund.payment_id == payment.id, Refund.status == RefundStatus.PENDING)
    waiting = list(work.session.scalars(pending.order_by(Refund.id)))
    left = payment.amount_minor - queries.refunds_sum(work.session, payment.id, *queries.COMMITTED)
    while amount_minor > left and waiting:
        refund = waiting.pop()
        refund.needs_look = True
        settling.close_refund(work, payment, package, refund, RefundStatus.FAILED, reason=MADE_THERE)
        work.session.flush()
        left += refund.amount_minor
    if not 1 <= amount_minor <= left:
        raise RefundExceedsPayment(limit=left, asked=amount_minor)


appliers[FactKind.REFUNDED] = apply_refund
appliers[FactKind.REFUND_FAILED] = apply_refund
