"""What the columns of each desk say in a file, by the name of the column. Kept apart from the desks: pages show links, chips
and colours, files hold values. A column that is not named here is in no file."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, and_, case, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, show
from guitaronline.admin.plain import Plain, Plains, amount, label, moment, number, of, span, word, words, yes
from guitaronline.audit.models import AuditAction, CheckRun, JobTick, OutboxEvent
from guitaronline.audit.queries import state_of_tick
from guitaronline.billing import rules
from guitaronline.billing.credits import TO_CREDIT
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import CreditNote, Invoice, Seller, TaxRate
from guitaronline.billing.models import Approval, Package, PackageStatus, Payment, Plan, PlanPrice, Refund
from guitaronline.billing.provider_models import PaymentException, ProviderEvent
from guitaronline.booking import facts
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.waitlist_models import WaitlistEntry
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, User
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.models import Message
from guitaronline.office.bulk_models import BulkRun
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.teachers.models import TeacherProfile

ByName = dict[str, Plains]


def _person(key: Any, *, label: str = "") -> Plains:
    return words(of(User.full_name, key), label=label)


def _contact(column: Any, masked: Callable[[str], str]) -> Plains:
    """Clear for those who may see contact data, as on the page."""
    return (Plain((column,), lambda v: v if not v or gate.may(Permission.READ_CONTACTS) else masked(v)),)


def _booking_status() -> ColumnElement[str]:
    """SQL twin of `booking.rules.effective_status`."""
    return case((facts.lapsed(gate.now()), str(BookingStatus.EXPIRED)), else_=cast(Booking.status, Text))


BOOKINGS: ByName = {
    "reference": words(Booking.reference),
    "start_at": span(Booking.start_at, Booking.end_at),
    "student": _person(Booking.student_id),
    "teacher": _person(Booking.teacher_id),
    "status": word(_booking_status),
    "cancel_cause": word(Booking.cancel_cause),
    "id": moment(Booking.created_at),
    "end_at": moment(Booking.end_at),
    "confirmed_at": moment(Booking.confirmed_at),
    "canceled_at": moment(Booking.canceled_at),
    "reason": words(Booking.cancellation_reason),
    "package": words(of(Package.reference, Booking.package_id)),
}


def _occupant(value: Any) -> Any:
    """`value` of the live booking of a slot. Index: bookings_one_active_per_slot."""
    query = select(value).where(Booking.slot_id == Slot.id, facts.live(gate.now()))
    return query.correlate(Slot).limit(1).scalar_subquery()


def _slot_state(status: SlotStatus, occupied: BookingStatus | None) -> str:
    return str(status) if occupied is None else "held" if occupied is BookingStatus.HOLD else "booked"


SLOTS: ByName = {
    "reference": words(Slot.reference),
    "start_at": span(Slot.start_at, Slot.end_at),
    "teacher": _person(Slot.teacher_id),
    "status": (Plain((Slot.status, lambda: _occupant(Booking.status)), _slot_state),),
    "booking": words(lambda: _occupant(Booking.reference)),
    "end_at": moment(Slot.end_at),
    "id": moment(Slot.created_at),
}


def _time_off_state() -> ColumnElement[str]:
    """SQL twin of `time_off.standing`."""
    return case(
        (TimeOff.status == AbsenceStatus.CANCELED, "canceled"),
        (TimeOff.end_at <= gate.now(), "over"),
        (TimeOff.start_at <= gate.now(), "current"),
        else_="upcoming",
    )


TIME_OFF: ByName = {
    "reference": words(TimeOff.reference),
    "teacher": _person(TimeOff.teacher_id),
    "start_at": moment(TimeOff.start_at),
    "end_at": moment(TimeOff.end_at),
    "status": word(_time_off_state),
    "reason": (Plain((TimeOff.reason,), lambda value: value if gate.may(Permission.MANAGE_SLOTS) else None),),
    "id": moment(TimeOff.created_at),
}
LESSONS: ByName = {
    "reference": words(Lesson.reference),
    "scheduled_start_at": span(Lesson.scheduled_start_at, Lesson.scheduled_end_at),
    "student": _person(Lesson.student_id),
    "teacher": _person(Lesson.teacher_id),
    "status": (*word(Lesson.status), *word(Lesson.no_show_side, label="No-show of")),
    "topic": words(Lesson.topic),
    "outcome_at": moment(Lesson.outcome_at),
    "is_returned": yes(Lesson.is_returned),
    "homework": words(Lesson.homework),
    "join_url": words(Lesson.join_url),
}
PEOPLE: ByName = {
    "full_name": words(User.full_name),
    "role": word(User.role),
    "email": _contact(User.email, show.masked_email),
    "phone": _contact(User.phone, show.masked_phone),
    "timezone": words(User.timezone),
    "is_active": yes(User.is_active, true="active", false="deactivated"),
    "id": moment(User.created_at),
    "reference": words(User.reference),
    "language": words(User.language),
    "instrument": words(User.instrument),
    "level": words(User.level),
}
TEACHERS: ByName = {
    "display_name": words(TeacherProfile.display_name),
    "user": _person(TeacherProfile.user_id),
    "tags": (Plain((TeacherProfile.tags,), ", ".join),),
    "meeting_url": yes(TeacherProfile.meeting_url),
    "status": word(TeacherProfile.status),
    "id": moment(TeacherProfile.created_at),
}
TASKS: ByName = {
    "title": words(Task.title),
    "record": words(label(Task.record_type, Task.record_id)),
    "owner": _person(Task.owner_id),
    "due_on": words(Task.due_on),
    "status": word(Task.status),
    "id": moment(Task.created_at),
}


def _package_status() -> ColumnElement[str]:
    """SQL twin of `billing.rules.effective_package_status`."""
    over = and_(Package.status.in_(rules.LIVING), Package.frozen_at.is_(None), Package.expires_at <= gate.now())
    return case((over, str(PackageStatus.EXPIRED)), else_=cast(Package.status, Text))


PACKAGES: ByName = {
    "reference": words(Package.reference),
    "student": _person(Package.student_id),
    "status": (*word(_package_status), *moment(Package.frozen_at, label="Frozen since")),
    "lessons_left": (
        *number(Package.available + Package.reserved, label="Lessons left"),
        *number(Package.reserved, label="Lessons reserved"),
        *number(Package.lessons_total, label="Lessons total"),
    ),
    "expires_at": moment(Package.expires_at),
    "origin": word(Package.origin),
    "price_minor": amount(Package.price_minor, Package.currency, label="Price"),
    "id": moment(Package.created_at),
    "consumed": number(Package.consumed),
    "lesson_minutes": number(Package.lesson_minutes),
    "is_trial": yes(Package.is_trial),
}


def _newest(value: Any) -> Any:
    """`value` of the plan's price now. Index: uq_plan_prices_revision."""
    query = select(value).where(PlanPrice.plan_id == Plan.id).order_by(PlanPrice.revision.desc())
    return query.correlate(Plan).limit(1).scalar_subquery()


