from __future__ import annotations

from typing import Any

from marshmallow import fields

from guitaronline.api.errors import InvalidRequest
from guitaronline.api.fields import Id, Input, Many, Moment, OneOf, Output, Text, Whole, YesNo
from guitaronline.api.schemas.common import Money, maybe, moment, money_json, time
from guitaronline.billing.models import (
    Approval,
    CreditEntry,
    EntryKind,
    Package,
    PackageOrigin,
    PackageStatus,
    Payment,
    PaymentProvider,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from guitaronline.billing.provider_models import PaymentCheckout
from guitaronline.billing.purchasing import Purchase
from guitaronline.billing.queries import Offer
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.booking.refunding import With
from guitaronline.errors import Reason
from guitaronline.money import CURRENCIES, LARGEST_MINOR, decimal_string, parse_minor

BUCKETS = ("available", "reserved", "consumed", "expired", "revoked")


class Price(Input):
    amount_minor = Whole(
        required=True, least=0, most=LARGEST_MINOR, metadata={"description": "whole minor units", "example": 4900}
    )
    currency = OneOf(sorted(CURRENCIES), required=True, metadata={"example": "USD"})


class PackageNew(Input):
    student_id = Id(required=True)
    lessons_total = Whole(required=True, least=1, most=1000, metadata={"example": 10})
    expires_at = Moment(
        required=True, allow_none=True, metadata={"description": "null: never", "example": "2027-05-31T22:00:00Z"}
    )
    price = fields.Nested(Price, metadata={"description": "what it is worth; nothing when left out"})
    lesson_minutes = Whole(least=15, most=240, allow_none=True, metadata={"description": "null: lessons of any length"})
    reason = Text(most=500, metadata={"description": "kept with the change"})


class PaymentNew(Input):
    package_id = Id(required=True)
    amount = Text(
        required=True,
        least=1,
        most=20,
        metadata={"description": "decimal, with the currency's places", "example": "49.00"},
    )
    currency = OneOf(sorted(CURRENCIES), required=True, metadata={"example": "USD"})
    external_reference = Text(least=1, most=200, allow_none=True, metadata={"example": "bank statement 17, line 3"})


class StatusChange(Input):
    status = OneOf(
        PaymentStatus,
        required=True,
        metadata={"description": "`refunded` records a full refund", "example": "succeeded"},
    )
    reason = Text(most=500, metadata={"example": "paid in cash"})
    evidence = Text(most=500, metadata={"description": "how it is known that the money came", "example": "receipt 117"})


class WithBooking(Input):
    booking_id = Id(required=True)
    decision = OneOf(With, required=True, metadata={"example": "cancel"})


class RefundNew(Input):
    amount_minor = Whole(
        least=1,
        most=LARGEST_MINOR,
        metadata={"description": "left out: what the rule says is refundable", "example": 2450},
    )
    reason = Text(required=True, least=1, most=500, metadata={"example": "the teacher fell ill"})
    bookings = Many(
        fields.Nested(WithBooking),
        most=50,
        metadata={"description": "the package's bookings still to come; one that is not named is kept"},
    )


class CreditNew(RefundNew):
    lessons = Whole(
        least=1,
        most=1000,
        metadata={
            "description": "left out: as many as the rule offers; at most what the amount is worth",
            "example": 5,
        },
    )


class PlanOut(Output):
    id = fields.UUID(required=True)
    name = fields.String(required=True)
    lessons_total = fields.Integer(required=True)
    lesson_minutes = maybe(fields.Integer, metadata={"description": "null: lessons of any length"})
    valid_days = maybe(fields.Integer, metadata={"description": "null: never expires"})
    is_trial = fields.Boolean(required=True, metadata={"description": "one a person"})
    price = fields.Nested(Money, required=True)


class PackageOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "PKG-7Q4M2"})
    student_id = fields.UUID(required=True)
    plan_id = maybe(fields.UUID)
    origin = fields.String(required=True, metadata={"enum": list(PackageOrigin)})
    is_trial = fields.Boolean(required=True)
    status = fields.String(required=True, metadata={"enum": list(PackageStatus)})
    lesson_minutes = maybe(fields.Integer)
    lessons_total = fields.Integer(required=True)
    lessons_left = fields.Integer(required=True, metadata={"description": "available and reserved ones"})
    lessons_reserved = fields.Integer(required=True, metadata={"description": "kept for holds"})
    price = fields.Nested(Money, required=True)
    activated_at = maybe(fields.DateTime)
    expires_at = maybe(fields.DateTime)
    frozen_at = maybe(fields.DateTime)
    created_at = time()
    updated_at = time()


