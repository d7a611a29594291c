"""A student buys a plan: a package and a payment that wait for the money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from guitaronline import policy
from guitaronline.billing import granting, queries, settling
from guitaronline.billing.invoices import consents
from guitaronline.billing.models import Package, PackageOrigin, Payment, PaymentProvider, PaymentStatus, Plan
from guitaronline.billing.provider_models import PaymentAsk, PaymentCheckout
from guitaronline.billing.refusals import NotAStudent, PlanCostsNothing, PlanNotOnSale, ProviderNotOffered
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

FIRST_ASK = timedelta(minutes=5)  # by then the provider has usually told us itself


@dataclass(frozen=True)
class Purchase:
    """What was bought and how it is paid; no checkout: nobody has opened a page yet, or it is paid by hand."""

    package: Package
    payment: Payment
    checkout: PaymentCheckout | None


def providers_offered() -> tuple[PaymentProvider, ...]:
    """The first one is used when nobody names another."""
    usual = PaymentProvider(policy.current().PAYMENT_PROVIDER)
    return tuple(dict.fromkeys((usual, PaymentProvider.MANUAL)))


@command("package.buy", creates="packages")
def buy_plan(
    work: Work,
    *,
    plan_id: UUID,
    provider: PaymentProvider | str | None = None,
    withdrawal_consent: bool = False,
    withdrawal_notice: str = consents.CURRENT,
) -> Purchase:
    """The student's package of that plan is pending, at today's price, and so is its payment. Nothing is granted yet.

    It is noted which notice about withdrawal was shown, and whether lessons may begin before its days are over.

    The checkout is intended, not opened: that is the provider's answer to a call after the commit (`checkouts.py`).
    Locks the student. Raises PlanNotOnSale, PlanCostsNothing, ProviderNotOffered, StudentInactive, TrialUsed, NoticeUnknown."""
    access.require(work.actor, Permission.BUY, own=True)
    if work.actor.id is None:
        raise NotAStudent()
    by = _provider(provider)
    plan = work.find(Plan, plan_id)
    price = queries.price_of(work.session, plan.id)
    if not plan.is_active or price is None:
        raise PlanNotOnSale(plan=plan.name)
    if price.amount_minor == 0:
        raise PlanCostsNothing(plan=plan.name)
    package = granting.order_step(
        work,
        student_id=work.actor.id,
        lessons_total=plan.lessons_total,
        lesson_minutes=plan.lesson_minutes,
        expires_at=None,
        price_minor=price.amount_minor,
        currency=price.currency,
        plan_id=plan.id,
        origin=PackageOrigin.PURCHASE,
        is_trial=plan.is_trial,
        package_id=work.record_id,
    )
    consents.note(work, package, given=withdrawal_consent, text_version=withdrawal_notice)
    payment = await_payment(work, package, price.amount_minor, price.currency, by)
    checkout = intend_checkout(work, payment) if by is not PaymentProvider.MANUAL else None
    return Purchase(package, payment, checkout)


def await_payment(
    work: Work,
    package: Package,
    amount_minor: int,
    currency: str,
    provider: PaymentProvider,
    *,
    payment_id: UUID | None = None,
    external_reference: str | None = None,
    reason: str | None = None,
) -> Payment:
    """A step: the payment of the package is pending, and its history begins."""
    payment = Payment(
        id=payment_id,
        package_id=package.id,
        student_id=package.student_id,
        amount_minor=amount_minor,
        currency=currency,
        status=PaymentStatus.PENDING,
        provider=provider,
        external_reference=external_reference,
    )
    work.create(payment)
    work.session.flush()
    cause = f"person:{work.action_id}"
    settling.write_transition(work, payment, None, PaymentStatus.PENDING, cause=cause, reason=reason)
    return payment


def intend_checkout(work: Work, payment: Payment) -> PaymentCheckout:
    """A step: a page is wanted, and the provider will be asked what came of it, whatever happens to us meanwhile."""
    checkout = PaymentCheckout(payment_id=payment.id, number=1)
    work.add(checkout)
    work.session.flush()
    have_it_asked(work, payment)
    return checkout


def have_it_asked(work: Work, payment: Payment) -> None:
    """A step: the provider is asked about the payment in a few minutes, if not sooner. Where nobody was going to ask any
    more, it lapses a whole term from now."""
    soon = work.now + FIRST_ASK
    lapse_at = work.now + timedelta(hours=policy.current().UNPAID_CHECKOUT_HOURS)
    ask = insert(PaymentAsk).values(payment_id=payment.id, ask_at=soon, lapse_at=lapse_at)
    sooner = {"ask_at": func.least(PaymentAsk.ask_at, soon)}
    work.session.execute(ask.on_conflict_do_update(index_elements=["payment_id"], set_=sooner))


def _provider(name: PaymentProvider | str | None) -> PaymentProvider:
    offered = providers_offered()
    if name is None:
        return offered[0]
    if name not in offered:
        raise ProviderNotOffered(offered=[each.value for each in offered])
    return PaymentProvider(name)
