"""Money on its way back: previewed by the rule that decides, asked for, settled."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.approvals import approval_line, approval_link
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Amount, Days, State
from guitaronline.admin.payments import PaymentCommand
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.billing import service
from guitaronline.billing.models import (
    Approval,
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
    filters = (
        State(Refund.status, RefundStatus),
        Amount("amount", "Amount", Refund.amount_minor, Refund.currency),
        Days("asked", "Asked for", Refund.created_at, is_past=True),
        Counted("refunds", Refund.id),
    )
    exported = exported.REFUNDS
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
    form = forms.MaybeReasonForm
    targets = (RefundStatus.SUCCEEDED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.settle_refund(actor, record.id, succeeded=True, reason=form.reason.data)


class FailRefund(RefundCommand):
    path = "refunds/<uuid:id>/failed"
    title = "Could not be paid out"
    form = forms.ReasonForm
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


commands.add(RefundPayment, SettleRefund, FailRefund, CancelRefund)
