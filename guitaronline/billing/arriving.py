"""Money that a provider or a match speaks of is there: that is written whatever became of its package meanwhile.

A package whose checkout had lapsed gets its lessons after all. What cannot be granted is noted, for a person to look at.
The caller has locked the payment, then its package; the student before them where it is a trial.
"""

from __future__ import annotations

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from guitaronline.billing import exceptions, queries, settling
from guitaronline.billing.models import Package, PackageOrigin, PackageStatus, Payment, PaymentProvider, PaymentStatus
from guitaronline.billing.provider_models import ExceptionKind, PaymentAsk
from guitaronline.billing.providers.base import FactKind, ProviderFact
from guitaronline.unit_of_work import Work


def arrive_as_told(work: Work, payment: Payment, package: Package, fact: ProviderFact) -> None:
    """A step: the payment has succeeded, because its provider says so. Raises IllegalMove."""
    _arrive(work, payment, package, fact, cause=f"event:{fact.event_id}", evidence=fact.reference)
    work.session.execute(delete(PaymentAsk).where(PaymentAsk.payment_id == payment.id))


def arrive_by_match(
    work: Work, payment: Payment, package: Package, *, cause: str, reason: str | None, evidence: str | None
) -> None:
    """A step: the payment has succeeded, because its money was found. Its provider is asked soon: by its own reference it
    can be refunded. Raises IllegalMove."""
    found = ProviderFact(
        cause,
        FactKind.PAID,
        work.now,
        payment.id,
        payment.external_reference,
        payment.amount_minor,
        payment.currency,
    )
    _arrive(work, payment, package, found, cause=cause, reason=reason, evidence=evidence)
    if payment.provider is not PaymentProvider.MANUAL:
        soon = {"payment_id": payment.id, "ask_at": work.now, "lapse_at": work.now}
        ask = insert(PaymentAsk).values(soon)
        again = ask.on_conflict_do_update(index_elements=["payment_id"], set_={"ask_at": work.now})
        work.session.execute(again)


def _arrive(
    work: Work,
    payment: Payment,
    package: Package,
    fact: ProviderFact,
    *,
    cause: str,
    reason: str | None = None,
    evidence: str | None = None,
) -> None:
    problem = _reopen(work, payment, package)
    if problem is None and _is_paid_otherwise(work, payment, package):
        problem = ExceptionKind.ALREADY_PAID
    if problem is not None:
        exceptions.note(work, problem, payment, fact, key=str(payment.id))
    settling.move_as_told(
        work, payment, package, PaymentStatus.SUCCEEDED, cause=cause, reason=reason, evidence=evidence
    )


def _reopen(work: Work, payment: Payment, package: Package) -> ExceptionKind | None:
    """A package whose checkout had lapsed waits for its money again. What a person took back stays taken back."""
    if package.status is not PackageStatus.REVOKED:
        return None
    checkout = queries.checkout_of(work.session, payment.id)
    if checkout is None or checkout.lapsed_at is None:
        return ExceptionKind.PACKAGE_TAKEN_BACK
    if package.is_trial and _has_another_trial(work, package):
        return ExceptionKind.SECOND_TRIAL
    work.move(package, PackageStatus.PENDING)
    return None


def _is_paid_otherwise(work: Work, payment: Payment, package: Package) -> bool:
    if package.origin is not PackageOrigin.PURCHASE or package.status is PackageStatus.PENDING:
        return False
    return queries.money_of_others(work.session, payment).left_minor >= package.price_minor


def _has_another_trial(work: Work, package: Package) -> bool:
    another = exists().where(
        Package.student_id == package.student_id,
        Package.is_trial,
        Package.status != PackageStatus.REVOKED,
        Package.id != package.id,
    )
    return bool(work.session.scalar(select(another)))