PLANS: ByName = {
    "name": words(Plan.name),
    "lessons_total": number(Plan.lessons_total),
    "lesson_minutes": number(Plan.lesson_minutes),
    "valid_days": number(Plan.valid_days, label="Valid for, days"),
    "price": amount(_newest(PlanPrice.amount_minor), _newest(PlanPrice.currency), label="Price"),
    "is_trial": yes(Plan.is_trial),
    "books_breakage": yes(Plan.books_breakage),
    "is_active": yes(Plan.is_active, true="on sale", false="not on sale"),
}
PAYMENTS: ByName = {
    "reference": words(Payment.reference),
    "student": _person(Payment.student_id),
    "amount_minor": amount(Payment.amount_minor, Payment.currency, label="Amount"),
    "status": word(Payment.status),
    "package": words(of(Package.reference, Payment.package_id)),
    "external_reference": words(Payment.external_reference),
    "paid_at": moment(Payment.paid_at),
    "id": moment(Payment.created_at),
    "provider": word(Payment.provider),
}
REFUNDS: ByName = {
    "reference": words(Refund.reference),
    "payment": words(of(Payment.reference, Refund.payment_id)),
    "amount_minor": amount(Refund.amount_minor, Refund.currency, label="Amount"),
    "status": word(Refund.status),
    "lessons_revoked": number(Refund.lessons_revoked),
    "reason": words(Refund.reason),
    "id": moment(Refund.created_at),
    "source": word(Refund.source),
    "provider_reference": words(Refund.provider_reference),
}
DISPUTES: ByName = {
    "reference": words(Dispute.reference),
    "payment": words(of(Payment.reference, Dispute.payment_id)),
    "student": words(
        select(User.full_name)
        .join(Payment, Payment.student_id == User.id)
        .where(Payment.id == Dispute.payment_id)
        .correlate(Dispute)
        .scalar_subquery()
    ),
    "amount_minor": amount(Dispute.amount_minor, Dispute.currency, label="Amount"),
    "status": word(Dispute.status),
    "evidence_due_at": moment(Dispute.evidence_due_at),
    "owner": _person(Dispute.owner_id),
    "id": moment(Dispute.created_at),
    "reason": words(Dispute.reason),
    "decided_at": moment(Dispute.decided_at),
}
PROVIDER_EVENTS: ByName = {
    "id": moment(ProviderEvent.received_at),
    "event_id": words(ProviderEvent.event_id),
    "provider": word(ProviderEvent.provider),
    "said": words(ProviderEvent.said),
    "status": word(ProviderEvent.status),
    "attempts": number(ProviderEvent.attempts),
    "last_error": words(ProviderEvent.last_error),
}
PAYMENT_EXCEPTIONS: ByName = {
    "id": moment(PaymentException.created_at),
    "kind": word(PaymentException.kind),
    "payment": words(of(Payment.reference, PaymentException.payment_id)),
    "amount_minor": amount(PaymentException.amount_minor, PaymentException.currency, label="Amount"),
    "external_reference": words(PaymentException.external_reference),
    "resolved_at": moment(PaymentException.resolved_at),
}


