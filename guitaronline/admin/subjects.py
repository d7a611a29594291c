"""Which records' lives a timeline tells: a record with what belongs to it, a person with everything of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, literal, or_, select, union_all

from guitaronline.actor import Role
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.invoices.models import (
    BillingAddress,
    CreditCancellation,
    CreditNote,
    Invoice,
    WithdrawalConsent,
)
from guitaronline.billing.models import Approval, CreditEntry, Package, Payment, PaymentTransition, PlanPrice, Refund
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.booking.models import Booking
from guitaronline.identity.models import Guardian, Note, Task
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.models import Message
from guitaronline.teachers.models import TeacherProfile

Rows = Select[Any]  # of (table_name, row_id)


class Kind(StrEnum):
    """What of a timeline is shown."""

    ALL = "all"
    CHANGES = "changes"
    MONEY = "money"
    MESSAGES = "messages"
    NOTES = "notes"


MONEY = frozenset(
    {
        CreditEntry,
        Payment,
        PaymentTransition,
        Refund,
        RefundCredit,
        Dispute,
        Approval,
        Package,
        Invoice,
        CreditNote,
        CreditCancellation,
    }
)
WRITTEN = frozenset({Note, Task})


def subjects_of(record: Any, kind: Kind) -> Any:
    """A select of (table_name, row_id); None when the record has nothing of that kind."""
    own = [_one(record), *(_rows(model, condition) for model, condition in _belonging(record))]
    parts = [each for each in own if _fits(each[0], kind, type(record))]
    if kind in (Kind.ALL, Kind.NOTES):
        records = union_all(*(rows for _, rows in own)).cte("own")
        parts += [(model, _about(model, records)) for model in (Note, Task)]
    return union_all(*(rows for _, rows in parts)) if parts else None


def _fits(model: Any, kind: Kind, of: Any) -> bool:
    """The page's own record always counts as a change; a task's page tells of the task."""
    return {
        Kind.ALL: True,
        Kind.MESSAGES: True,
        Kind.CHANGES: model is of or model not in MONEY,
        Kind.MONEY: model in MONEY,
        Kind.NOTES: model in WRITTEN,
    }[kind]


def _one(record: Any) -> tuple[Any, Rows]:
    return type(record), select(
        literal(record.__tablename__).label("table_name"), literal(record.id, Uuid()).label("row_id")
    )


def _rows(model: Any, condition: Any) -> tuple[Any, Rows]:
    return model, select(literal(model.__tablename__).label("table_name"), model.id.label("row_id")).where(condition)


def _about(model: Any, records: Any) -> Rows:
    """Notes or tasks about these records. ix_notes_record, ix_tasks_record"""
    is_theirs = (model.record_type == records.c.table_name) & (model.record_id == records.c.row_id)
    return select(literal(model.__tablename__).label("table_name"), model.id.label("row_id")).join(records, is_theirs)


# What belongs to a record; each condition has an index.

Belonging = Iterable[tuple[Any, Any]]


def _belonging(record: Any) -> Belonging:
    found = BELONGING.get(record.__tablename__)
    return found(record) if found else ()


def _of_booking(booking: Booking) -> Belonging:
    told = (Message, (Message.record_type == "bookings") & (Message.record_id == booking.id))
    return ((Lesson, Lesson.booking_id == booking.id), (CreditEntry, CreditEntry.booking_id == booking.id), told)


def _of_lesson(lesson: Lesson) -> Belonging:
    return ((Booking, Booking.id == lesson.booking_id), (CreditEntry, CreditEntry.booking_id == lesson.booking_id))


def _of_package(package: Package) -> Belonging:
    payments = select(Payment.id).where(Payment.package_id == package.id)
    consent = (WithdrawalConsent, WithdrawalConsent.package_id == package.id)
    return ((CreditEntry, CreditEntry.package_id == package.id), consent, *_money(payments))


def _of_payment(payment: Payment) -> Belonging:
    return [each for each in _money([payment.id]) if each[0] is not Payment]


def _money(payments: Any) -> Belonging:
    notes = CreditNote.invoice_id.in_(select(Invoice.id).where(Invoice.payment_id.in_(payments)))
    return (
        (Payment, Payment.id.in_(payments)),
        (PaymentTransition, PaymentTransition.payment_id.in_(payments)),
        (Refund, Refund.payment_id.in_(payments)),
        (RefundCredit, RefundCredit.payment_id.in_(payments)),
        (Dispute, Dispute.payment_id.in_(payments)),
        (Approval, Approval.payment_id.in_(payments)),
        (Invoice, Invoice.payment_id.in_(payments)),
        *_credits(notes),
    )


def _credits(notes: Any) -> Belonging:
    return (
        (CreditNote, notes),
        (CreditCancellation, CreditCancellation.credit_note_id.in_(select(CreditNote.id).where(notes))),
    )


def _of_refund(refund: Refund) -> Belonging:
    return ((Approval, Approval.id == refund.approval_id),) if refund.approval_id else ()


def _of_person(person: Any) -> Belonging:
    """Everything of a student; of a teacher, whose lessons are their students', the profile; and what each was told."""
    told = (Message, Message.person_id == person.id)
    family = (Guardian, or_(Guardian.student_id == person.id, Guardian.guardian_id == person.id))
    if person.role is not Role.STUDENT:
        return (family, told, (TeacherProfile, TeacherProfile.user_id == person.id))
    return (family, told, (BillingAddress, BillingAddress.user_id == person.id), *_of_student(person.id))


def _of_student(student_id: UUID) -> Belonging:
    packages = select(Package.id).where(Package.student_id == student_id)
    payments = select(Payment.id).where(Payment.student_id == student_id)
    return (
        (Booking, Booking.student_id == student_id),
        (Lesson, Lesson.student_id == student_id),
        (Package, Package.student_id == student_id),
        (CreditEntry, CreditEntry.package_id.in_(packages)),
        *_money(payments),
    )


BELONGING: dict[str, Callable[[Any], Belonging]] = {
    "bookings": _of_booking,
    "lessons": _of_lesson,
    "packages": _of_package,
    "payments": _of_payment,
    "refunds": _of_refund,
    "disputes": lambda dispute: (
        (Payment, Payment.id == dispute.payment_id),
        (Package, Package.id == dispute.payment.package_id),
    ),
    "users": _of_person,
    "invoices": lambda invoice: _credits(CreditNote.invoice_id == invoice.id),
    "credit_notes": lambda note: ((CreditCancellation, CreditCancellation.credit_note_id == note.id),),
    "lesson_series": lambda series: ((Booking, Booking.series_id == series.id),),
    "plans": lambda plan: ((PlanPrice, PlanPrice.plan_id == plan.id),),
}
