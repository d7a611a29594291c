"""Payments by hand: recorded, received, failed, awaited again."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, show
from guitaronline.admin.approvals import approval_line, approval_link
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Amount, Choice, Days, Person, State, Whose, record_or_people
from guitaronline.admin.given_back import credits_section, disputes_section
from guitaronline.admin.history import names
from guitaronline.admin.invoices import papers_section
from guitaronline.admin.provider_events import checkout_facts, told_section
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.admin.waiting import Waiting
from guitaronline.admin.withdrawals import withdrawal_sections
from guitaronline.billing import queries, service
from guitaronline.billing.models import (
    Approval,
    Package,
    PackageStatus,
    Payment,
    PaymentProvider,
    PaymentStatus,
    RefundStatus,
)
from guitaronline.booking import waiting
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.money import Money


class PaymentsDesk(Desk):
    model_of = Payment
    path = "payments"
    title = "Payments"
    one = "Payment"
    permission = Permission.READ_PAYMENTS
    empty = "No payment yet. Record one from a package's page."
    search_words = "PAY-…, student or outside reference"
    columns = (
        Column("reference", "Payment", show.link),
        Column("student", "Student", lambda each: show.link(each.student)),
        Column(
            "amount_minor",
            "Amount",
            lambda each: show.money(each.amount_minor, each.currency),
            is_number=True,
            sort=Payment.amount_minor,
        ),
        Column("status", "State", show.state),
        Column("package", "Package", lambda each: show.link(each.package)),
        Column("external_reference", "Outside reference", lambda each: show.text(each.external_reference)),
        Column("paid_at", "Paid", lambda each: show.stamp(each.paid_at), sort=Payment.paid_at),
        Column("id", "Recorded", lambda each: show.stamp(each.created_at), sort=Payment.id),
        Column("provider", "By", lambda each: show.word(each.provider), is_default=False),
    )
    filters = (
        State(Payment.status, PaymentStatus),
        Waiting(waiting.PAYMENTS),
        Amount("amount", "Amount", Payment.amount_minor, Payment.currency),
        Days("paid", "Paid", Payment.paid_at, is_past=True),
        Days("recorded", "Recorded", Payment.created_at, is_past=True),
        Choice("provider", "By", list(PaymentProvider), lambda value: Payment.provider == value),
        Person("student", "Student", Payment.student_id),
        Whose("package", "Package", Payment.package_id, Package),
        Counted("payments", Payment.id),
    )
    exported = exported.PAYMENTS
    default_order = (Payment.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Payment.student), selectinload(Payment.package))

    def prepare_rows(self, rows: list[Any]) -> None:
        from guitaronline.admin.disputes import DISPUTED
        from guitaronline.admin.invoices import INVOICES

        for each in (DISPUTED, INVOICES):
            each.look(row.id for row in rows)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [*record_or_people(Payment.reference, words, Payment.student_id), Payment.external_reference == words]

    def record_page(self, payment: Any) -> dict[str, Any]:
        sections = [_transitions(payment), told_section(payment), papers_section(payment), _refunds(payment)]
        sections += [each for each in (credits_section(payment), disputes_section(payment)) if each.rows]
        sections.append(_approvals(payment))
        sections += withdrawal_sections(payment, payment.package)
        return whole(payment, Page(_facts(payment), state=show.state(payment), sections=sections))


def _facts(payment: Payment) -> list[show.Fact]:
    back = queries.refunds_sum(session(), payment.id, RefundStatus.SUCCEEDED)
    on_its_way = queries.refunds_sum(session(), payment.id, RefundStatus.PENDING)
    return facts(
        ("Student", show.link(payment.student)),
        ("Package", show.link(payment.package)),
        ("Amount", show.money(payment.amount_minor, payment.currency)),
        ("Went back", show.money(back, payment.currency)),
        ("On its way back", show.money(on_its_way, payment.currency)),
        ("By", show.word(payment.provider)),
        ("Outside reference", payment.external_reference),
        ("Paid", show.when(payment.paid_at)),
        ("Recorded", show.when(payment.created_at)),
        *checkout_facts(payment),
    )


def _transitions(payment: Payment) -> Section:
    found = queries.transitions_of(session(), payment.id)
    known = names({each.actor_id for each in found if each.actor_id})
    table = rows(
        reversed(found),
        lambda each: show.when(each.created_at),
        lambda each: (
            f"{show.word(each.from_status)} → {show.word(each.to_status)}"
            if each.from_status
            else show.word(each.to_status)
        ),
        lambda each: known.get(each.actor_id, "the system"),
        lambda each: show.text(each.reason),
        lambda each: show.text(each.evidence),
    )
    return Section("Steps", ("When", "Step", "By", "Reason", "Evidence"), table)


def _refunds(payment: Payment) -> Section:
    table = rows(
        queries.refunds_of(session(), payment.id),
        show.link,
        lambda each: show.money(each.amount_minor, each.currency),
        show.state,
        lambda each: each.lessons_revoked,
        lambda each: each.reason,
    )
    return Section(
        "Refunds", ("Refund", "Amount", "State", "Lessons taken back", "Reason"), table, "Nothing went back."
    )


def _approvals(payment: Payment) -> Section:
    found = session().scalars(
        select(Approval).where(Approval.payment_id == payment.id).order_by(Approval.id.desc()).limit(10)
    )
    return Section(
        "Approvals",
        ("Approval", "Amount", "State"),
        rows(found, approval_link, lambda each: show.money(each.amount_minor, each.currency), show.state),
        "None was asked for.",
    )


def payments_section(person: User) -> Section:
    found = queries.payments_of_student(session(), person.id, limit=10)
    table = rows(
        found,
        show.link,
        show.state,
        lambda each: show.money(each.amount_minor, each.currency),
        lambda each: show.when(each.paid_at),
    )
    return Section(
        "Payments",
        ("Payment", "State", "Amount", "Paid"),
        table,
        "No payment yet.",
        flask.url_for("desk_payments.index_view", student=person.id),
    )


class RecordForm(forms.CommandForm):
    amount = forms.amount("Amount")
    currency = forms.currency()
    external_reference = forms.line(
        "Outside reference", most=200, help="Of the bank transfer or receipt; counts as evidence."
    )
    reason = forms.reason(required=False)


class RecordPayment(CommandPage):
    record = Package
    path = "packages/<uuid:id>/payments/new"
    title = "Record a payment"
    permission = Permission.EDIT_PAYMENTS
    form = RecordForm

    def initial(self, record: Any) -> dict[str, Any]:
        asked = Money(record.price_minor, record.currency)
        return {"currency": record.currency, "amount": str(asked).partition(" ")[0] if record.price_minor else None}

    def refused_because(self, record: Any) -> str | None:
        return "The package was taken back." if record.status is PackageStatus.REVOKED else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Payment", "Is awaited; mark it as received when the money is there.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.record_payment(
            actor,
            package_id=record.id,
            amount_minor=form.amount.minor(form.currency.data),
            currency=form.currency.data,
            external_reference=form.external_reference.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is awaited.", show.record_url("payments", result.id) or "")


class StatusForm(forms.CommandForm):
    evidence = forms.line("Evidence", most=500, help="Such as the bank statement's line.")
    reason = forms.reason(required=False, help="A reason or evidence is needed when money is received by hand.")


class PaymentCommand(CommandPage):
    """Afterwards the payment, or the approval that waits for a second person."""

    record = Payment
    permission = Permission.EDIT_PAYMENTS

    def done(self, result: Any) -> Done:
        if isinstance(result, Approval):
            return Done(
                "Above the limit: a second person has to allow it first.", show.record_url("approvals", result.id) or ""
            )
        return Done(
            f"{result.reference} is {show.word(result.status)}.", show.record_url(result.__tablename__, result.id) or ""
        )


class HandCommand(PaymentCommand):
    """What is said by hand holds for payments by hand; a provider speaks for the others."""

    def refused_because(self, record: Any) -> str | None:
        if record.provider is not PaymentProvider.MANUAL:
            return "Its provider says what becomes of it, not a person."
        if record.status is PaymentStatus.REFUNDED:
            return "It is refunded: all of it went back."
        return super().refused_because(record)


class ReceivePayment(HandCommand):
    path = "payments/<uuid:id>/received"
    title = "Received"
    button = "The money is there"
    form = StatusForm
    targets = (PaymentStatus.SUCCEEDED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        granted = record.package.status is PackageStatus.PENDING
        lines = [
            (
                "Package",
                show.html(
                    "{} becomes active with its lessons."
                    if granted
                    else "{} is active already; nothing more is granted.",
                    show.link(record.package),
                ),
            )
        ]
        return Consequences(lines + approval_line(record.amount_minor, record.currency))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_payment_status(
            actor, record.id, status=PaymentStatus.SUCCEEDED, reason=form.reason.data, evidence=form.evidence.data
        )


class FailPayment(HandCommand):
    path = "payments/<uuid:id>/failed"
    title = "Failed"
    button = "The money did not come"
    form = forms.ReasonForm
    targets = (PaymentStatus.FAILED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_payment_status(actor, record.id, status=PaymentStatus.FAILED, reason=form.reason.data)


class ReopenForm(forms.CommandForm):
    evidence = forms.line("Evidence", required=True, most=500, help="What says that the money is coming after all.")
    reason = forms.reason(required=False)


class ReopenPayment(HandCommand):
    path = "payments/<uuid:id>/awaited"
    title = "Await again"
    form = ReopenForm
    targets = (PaymentStatus.PENDING,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_payment_status(
            actor, record.id, status=PaymentStatus.PENDING, reason=form.reason.data, evidence=form.evidence.data
        )


commands.add(RecordPayment, ReceivePayment, FailPayment, ReopenPayment)
