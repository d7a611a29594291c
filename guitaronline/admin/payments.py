"""Money by hand: payments, what goes back, and what a second person has to allow."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline import policy
from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Days, State, Whose, record_or_people
from guitaronline.admin.history import names
from guitaronline.admin.people import MaybeReasonForm, ReasonForm
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing import queries, rules, service
from guitaronline.billing.models import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    Package,
    PackageStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from guitaronline.billing.service import RefundPreview
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason
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
        Column("amount_minor", "Amount", lambda each: show.money(each.amount_minor, each.currency), is_number=True),
        Column("status", "State", show.state),
        Column("package", "Package", lambda each: show.link(each.package)),
        Column("external_reference", "Outside reference", lambda each: show.text(each.external_reference)),
        Column("paid_at", "Paid", lambda each: show.stamp(each.paid_at)),
        Column("id", "Recorded", lambda each: show.stamp(each.created_at), sort=Payment.id),
    )
    filters = (
        State(Payment.status, PaymentStatus),
        Days("paid", "Paid", Payment.paid_at),
        Days("recorded", "Recorded", Payment.created_at),
        Whose("student", "Student", Payment.student_id),
        Whose("package", "Package", Payment.package_id, Package),
    )
    default_order = (Payment.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Payment.student), selectinload(Payment.package))

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [*record_or_people(Payment.reference, words, Payment.student_id), Payment.external_reference == words]

    def record_page(self, payment: Any) -> dict[str, Any]:
        sections = [_transitions(payment), _refunds(payment), _approvals(payment)]
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


class RefundsDesk(Desk):
    model_of = Refund
    path = "refunds"
    title = "Refunds"
    one = "Refund"
    permission = Permission.READ_PAYMENTS
    empty = "No refund yet. Refund from a payment's page."
    search_words = "RFD-…"
    columns = (
        Column("reference", "Refund", show.link),
        Column("payment", "Payment", lambda each: show.link(each.payment)),
        Column("amount_minor", "Amount", lambda each: show.money(each.amount_minor, each.currency), is_number=True),
        Column("status", "State", show.state),
        Column("lessons_revoked", "Lessons taken back", lambda each: each.lessons_revoked, is_number=True),
        Column("reason", "Reason", lambda each: each.reason),
        Column("id", "Asked for", lambda each: show.stamp(each.created_at), sort=Refund.id),
    )
    filters = (State(Refund.status, RefundStatus), Days("asked", "Asked for", Refund.created_at))
    default_order = (Refund.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Refund.payment),)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [Refund.reference == words.upper()]

    def record_page(self, refund: Any) -> dict[str, Any]:
        asker = session().get(User, refund.requested_by) if refund.requested_by else None
        approval = session().get(Approval, refund.approval_id) if refund.approval_id else None
        found = facts(
            ("Payment", show.link(refund.payment)),
            ("Amount", show.money(refund.amount_minor, refund.currency)),
            ("Lessons taken back", refund.lessons_revoked),
            ("Reason", refund.reason),
            ("Asked for by", show.link(asker)),
            ("Allowed by", approval_link(approval) if approval else None),
            ("Settled", show.when(refund.settled_at)),
        )
        return whole(refund, Page(found, state=show.state(refund)))


def approval_link(approval: Approval) -> Any:
    return show.link(approval, approval_title(approval))


def approval_title(approval: Approval) -> str:
    what = {ApprovalKind.REFUND: "refund", ApprovalKind.PAYMENT_SUCCEEDED: "payment received"}[approval.kind]
    return f"{what}, {Money(approval.amount_minor, approval.currency)}"


class ApprovalsDesk(Desk):
    model_of = Approval
    path = "approvals"
    title = "Approvals"
    one = "Approval:"
    permission = Permission.READ_PAYMENTS
    intro = "Money by hand above the limit waits here until a second person allows it."
    empty = "Nothing waits for a second person."
    columns = (
        Column("kind", "What", approval_link),
        Column("payment", "Payment", lambda each: show.link(each.payment)),
        Column("amount_minor", "Amount", lambda each: show.money(each.amount_minor, each.currency), is_number=True),
        Column("status", "State", show.state),
        Column("reason", "Reason", lambda each: each.reason),
        Column("id", "Asked for", lambda each: show.stamp(each.created_at), sort=Approval.id),
    )
    filters = (State(Approval.status, ApprovalStatus),)
    default_order = (Approval.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Approval.payment),)
    page_title = staticmethod(approval_title)

    def record_page(self, approval: Any) -> dict[str, Any]:
        found = facts(
            ("Payment", show.link(approval.payment)),
            ("Amount", show.money(approval.amount_minor, approval.currency)),
            ("Reason", approval.reason),
            ("Evidence", approval.wish.get("evidence")),
            ("Asked for by", show.link(session().get(User, approval.requested_by))),
            ("Decided by", show.link(session().get(User, approval.decided_by)) if approval.decided_by else None),
            ("Decided", show.when(approval.decided_at)),
        )
        return whole(approval, Page(found, state=show.state(approval)))


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


def approval_line(amount_minor: int, currency: str, before_minor: int = 0) -> list[tuple[str, str]]:
    """Whether a second person will be needed, by the rule that decides."""
    limit = policy.current().APPROVAL_ABOVE_MINOR
    if not rules.needs_approval(amount_minor, before_minor=before_minor, limit_minor=limit):
        return []
    return [("Second person", f"More than {Money(limit, currency)} by hand: somebody else has to allow it.")]


class ReceivePayment(PaymentCommand):
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


class FailPayment(PaymentCommand):
    path = "payments/<uuid:id>/failed"
    title = "Failed"
    button = "The money did not come"
    form = ReasonForm
    targets = (PaymentStatus.FAILED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_payment_status(actor, record.id, status=PaymentStatus.FAILED, reason=form.reason.data)


class ReopenForm(forms.CommandForm):
    evidence = forms.line("Evidence", required=True, most=500, help="What says that the money is coming after all.")
    reason = forms.reason(required=False)


class ReopenPayment(PaymentCommand):
    path = "payments/<uuid:id>/awaited"
    title = "Await again"
    form = ReopenForm
    targets = (PaymentStatus.PENDING,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_payment_status(
            actor, record.id, status=PaymentStatus.PENDING, reason=form.reason.data, evidence=form.evidence.data
        )


class RefundForm(forms.CommandForm):
    amount = forms.amount("Amount", required=False, help="Empty: what the rule offers.")
    reason = forms.reason()


def _preview(payment: Payment, amount_minor: int | None) -> RefundPreview:
    return service.refund_preview(session(), payment.id, now=gate.now(), amount_minor=amount_minor)


def _preview_offered(payment: Payment) -> RefundPreview | None:
    """What the rule offers; None where it offers nothing."""
    try:
        return _preview(payment, None)
    except DomainError:
        return None


class RefundPayment(PaymentCommand):
    path = "payments/<uuid:id>/refund"
    title = "Refund"
    button = "Ask for the refund"
    tone = "danger"
    form = RefundForm
    looks = "Show what will happen"
    targets = (PaymentStatus.REFUNDED,)

    def prepare(self, form: Any, record: Any) -> None:
        form.amount.in_currency = record.currency

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """By the rule that decides; an amount that is refused leaves what the rule offers on the page."""
        blockers: list[Reason] = []
        found: RefundPreview | None
        try:
            found = _preview(record, form.amount.minor(record.currency))
        except (DomainError, ValueError) as refusal:
            blockers = forms.reasons_of(refusal)
            found = _preview_offered(record)
        if found is None:
            return Consequences(blockers=blockers)
        lines = [
            ("Goes back", show.money(found.amount_minor, record.currency)),
            ("Paid", show.money(found.figures.paid_minor, record.currency)),
            ("Refunded before", show.money(found.figures.committed_minor, record.currency)),
            ("The rule offers", show.money(found.figures.refundable_minor, record.currency)),
            ("Lessons given", f"{found.figures.delivered} of {found.figures.lessons_total}"),
            ("Lessons taken back", found.lessons_revoked),
            *approval_line(found.amount_minor, record.currency, found.figures.committed_minor),
        ]
        ahead = [
            (show.link_to("bookings", each.id, each.reference), show.when(each.start_at), show.word(each.status))
            for each in found.bookings
        ]
        heading = ("Booking still to come; it stays unless it is canceled", "Starts", "State")
        return Consequences(lines, table=[heading, *ahead] if ahead else (), blockers=blockers)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.refund_payment(
            actor, record.id, amount_minor=form.amount.minor(record.currency), reason=form.reason.data
        )


class RefundCommand(CommandPage):
    record = Refund
    permission = Permission.EDIT_PAYMENTS

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is {show.word(result.status)}.", show.record_url("refunds", result.id) or "")


class SettleRefund(RefundCommand):
    path = "refunds/<uuid:id>/paid-out"
    title = "Paid out"
    button = "It was paid out"
    form = MaybeReasonForm
    targets = (RefundStatus.SUCCEEDED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.settle_refund(actor, record.id, succeeded=True, reason=form.reason.data)


class FailRefund(RefundCommand):
    path = "refunds/<uuid:id>/failed"
    title = "Could not be paid out"
    form = ReasonForm
    targets = (RefundStatus.FAILED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Lessons", f"{record.lessons_revoked} come back into the package."),
                ("Room", "The amount can be refunded again."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.settle_refund(actor, record.id, succeeded=False, reason=form.reason.data)


class CancelRefund(FailRefund):
    path = "refunds/<uuid:id>/cancel"
    title = "Withdraw the refund"
    tone = "danger"
    targets = (RefundStatus.CANCELED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.cancel_refund(actor, record.id, reason=form.reason.data)


class ApprovalCommand(CommandPage):
    record = Approval
    permission = Permission.APPROVE

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("What", approval_title(record)), ("Payment", show.link(record.payment)), ("Asked because", record.reason)]
        )

    def refused_because(self, record: Any) -> str | None:
        mine = record.requested_by == gate.viewer().id and record.status is ApprovalStatus.PENDING
        return "You asked for it yourself; another person has to decide." if mine else super().refused_because(record)

    def back(self, record: Any) -> tuple[str, str]:
        return approval_title(record), show.record_url("approvals", record.id) or ""

    def done(self, result: Any) -> Done:
        return Done(
            f"The {approval_title(result)} is {show.word(result.status)}.",
            show.record_url("approvals", result.id) or "",
        )


class Approve(ApprovalCommand):
    path = "approvals/<uuid:id>/approve"
    title = "Approve"
    button = "Allow and do it"
    form = MaybeReasonForm
    targets = (ApprovalStatus.APPROVED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.decide_approval(actor, record.id, approve=True, reason=form.reason.data)


class Reject(ApprovalCommand):
    path = "approvals/<uuid:id>/reject"
    title = "Reject"
    tone = "danger"
    form = ReasonForm
    targets = (ApprovalStatus.REJECTED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.decide_approval(actor, record.id, approve=False, reason=form.reason.data)


commands.add(
    RecordPayment,
    ReceivePayment,
    RefundPayment,
    FailPayment,
    ReopenPayment,
    SettleRefund,
    FailRefund,
    CancelRefund,
    Approve,
    Reject,
)