def _issued(paper: Any) -> ByName:
    return {
        "reference": words(paper.reference),
        "issued_on": words(paper.issued_on),
        "student": _person(paper.student_id),
        "buyer": words(paper.buyer["name"].astext),
        "gross_minor": amount(paper.gross_minor, paper.currency, label="Gross"),
        "net_minor": amount(paper.net_minor, paper.currency, label="Net"),
        "tax_minor": amount(paper.tax_minor, paper.currency, label="Tax"),
        "rate_bps": (Plain((paper.rate_bps,), lambda value: Decimal(value) / 100, label="Tax rate, percent"),),
        "country": words(paper.country),
        "id": moment(paper.created_at),
    }


INVOICES: ByName = {**_issued(Invoice), "payment": words(of(Payment.reference, Invoice.payment_id))}
CREDIT_NOTES: ByName = {
    **_issued(CreditNote),
    "invoice": words(of(Invoice.reference, CreditNote.invoice_id)),
    "refund": words(of(Refund.reference, CreditNote.refund_id)),
}
SELLERS: ByName = {
    "name": words(Seller.name),
    "valid_from": words(Seller.valid_from),
    "country": words(Seller.country),
    "tax_id": words(Seller.tax_id),
    "exemption": words(Seller.exemption),
    "id": moment(Seller.created_at),
}


def _tax_rate_state() -> ColumnElement[str]:
    """SQL twin of `invoice_settings.rate_state`."""
    today = school_day(gate.now())
    over, ahead = TaxRate.valid_until <= today, TaxRate.valid_from > today
    return case((over, "expired"), (ahead, "planned"), else_="active")


