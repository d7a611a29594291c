"""/billing: plans, packages with their ledger, payments and refunds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from guitaronline import clock
from guitaronline.actor import Actor
from guitaronline.api.auth import require_confirmed
from guitaronline.api.endpoint import PUBLIC, Answer, Resource, may
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.billing import (
    Awaiting,
    CreditNew,
    CreditOut,
    EntryOut,
    PackageNew,
    PackageOut,
    PaymentNew,
    PaymentOut,
    PlanOut,
    RefundNew,
    RefundOut,
    StatusChange,
    awaiting_json,
    credit_json,
    entry_json,
    minor_of,
    package_json,
    payment_json,
    plan_json,
    refund_json,
)
from guitaronline.billing import queries, service
from guitaronline.billing.models import Approval, CreditEntry, Package, Payment, PaymentStatus, Refund
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.billing.rules import effective_package_status
from guitaronline.booking import refunding
from guitaronline.booking.refunding import Decided, With
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.refusals import StepUpRequired
from guitaronline.states import IllegalMove

resource = Resource("billing", "Packages of lessons and the money for them")

PLANS = Order("plans", lambda offer: (offer.plan.id,), (UUID,))
PACKAGES = Order("packages", lambda seen: (seen.package.id,), (UUID,))
ENTRIES = Order("entries", lambda entry: (entry.sequence,), (int,))
PAYMENTS = Order("payments", lambda payment: (payment.id,), (UUID,))
REFUNDS = Order("refunds", lambda refund: (refund.id,), (UUID,))

AWAITING = Answer(202, Awaiting, awaiting_json, Approval, "Above the limit: a second person has to allow it")
EDIT_PAYMENTS = may(Permission.EDIT_PAYMENTS)


@dataclass(frozen=True)
class SeenPackage:
    """A package as it reads at a moment: an overdue one is expired whether or not a job has run."""

    package: Package
    now: datetime


def seen_package_json(seen: SeenPackage) -> dict[str, Any]:
    return package_json(seen.package, effective_package_status(seen.package, seen.now))


@resource.listing("/plans", PlanOut, plan_json, order=PLANS, who=PUBLIC)
def plans(actor: Actor, page: Page) -> Sequence[queries.Offer]:
    """What can be bought"""
    offers = sorted(queries.plans_on_sale(session(), limit=500), key=lambda offer: offer.plan.id)
    later = [offer for offer in offers if page.after is None or offer.plan.id > page.after[0]]
    return later[page.offset : page.offset + page.rows]


@resource.endpoint(
    "POST",
    "/packages",
    Answer(201, PackageOut, package_json),
    who=may(Permission.GRANT_PACKAGES),
    body=PackageNew,
    keyed=True,
    refuses=(service.InvalidPackage, service.NotAStudent, service.StudentInactive, NotFound),
)
def grant(actor: Actor, body: dict[str, Any]) -> Package:
    """Grant a package; it is active at once"""
    price = body.pop("price", None)
    money = {"price_minor": price["amount_minor"], "currency": price["currency"]} if price else {}
    return service.grant_package(actor, **body, **money)


@resource.listing(
    "/packages/students/<uuid:student_id>",
    PackageOut,
    seen_package_json,
    order=PACKAGES,
    who=may(Permission.READ_PACKAGES),
)
def packages(actor: Actor, student_id: UUID, page: Page) -> Sequence[SeenPackage]:
    """A student's packages, newest first"""
    _require_person(actor, Permission.READ_PACKAGES, student_id)
    now = clock.read(session())
    found = queries.packages_of_student(session(), student_id, after=_one(page), offset=page.offset, limit=page.rows)
    return [SeenPackage(package, now) for package in found]


@resource.listing(
    "/packages/<uuid:package_id>/entries", EntryOut, entry_json, order=ENTRIES, who=may(Permission.READ_PACKAGES)
)
def entries(actor: Actor, package_id: UUID, page: Page) -> Sequence[CreditEntry]:
    """The ledger of a package, newest first"""
    package = session().get(Package, package_id)
    if package is None:
        raise NotFound()
    access.require(actor, Permission.READ_PACKAGES, own=package.student_id == actor.id)
    return queries.entries_of(session(), package_id, after=_one(page), offset=page.offset, limit=page.rows)


@resource.endpoint(
    "POST",
    "/packages/expire",
    Answer(200, "integer", int, words="How many packages expired"),
    who=may(Permission.ADMINISTER),
    keyed=True,
)
def expire(actor: Actor) -> int:
    """Write down which packages' time is over"""
    return service.expire_packages(actor, limit=500)


@resource.endpoint(
    "POST",
    "/payments",
    Answer(201, PaymentOut, payment_json),
    who=EDIT_PAYMENTS,
    body=PaymentNew,
    tagged=True,
    keyed=True,
    refuses=(service.InvalidPayment, service.PackageRevoked, service.DuplicateReference, NotFound),
)
def record(actor: Actor, body: dict[str, Any]) -> Payment:
    """Record a payment that is awaited"""
    amount_minor = minor_of(body.pop("amount"), body["currency"])
    return service.record_payment(actor, amount_minor=amount_minor, **body)


