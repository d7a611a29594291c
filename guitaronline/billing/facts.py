"""What providers say becomes the state of payments. The end depends on which facts were told, never on their order.

Every fact is kept once. A payment has succeeded when one of them says that the whole amount was paid; failed attempts and
pages that ran out matter only as long as none does. Kinds that other chapters of money answer for are looked up in
`appliers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from guitaronline.billing import arriving, exceptions, queries, settling
from guitaronline.billing.models import Package, Payment, PaymentStatus
from guitaronline.billing.provider_models import ExceptionKind, PaymentFact
from guitaronline.billing.providers.base import FactKind, ProviderFact
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command


class Outcome(StrEnum):
    APPLIED = "applied"
    NOTHING_NEW = "nothing_new"  # known before
    TOO_EARLY = "too_early"  # what it is about is not here yet: it is told again later, until it fits
    NOT_FOR_US = "not_for_us"  # nobody here acts on it


# The caller has locked the payment, then its package. Told twice, or in another order, it must end in the same state.
Applier = Callable[[Work, Payment, Package, ProviderFact], Outcome]
appliers: dict[FactKind, Applier] = {}  # each chapter of money adds its own
Key = tuple[str, FactKind]  # of a fact: one event may say several things

PAID_STATES = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED})
ORDER = {FactKind.PAID: 0, FactKind.REFUNDED: 2}  # within one telling; the rest lies between


@dataclass(frozen=True)
class Heard:
    """What became of each fact; false when nothing did."""

    outcomes: Sequence[Outcome]

    def __bool__(self) -> bool:
        return Outcome.APPLIED in self.outcomes


@command("payment.hear", on="payments", quiet=True)
def hear(work: Work, payment_id: UUID, *, facts: Sequence[ProviderFact]) -> Heard:
    """The payment is what these facts and all before make of it. Locks the student of a trial, the payment, its package."""
    access.require(work.actor, Permission.ADMINISTER)
    _lock_trial_student(work, payment_id)
    payment, package = settling.lock_payment(work, payment_id)
    return Heard(apply_facts(work, payment, package, facts))


def apply_facts(work: Work, payment: Payment, package: Package, facts: Sequence[ProviderFact]) -> tuple[Outcome, ...]:
    """A step: what became of each. The caller has locked the payment, then its package."""
    told = sorted(facts, key=lambda fact: (ORDER.get(fact.kind, 1), fact.at, fact.event_id))
    known = _known(work, payment, told)
    return tuple(_apply(work, payment, package, fact, known) for fact in told)


def _apply(work: Work, payment: Payment, package: Package, fact: ProviderFact, known: set[Key]) -> Outcome:
    applier = appliers.get(fact.kind)
    if applier is None:
        return Outcome.NOT_FOR_US
    if (fact.event_id, fact.kind) in known:
        return Outcome.NOTHING_NEW
    outcome = applier(work, payment, package, fact)
    if outcome is Outcome.APPLIED:
        known.add((fact.event_id, fact.kind))
        _keep(work, payment, fact)
    return outcome


def _paid(work: Work, payment: Payment, package: Package, fact: ProviderFact) -> Outcome:
    if wrong := _wrong(payment, fact):
        exceptions.note(work, wrong, payment, fact, key=f"{payment.id}:{fact.reference or fact.event_id}")
        return Outcome.APPLIED
    _name_reference(work, payment, fact)
    if payment.status not in PAID_STATES:
        arriving.arrive_as_told(work, payment, package, fact)
    return Outcome.APPLIED


def _failed(work: Work, payment: Payment, package: Package, fact: ProviderFact) -> Outcome:
    """An attempt that failed, or a page that ran out, decides only while nothing else has."""
    if payment.status is PaymentStatus.PENDING:
        cause = f"event:{fact.event_id}"
        settling.move_as_told(
            work, payment, package, PaymentStatus.FAILED, cause=cause, reason=fact.detail or fact.kind.value
        )
    return Outcome.APPLIED


appliers |= {FactKind.PAID: _paid, FactKind.FAILED: _failed, FactKind.CHECKOUT_EXPIRED: _failed}


def _name_reference(work: Work, payment: Payment, fact: ProviderFact) -> None:
    """The payment bears the provider's reference of the earliest money for it. Money of another reference was taken twice:
    that one is noted, because that one has to go back."""
    told: list[ProviderFact | PaymentFact] = [*queries.paid_facts_of(work.session, payment.id), fact]
    named = [each for each in told if each.reference and not _wrong(payment, each)]
    first = min(named, key=lambda each: (each.at, each.reference or ""), default=None)
    if first is not None:
        payment.external_reference = first.reference
        again = [each for each in named if each.reference != first.reference]
        if again:
            exceptions.note(work, ExceptionKind.PAID_TWICE, payment, again[0], key=str(payment.id))
    work.session.flush()


def _wrong(payment: Payment, fact: ProviderFact | PaymentFact) -> ExceptionKind | None:
    if fact.currency != payment.currency:
        return ExceptionKind.WRONG_CURRENCY
    return ExceptionKind.WRONG_AMOUNT if fact.amount_minor != payment.amount_minor else None


def _known(work: Work, payment: Payment, facts: Sequence[ProviderFact]) -> set[Key]:
    """Which of them were told before."""
    query = select(PaymentFact.event_id, PaymentFact.kind).where(
        PaymentFact.payment_id == payment.id, PaymentFact.event_id.in_({fact.event_id for fact in facts})
    )
    return {(event_id, kind) for event_id, kind in work.session.execute(query)}


def _keep(work: Work, payment: Payment, fact: ProviderFact) -> None:
    work.add(
        PaymentFact(
            payment_id=payment.id,
            event_id=fact.event_id,
            kind=fact.kind,
            at=fact.at,
            reference=fact.reference,
            amount_minor=fact.amount_minor,
            currency=fact.currency,
            refund_id=fact.refund_id,
            refund_reference=fact.refund_reference,
            detail=fact.detail,
        )
    )
    work.session.flush()


def _lock_trial_student(work: Work, payment_id: UUID) -> None:
    """Late money for a trial must not cross with the purchase of another one."""
    payment = work.find(Payment, payment_id)
    if work.find(Package, payment.package_id).is_trial:
        work.lock(User, payment.student_id)
