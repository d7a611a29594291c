"""What one person asked for and another has to allow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import and_
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline import policy
from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Amount, Choice, State
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.billing import rules, service
from guitaronline.billing.credits import TO_CREDIT
from guitaronline.billing.models import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    DecidedHow,
)
from guitaronline.booking import refunding
from guitaronline.booking.refunding import Decided, With
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.money import Money

CREDIT = "credit in lessons"


def approval_link(approval: Approval) -> Any:
    return show.link(approval, approval_title(approval))


def approval_title(approval: Approval) -> str:
    what = {ApprovalKind.REFUND: "refund", ApprovalKind.PAYMENT_SUCCEEDED: "payment received"}[approval.kind]
    return f"{CREDIT if is_credit(approval) else what}, {Money(approval.amount_minor, approval.currency)}"


def is_credit(approval: Approval) -> bool:
    """Lessons are given back instead of money."""
    return approval.wish.get("to") == TO_CREDIT


def approval_line(amount_minor: int, currency: str, before_minor: int = 0) -> list[tuple[str, str]]:
    """Whether a second person will be needed, by the rule that decides."""
    limit = policy.current().APPROVAL_ABOVE_MINOR
    if not rules.needs_approval(amount_minor, before_minor=before_minor, limit_minor=limit):
        return []
    return [("Second person", f"More than {Money(limit, currency)} by hand: somebody else has to allow it.")]


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
    filters = (
        State(Approval.status, ApprovalStatus),
        Choice("alone", "Without a second person", ["waits"], lambda _: _waits_alone()),
        Choice("kind", "What", list(ApprovalKind), lambda value: Approval.kind == value),
        Amount("amount", "Amount", Approval.amount_minor, Approval.currency),
    )
    exported = exported.APPROVALS
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
            ("Decided by", _decider(approval)),
            ("Done by the system", _alone(approval)),
            ("Decided", show.when(approval.decided_at)),
        )
        return whole(approval, Page(found, state=show.state(approval)))


def _waits_alone() -> ColumnElement[bool]:
    """ix_approvals_alone"""
    return and_(Approval.status == ApprovalStatus.PENDING, Approval.due_alone_at.is_not(None))


def _decider(approval: Approval) -> Any:
    if approval.decided_how is DecidedHow.ALONE:
        return "nobody objected for a day; the system"
    if approval.decided_how is DecidedHow.WITHDRAWN:
        return "withdrawn by whoever had asked"
    return show.link(session().get(User, approval.decided_by)) if approval.decided_by else None


def _alone(approval: Approval) -> Any:
    """When nobody else will have to allow it; None where somebody has to."""
    if approval.status is not ApprovalStatus.PENDING or approval.due_alone_at is None:
        return None
    return show.html("on {} unless somebody says no", show.when(approval.due_alone_at))


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
    needs_step_up = True
    form = forms.MaybeReasonForm
    targets = (ApprovalStatus.APPROVED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """By the rule that decides; where it refuses, its reasons."""
        told = super().consequences(actor, record, form)
        if record.kind is not ApprovalKind.REFUND or record.status is not ApprovalStatus.PENDING:
            return told
        try:
            return replace(told, lines=[*told.lines, *_foreseen(record)])
        except DomainError as refusal:
            return replace(told, blockers=forms.reasons_of(refusal))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.decide_approval(actor, record.id, approve=True, reason=form.reason.data)


def _foreseen(approval: Approval) -> list[tuple[str, Any]]:
    """What the refund or credit would do now. Raises what carrying it out would."""
    ending = [UUID(each) for each in approval.wish.get("bookings", ())]
    found = refunding.preview_with_bookings(
        session(),
        approval.payment_id,
        now=gate.now(),
        amount_minor=approval.amount_minor,
        bookings=[Decided(each, With.CANCEL) for each in ending],
    )
    canceled = [show.link_to("bookings", each.id, each.reference) for each in found.bookings if each.id in ending]
    given = [("Lessons in a new package", approval.wish["lessons"])] if is_credit(approval) else []
    return [
        ("Lessons taken back", found.lessons_revoked),
        *given,
        ("Bookings canceled with it", show.joined(canceled) if canceled else "none"),
    ]


class Reject(ApprovalCommand):
    path = "approvals/<uuid:id>/reject"
    title = "Reject"
    tone = "danger"
    form = forms.ReasonForm
    targets = (ApprovalStatus.REJECTED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.decide_approval(actor, record.id, approve=False, reason=form.reason.data)


class Withdraw(ApprovalCommand):
    path = "approvals/<uuid:id>/withdraw"
    title = "Withdraw"
    tone = "danger"
    permission = Permission.EDIT_PAYMENTS
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        if record.status is not ApprovalStatus.PENDING:
            return f"It is {show.word(record.status)}: {record.states.meanings[record.status]}."
        return None if record.requested_by == gate.viewer().id else "Only whoever asked for it can withdraw it."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.withdraw_approval(actor, record.id, reason=form.reason.data)


commands.add(Approve, Reject, Withdraw)