@resource.endpoint(
    "PATCH",
    "/payments/<uuid:payment_id>/status",
    Answer(200, PaymentOut, payment_json, Payment),
    AWAITING,
    who=EDIT_PAYMENTS,
    body=StatusChange,
    edits="payment_id",
    refuses=(
        IllegalMove,
        service.InvalidPayment,
        service.PaymentOfProvider,
        service.EvidenceMissing,
        service.RefundPending,
        service.PackageRevoked,
        service.NothingToRefund,
        service.ApprovalAlreadyPending,
        StepUpRequired,
    ),
)
def set_status(actor: Actor, payment_id: UUID, body: dict[str, Any]) -> Payment | Approval:
    """Say what became of a payment"""
    if body["status"] == PaymentStatus.REFUNDED:
        require_confirmed()
    return service.set_payment_status(actor, payment_id, **body)


@resource.endpoint(
    "POST",
    "/payments/<uuid:payment_id>/refunds",
    Answer(201, RefundOut, refund_json, Refund),
    AWAITING,
    who=EDIT_PAYMENTS,
    body=RefundNew,
    keyed=True,
    needs_step_up=True,
    refuses=(
        service.PaymentNotSucceeded,
        service.NothingToRefund,
        service.RefundExceedsPayment,
        service.RefundUnknown,
        service.BookingsChanged,
        service.ApprovalAlreadyPending,
    ),
)
def refund(actor: Actor, payment_id: UUID, body: dict[str, Any]) -> Refund | Approval:
    """Give money back; its unused lessons are revoked"""
    return refunding.refund_with_bookings(actor, payment_id, **{**body, "bookings": _decided(body)})


@resource.endpoint(
    "POST",
    "/payments/<uuid:payment_id>/credits",
    Answer(201, CreditOut, credit_json, RefundCredit),
    AWAITING,
    who=EDIT_PAYMENTS,
    body=CreditNew,
    keyed=True,
    needs_step_up=True,
    refuses=(
        service.PaymentNotSucceeded,
        service.NothingToRefund,
        service.RefundExceedsPayment,
        service.NothingToCredit,
        service.CreditTooLarge,
        service.RefundUnknown,
        service.BookingsChanged,
        service.StudentInactive,
        service.ApprovalAlreadyPending,
    ),
)
def credit(actor: Actor, payment_id: UUID, body: dict[str, Any]) -> RefundCredit | Approval:
    """Give lessons instead of money, as a package that costs nothing"""
    return refunding.credit_with_bookings(actor, payment_id, **{**body, "bookings": _decided(body)})


def _decided(body: dict[str, Any]) -> list[Decided]:
    return [Decided(each["booking_id"], With(each["decision"])) for each in body.get("bookings") or ()]


@resource.endpoint(
    "GET", "/payments/<uuid:payment_id>", Answer(200, PaymentOut, payment_json), who=may(Permission.READ_PAYMENTS)
)
def payment(actor: Actor, payment_id: UUID) -> Payment:
    """One payment"""
    found = session().get(Payment, payment_id)
    if found is None:
        raise NotFound()
    access.require(actor, Permission.READ_PAYMENTS, own=found.student_id == actor.id)
    return found


@resource.listing(
    "/payments/<uuid:payment_id>/refunds", RefundOut, refund_json, order=REFUNDS, who=may(Permission.READ_PAYMENTS)
)
def refunds(actor: Actor, payment_id: UUID, page: Page) -> Sequence[Refund]:
    """The refunds of a payment, newest first"""
    payment = session().get(Payment, payment_id)
    if payment is None:
        raise NotFound()
    access.require(actor, Permission.READ_PAYMENTS, own=payment.student_id == actor.id)
    return queries.refunds_of(session(), payment_id, after=_one(page), offset=page.offset, limit=page.rows)


@resource.listing(
    "/payments/students/<uuid:student_id>", PaymentOut, payment_json, order=PAYMENTS, who=may(Permission.READ_PAYMENTS)
)
def payments(actor: Actor, student_id: UUID, page: Page) -> Sequence[Payment]:
    """A student's payments, newest first"""
    _require_person(actor, Permission.READ_PAYMENTS, student_id)
    return queries.payments_of_student(session(), student_id, after=_one(page), offset=page.offset, limit=page.rows)


def _require_person(actor: Actor, permission: Permission, person_id: UUID) -> None:
    access.require(actor, permission, own=person_id == actor.id)
    if session().get(User, person_id) is None:
        raise NotFound()


def _one(page: Page) -> Any:
    """The single value that the list is ordered by."""
    return page.after[0] if page.after else None
