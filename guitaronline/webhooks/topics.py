"""What partners can be told of: events of the outbox, by the record that they are about, and where a service key reads it."""

from __future__ import annotations

from dataclasses import dataclass

from guitaronline.identity.access import KeyScope


@dataclass(frozen=True)
class About:
    """A kind of record. `path` is where the API shows it; `{owner}` is the payment of a refund."""

    kind: str
    path: str
    scope: KeyScope


RECORDS = {
    "bookings": About("booking", "/api/v1/booking/{id}", KeyScope.BOOKINGS_READ),
    "lessons": About("lesson", "/api/v1/lessons/{id}", KeyScope.BOOKINGS_READ),
    "payments": About("payment", "/api/v1/billing/payments/{id}", KeyScope.PAYMENTS_READ),
    "refunds": About("refund", "/api/v1/billing/payments/{owner}/refunds", KeyScope.PAYMENTS_READ),
}
TOPICS = {
    "booking.confirmed": "a lesson is booked",
    "booking.rescheduled": "a lesson was moved",
    "booking.canceled": "a lesson is called off",
    "booking.restored": "a lesson takes place after all",
    "booking.teacher_changed": "a lesson is given by another teacher",
    "lesson.completed": "a lesson was given",
    "lesson.no_show": "somebody did not come to a lesson",
    "lesson.outcome_corrected": "the outcome of a lesson was corrected",
    "payment.succeeded": "a payment arrived",
    "payment.failed": "a payment did not arrive",
    "payment.refunded": "all of a payment went back",
    "payment.refund_returned": "what had gone back came back",
    "refund.succeeded": "money went back",
    "refund.returned": "money that had gone back came back",
}
