"""The page on which a student pays: wanted in one command, opened by a call outside of any, written down in another.

A process that dies in between leaves the intent behind: asked for again with the same key, the provider gives the same page.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM, Actor
from guitaronline.billing import asking, purchasing
from guitaronline.billing.models import Package, PackageStatus, Payment, PaymentProvider, PaymentStatus, Plan
from guitaronline.billing.provider_models import PaymentCheckout
from guitaronline.billing.providers import provider_of
from guitaronline.billing.providers.base import Checkout, ProviderRefused, ProviderUnknown
from guitaronline.billing.queries import checkout_of
from guitaronline.billing.refusals import NothingToPay, PaidByHand
from guitaronline.billing.settling import lock_payment
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

UNKNOWN = "unknown"
OPEN_TO_PAY = frozenset({PaymentStatus.PENDING, PaymentStatus.FAILED})  # another attempt may still succeed
THANKS = "/thank-you"


def want_page(actor: Actor, payment_id: UUID) -> PaymentCheckout:
    """The payment has a page, or its checkout says why there is none yet. Asks the provider first when it might be paid
    already. Raises NotFound, NothingToPay, PaidByHand."""
    payment = session().get(Payment, payment_id, populate_existing=True)
    if payment is None:
        raise NotFound()
    access.require(actor, Permission.OPEN_CHECKOUT, own=payment.student_id == actor.id)
    before = checkout_of(session(), payment_id)
    if before is not None and (before.url or before.problem):
        asking.ask(payment_id)
        if _can_be_paid_on(before, payment_id):
            return before
    wanted = want_checkout(actor, payment_id)
    return open_page(payment_id) if wanted.url is None else wanted


@command("payment.want_checkout", on="payments")
def want_checkout(work: Work, payment_id: UUID) -> PaymentCheckout:
    """A page is wanted for the payment; one that can still be used stays. Locks the payment, then its package.

    Raises NothingToPay, PaidByHand."""
    payment, package = lock_payment(work, payment_id)
    access.require(work.actor, Permission.OPEN_CHECKOUT, own=payment.student_id == work.actor.id)
    if payment.provider is PaymentProvider.MANUAL:
        raise PaidByHand()
    if payment.status not in OPEN_TO_PAY or package.status is not PackageStatus.PENDING:
        raise NothingToPay(status=payment.status.value)
    checkout = checkout_of(work.session, payment_id) or purchasing.intend_checkout(work, payment)
    is_over = checkout.expires_at is not None and checkout.expires_at <= work.now
    if is_over or checkout.problem is not None:
        checkout.number += 1  # a key that was answered with an error would get that answer again
        checkout.reference = checkout.url = checkout.expires_at = checkout.problem = None
        purchasing.have_it_asked(work, payment)
    return checkout


def open_page(payment_id: UUID) -> PaymentCheckout:
    """The provider was asked for the page that is wanted, and what it said is written down; it is never left waiting: a
    time-out is `unknown` and can be asked about again."""
    payment = session().get_one(Payment, payment_id)
    checkout = checkout_of(session(), payment_id)
    if checkout is None:
        raise PaidByHand()
    provider, key = provider_of(payment.provider), checkout.key
    ask = partial(
        provider.open_checkout,
        payment_id=payment_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        title=_title(payment),
        return_url=policy.current().PUBLIC_BASE_URL.rstrip("/") + THANKS,
        key=key,
    )
    session().rollback()  # no connection is kept while somebody else thinks
    try:
        page = ask()
    except ProviderUnknown:
        return note_checkout(SYSTEM, payment_id, key=key, problem=UNKNOWN)
    except ProviderRefused as refused:
        return note_checkout(SYSTEM, payment_id, key=key, problem=str(refused.facts.get("reason", "refused")))
    return note_checkout(SYSTEM, payment_id, key=key, page=page)


@command("payment.note_checkout", on="payments")
def note_checkout(
    work: Work, payment_id: UUID, *, key: str, page: Checkout | None = None, problem: str | None = None
) -> PaymentCheckout:
    """The answer to the call with that key is written down; an answer to an older key changes nothing. Locks the payment."""
    access.require(work.actor, Permission.ADMINISTER)
    work.lock(Payment, payment_id)
    checkout = checkout_of(work.session, payment_id)
    if checkout is None:
        raise NotFound(record="checkouts", payment=str(payment_id))
    if checkout.key != key or checkout.url is not None:
        return checkout
    checkout.problem = problem
    if page is not None:
        checkout.reference, checkout.url, checkout.expires_at = page.reference, page.url, page.expires_at
    return checkout


def _can_be_paid_on(checkout: PaymentCheckout, payment_id: UUID) -> bool:
    """The page is open, and there is something to pay: nothing has to be written to say so."""
    payment = session().get_one(Payment, payment_id, populate_existing=True)
    package = session().get_one(Package, payment.package_id, populate_existing=True)
    is_open = checkout.expires_at is not None and checkout.expires_at > clock.read(session())
    return is_open and payment.status in OPEN_TO_PAY and package.status is PackageStatus.PENDING


def _title(payment: Payment) -> str:
    """What the page names; at most a line."""
    package = session().get_one(Package, payment.package_id)
    plan = session().get(Plan, package.plan_id) if package.plan_id else None
    return plan.name if plan else f"{package.lessons_ordered} lessons"