TAX_RATES: ByName = {
    "country": words(TaxRate.country),
    "rate_bps": (Plain((TaxRate.rate_bps,), lambda value: Decimal(value) / 100, label="Rate, percent"),),
    "state": word(_tax_rate_state),
    "valid_from": words(TaxRate.valid_from),
    "valid_until": words(TaxRate.valid_until),
    "exemption": words(TaxRate.exemption),
    "id": moment(TaxRate.created_at),
}
WAITLIST: ByName = {
    "reference": words(WaitlistEntry.reference),
    "student": _person(WaitlistEntry.student_id),
    "teacher": _person(WaitlistEntry.teacher_id),
    "from_at": moment(WaitlistEntry.from_at),
    "until_at": moment(WaitlistEntry.until_at),
    "lesson_minutes": number(WaitlistEntry.lesson_minutes),
    "status": word(WaitlistEntry.status),
    "id": moment(WaitlistEntry.created_at),
}
APPROVALS: ByName = {
    "kind": word(case((Approval.wish["to"].astext == TO_CREDIT, "credit in lessons"), else_=cast(Approval.kind, Text))),
    "payment": words(of(Payment.reference, Approval.payment_id)),
    "amount_minor": amount(Approval.amount_minor, Approval.currency, label="Amount"),
    "status": word(Approval.status),
    "reason": words(Approval.reason),
    "id": moment(Approval.created_at),
}
AUDIT: ByName = {
    "id": moment(AuditAction.at),
    "name": words(AuditAction.name),
    "actor_id": (*_person(AuditAction.actor_id), *words(AuditAction.actor_kind, label="As")),
    "record_id": (
        *word(AuditAction.record_type, label="Kind of record"),
        *words(label(AuditAction.record_type, AuditAction.record_id)),
    ),
    "reason": words(AuditAction.reason),
}
EVENTS: ByName = {
    "id": moment(OutboxEvent.created_at),
    "topic": words(OutboxEvent.topic),
    "record": (
        *word(OutboxEvent.record_type),
        *words(label(OutboxEvent.record_type, OutboxEvent.record_id), label="Which"),
    ),
    "status": word(OutboxEvent.status),
    "attempts": number(OutboxEvent.attempts),
    "last_error": words(OutboxEvent.last_error),
}
MESSAGES: ByName = {
    "id": moment(Message.happened_at),
    "kind": word(Message.kind),
    "person": _person(Message.person_id),
    "channel": word(Message.channel),
    "record": (
        *word(Message.record_type),
        *words(label(Message.record_type, Message.record_id), label="Which"),
    ),
    "status": word(Message.status),
    "attempts": number(Message.attempts),
    "why": words(func.coalesce(Message.suppressed_because, Message.last_error)),
    "sent_at": moment(Message.sent_at),
    "available_at": moment(Message.available_at),
    "reference": words(Message.reference),
}
JOBS: ByName = {
    "id": moment(JobTick.tick_at),
    "job": words(JobTick.job),
    "outcome": (Plain((JobTick.started_at, JobTick.outcome), state_of_tick),),
    "said": words(JobTick.outcome),
    "started_at": moment(JobTick.started_at),
    "finished_at": moment(JobTick.finished_at),
}
BULK_RUNS: ByName = {
    "reference": words(BulkRun.reference),
    "action": words(BulkRun.action),
    "owner": _person(BulkRun.owner_id),
    "status": word(BulkRun.status),
    "rows_total": (
        *number(BulkRun.rows_total),
        *number(BulkRun.succeeded, label="Done"),
        *number(BulkRun.refused, label="Refused"),
        *number(BulkRun.failed, label="Failed"),
    ),
    "reason": words(BulkRun.reason),
    "id": moment(BulkRun.created_at),
}
CLOSURES: ByName = {
    "name": words(Closure.name),
    "first_day": (*words(Closure.first_day, label="First day"), *words(Closure.last_day, label="Last day")),
    "status": word(Closure.status),
    "uid": words(Closure.uid),
    "id": moment(Closure.created_at),
    "reference": words(Closure.reference),
}
_findings = func.jsonb_array_length(func.coalesce(CheckRun.findings["findings"], cast([], JSONB)))
CHECKS: ByName = {
    "id": moment(CheckRun.at),
    "findings": number(_findings, label="Findings"),
    "seconds": (Plain((CheckRun.seconds,), lambda value: Decimal(f"{value:.1f}"), "Took, seconds"),),
}