Buckets = Output.from_dict({name: fields.Integer(required=True) for name in BUCKETS}, name="Buckets")


class EntryOut(Output):
    id = fields.UUID(required=True)
    sequence = fields.Integer(required=True, metadata={"description": "1, 2, 3 … within the package"})
    kind = fields.String(required=True, metadata={"enum": list(EntryKind)})
    delta = fields.Nested(Buckets, required=True, metadata={"description": "what each bucket gained or lost"})
    balance = fields.Nested(Buckets, required=True, metadata={"description": "what stood there afterwards"})
    booking_id = maybe(fields.UUID)
    reason = maybe(fields.String)
    created_at = time()


class PaymentOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "PAY-7Q4M2"})
    package_id = fields.UUID(required=True)
    student_id = fields.UUID(required=True)
    amount = fields.String(required=True, metadata={"description": "decimal", "example": "49.00"})
    amount_minor = fields.Integer(required=True, metadata={"example": 4900})
    currency = fields.String(required=True, metadata={"example": "USD"})
    status = fields.String(required=True, metadata={"enum": list(PaymentStatus)})
    provider = fields.String(required=True, metadata={"enum": list(PaymentProvider)})
    external_reference = maybe(fields.String)
    paid_at = maybe(fields.DateTime)
    created_at = time()
    updated_at = time()


class RefundOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "RFD-7Q4M2"})
    payment_id = fields.UUID(required=True)
    amount_minor = fields.Integer(required=True)
    currency = fields.String(required=True)
    status = fields.String(required=True, metadata={"enum": list(RefundStatus)})
    reason = fields.String(required=True)
    lessons_revoked = fields.Integer(required=True)
    created_at = time()
    settled_at = maybe(fields.DateTime)


class PurchaseNew(Input):
    plan_id = Id(required=True)
    provider = OneOf(
        PaymentProvider,
        allow_none=True,
        metadata={"description": "who takes the money; left out: the school's usual one", "example": "sandbox"},
    )
    withdrawal_consent = YesNo(
        metadata={"description": "lessons may begin before the days of withdrawal are over; left out: no"}
    )
    withdrawal_notice = Text(
        least=1,
        most=20,
        metadata={
            "description": "the version that was shown (`GET /billing/withdrawal-notice`); left out: the newest",
            "example": "2026-11",
        },
    )


class CheckoutOut(Output):
    checkout_url = maybe(fields.String, metadata={"description": "where to pay; null: there is no page (yet)"})
    checkout_expires_at = maybe(fields.DateTime)
    checkout_problem = maybe(
        fields.String,
        metadata={"description": "why there is no page: `unknown` (ask again), or the provider's code"},
    )


class PurchaseOut(CheckoutOut):
    package = fields.Nested(PackageOut, required=True)
    payment = fields.Nested(PaymentOut, required=True)


class CreditOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "CRD-7Q4M2"})
    payment_id = fields.UUID(required=True)
    package_id = fields.UUID(required=True, metadata={"description": "the package of lessons that was given"})
    amount_minor = fields.Integer(required=True, metadata={"description": "what it stands for; no money leaves"})
    currency = fields.String(required=True)
    lessons_revoked = fields.Integer(required=True)
    lessons_granted = fields.Integer(required=True)
    reason = fields.String(required=True)
    created_at = time()


class Awaiting(Output):
    approval_id = fields.UUID(required=True)
    status = fields.String(required=True, metadata={"enum": ["awaiting_approval"]})


