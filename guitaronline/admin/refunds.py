"""Money on its way back: previewed by the rule that decides, asked for, settled."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, show
from guitaronline.admin.approvals import approval_link
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Amount, Choice, Days, State
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.billing import refund_queue, service
from guitaronline.billing.models import Approval, PaymentProvider, Refund, RefundStatus
from guitaronline.billing.refund_models import RefundSource
from guitaronline.db import session
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
        Column("source", "Whose idea", lambda each: show.word(each.source), is_default=False),
        Column(
            "provider_reference",
            "Provider's reference",
            lambda each: show.text(each.provider_reference),
            is_default=False,
        ),
    )
    filters = (
        State(Refund.status, RefundStatus),
        Amount("amount", "Amount", Refund.amount_minor, Refund.currency),
        Choice("waiting", "Waiting", ["to_look_at"], lambda _: Refund.needs_look.is_(True)),
        Choice("source", "Whose idea", list(RefundSource), lambda value: Refund.source == value),
        Days("asked", "Asked for", Refund.created_at, is_past=True),
        Counted("refunds", Refund.id),
    )
    exported = exported.REFUNDS
    default_order = (Refund.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Refund.payment), selectinload(Refund.call))

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [Refund.reference == words.upper(), Refund.provider_reference == words]

    def record_page(self, refund: Any) -> dict[str, Any]:
        asker = session().get(User, refund.requested_by) if refund.requested_by else None
        approval = session().get(Approval, refund.approval_id) if refund.approval_id else None
        found = facts(
            ("Payment", show.link(refund.payment)),
            ("Amount", show.money(refund.amount_minor, refund.currency)),
            ("Lessons taken back", refund.lessons_revoked),
            ("Reason", refund.reason),
            ("By", show.word(refund.payment.provider)),
            ("Provider's reference", refund.provider_reference),
            ("Provider", _asking(refund)),
            (
                "Asked for by",
                "nobody here: seen at the provider" if refund.source is RefundSource.PROVIDER else show.link(asker),
            ),
            ("Allowed by", approval_link(approval) if approval else None),
            ("Settled", show.when(refund.settled_at)),
            ("Came back", show.when(refund.returned_at) if refund.returned_at else None),
        )
        marks = [show.chip("to look at", "it came unasked, or came back")] if refund.needs_look else []
        return whole(refund, Page(found, state=show.state(refund), marks=marks))


def _asking(refund: Refund) -> str | None:
    """How far the asking is, in words; None where nobody is asked."""
    call = refund.call
    if call is None or refund.status is not RefundStatus.PENDING:
        return None
    if call.accepted_at is not None:
        return "has taken it on; it is on its way"
    if call.attempts == 0:
        return "is asked within seconds"
    times = "once" if call.attempts == 1 else f"{call.attempts} times"
    return f"was asked {times}, and nobody knows yet what came of it; it is asked again by itself"


def _not_pending(refund: Refund) -> str | None:
    """By hand only a refund that waits can end."""
    if refund.status is RefundStatus.PENDING:
        return None
    return f"It is {show.word(refund.status)}: {refund.states.meanings[refund.status]}."


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

    def refused_because(self, record: Any) -> str | None:
        return _not_pending(record) or _by_its_provider(record)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.settle_refund(actor, record.id, succeeded=True, reason=form.reason.data)


class FailRefund(RefundCommand):
    path = "refunds/<uuid:id>/failed"
    title = "Could not be paid out"
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        return _not_pending(record) or _by_its_provider(record)

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

    def refused_because(self, record: Any) -> str | None:
        asked = record.call is not None and record.call.attempts > 0
        return _not_pending(record) or ("Its provider has been asked already; it says how it ends." if asked else None)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.cancel_refund(actor, record.id, reason=form.reason.data)


def _by_its_provider(refund: Refund) -> str | None:
    """Why a person cannot say how it ended: its provider does, as long as it can be asked."""
    if refund.payment.provider is PaymentProvider.MANUAL or refund_queue.is_left_to_people(session(), refund.id):
        return None
    return f"{show.word(refund.payment.provider).capitalize()} pays it out, and says how it ended."


class LookAtRefund(RefundCommand):
    path = "refunds/<uuid:id>/looked-at"
    title = "I have looked at it"
    lead = "It came unasked, or came back. Say what it was and what was done; it then waits for nobody any more."
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        return None if record.needs_look else "Nobody has to look at it."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.look_at_refund(actor, record.id, reason=form.reason.data)


commands.add(SettleRefund, FailRefund, CancelRefund, LookAtRefund)