def minor_of(amount: str, currency: str) -> int:
    """`49.00` USD → 4900. Raises InvalidRequest."""
    try:
        return parse_minor(amount, currency)
    except ValueError as error:
        raise InvalidRequest(reasons=[Reason("amount_invalid", f"{error}.".capitalize(), pointer="/amount")]) from None


def plan_json(offer: Offer) -> dict[str, Any]:
    plan, price = offer.plan, offer.price
    return {
        "id": str(plan.id),
        "name": plan.name,
        "lessons_total": plan.lessons_total,
        "lesson_minutes": plan.lesson_minutes,
        "valid_days": plan.valid_days,
        "is_trial": plan.is_trial,
        "price": money_json(price.amount_minor, price.currency),
    }


def package_json(package: Package, status: PackageStatus | None = None) -> dict[str, Any]:
    """`status`: as it reads now, where that is not what is stored."""
    return {
        "id": str(package.id),
        "reference": package.reference,
        "student_id": str(package.student_id),
        "plan_id": str(package.plan_id) if package.plan_id else None,
        "origin": package.origin.value,
        "is_trial": package.is_trial,
        "status": (status or package.status).value,
        "lesson_minutes": package.lesson_minutes,
        "lessons_total": package.lessons_total,
        "lessons_left": package.lessons_left,
        "lessons_reserved": package.lessons_reserved,
        "price": money_json(package.price_minor, package.currency),
        "activated_at": moment(package.activated_at),
        "expires_at": moment(package.expires_at),
        "frozen_at": moment(package.frozen_at),
        "created_at": moment(package.created_at),
        "updated_at": moment(package.updated_at),
    }


def entry_json(entry: CreditEntry) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "delta": {name: getattr(entry, f"d_{name}") for name in BUCKETS},
        "balance": {name: getattr(entry, name) for name in BUCKETS},
        "booking_id": str(entry.booking_id) if entry.booking_id else None,
        "reason": entry.reason,
        "created_at": moment(entry.created_at),
    }


def payment_json(payment: Payment) -> dict[str, Any]:
    return {
        "id": str(payment.id),
        "reference": payment.reference,
        "package_id": str(payment.package_id),
        "student_id": str(payment.student_id),
        "amount": decimal_string(payment.amount_minor, payment.currency),
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "status": payment.status.value,
        "provider": payment.provider.value,
        "external_reference": payment.external_reference,
        "paid_at": moment(payment.paid_at),
        "created_at": moment(payment.created_at),
        "updated_at": moment(payment.updated_at),
    }


def checkout_json(checkout: PaymentCheckout | None) -> dict[str, Any]:
    return {
        "checkout_url": checkout.url if checkout else None,
        "checkout_expires_at": moment(checkout.expires_at) if checkout else None,
        "checkout_problem": checkout.problem if checkout else None,
    }


def purchase_json(bought: Purchase) -> dict[str, Any]:
    return {
        "package": package_json(bought.package),
        "payment": payment_json(bought.payment),
        **checkout_json(bought.checkout),
    }


def refund_json(refund: Refund) -> dict[str, Any]:
    return {
        "id": str(refund.id),
        "reference": refund.reference,
        "payment_id": str(refund.payment_id),
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "status": refund.status.value,
        "reason": refund.reason,
        "lessons_revoked": refund.lessons_revoked,
        "created_at": moment(refund.created_at),
        "settled_at": moment(refund.settled_at),
    }


def credit_json(credit: RefundCredit) -> dict[str, Any]:
    return {
        "id": str(credit.id),
        "reference": credit.reference,
        "payment_id": str(credit.payment_id),
        "package_id": str(credit.package_id),
        "amount_minor": credit.amount_minor,
        "currency": credit.currency,
        "lessons_revoked": credit.lessons_revoked,
        "lessons_granted": credit.lessons_granted,
        "reason": credit.reason,
        "created_at": moment(credit.created_at),
    }


def awaiting_json(approval: Approval) -> dict[str, Any]:
    return {"approval_id": str(approval.id), "status": "awaiting_approval"}
