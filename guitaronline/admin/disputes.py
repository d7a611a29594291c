"""Disputes: who asks for money back, until when an answer is due, and who looks after it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import and_, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement
from wtforms.validators import Optional

from guitaronline.actor import Actor, Role
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import Button, CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Amount, Choice, Days, Person, State
from guitaronline.admin.packages import balance, end_of, package_state
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing import room, rules, service, settling
from guitaronline.billing.dispute_models import Dispute, DisputeStatus
from guitaronline.billing.disputes import CAME
from guitaronline.billing.models import Package, Payment, PaymentProvider
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User

ANSWERERS = (Role.FINANCE, Role.ADMIN)


def _to_answer() -> ColumnElement[bool]:
    """ix_disputes_status"""
    return and_(Dispute.status == DisputeStatus.OPEN, Dispute.evidence_sent_at.is_(None))


def due(dispute: Dispute) -> Any:
    if dispute.status is DisputeStatus.OPEN and dispute.evidence_sent_at is not None:
        return show.chip("sent", "the evidence was handed in")
    return show.when(dispute.evidence_due_at)


class DisputesDesk(Desk):
    model_of = Dispute
    path = "disputes"
    title = "Disputes"
    one = "Dispute"
    permission = Permission.READ_PAYMENTS
    intro = "A payer's bank asks for money back. Until it is decided, the unused lessons of that purchase are frozen."
    empty = "Nobody disputes a payment."
    search_words = "DSP-… or the provider's reference"
    columns = (
        Column("reference", "Dispute", show.link),
        Column("payment", "Payment", lambda each: show.link(each.payment)),
        Column("student", "Student", lambda each: show.link(each.payment.student)),
        Column("amount_minor", "Amount", lambda each: show.money(each.amount_minor, each.currency), is_number=True),
        Column("status", "State", show.state),
        Column("evidence_due_at", "Evidence due", due, sort=Dispute.evidence_due_at),
        Column("owner", "Looked after by", lambda each: show.link(each.owner)),
        Column("id", "Opened", lambda each: show.stamp(each.created_at), sort=Dispute.id),
        Column("reason", "Reason", lambda each: each.reason, is_default=False),
        Column("decided_at", "Decided", lambda each: show.stamp(each.decided_at), is_default=False),
    )
    filters = (
        State(Dispute.status, DisputeStatus),
        Choice("waiting", "Waiting", ["to_answer"], lambda _: _to_answer()),
        Amount("amount", "Amount", Dispute.amount_minor, Dispute.currency),
        Days("due", "Evidence due", Dispute.evidence_due_at),
        Days("opened", "Opened", Dispute.created_at, is_past=True),
        Person("owner", "Looked after by", Dispute.owner_id),
        Counted("disputes", Dispute.id),
    )
    exported = exported.DISPUTES
    default_order = (Dispute.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Dispute.payment).selectinload(Payment.student), selectinload(Dispute.owner))

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [Dispute.reference == words.upper(), Dispute.provider_reference == words]

    def record_page(self, dispute: Any) -> dict[str, Any]:
        package = session().get_one(Package, dispute.payment.package_id)
        pack = Button("Evidence pack", flask.url_for("desk_evidence.index", dispute=dispute.id), None, "")
        page = Page(_facts(dispute, package), state=show.state(dispute), sections=[_package(package)], also=[pack])
        return whole(dispute, page)


def _facts(dispute: Dispute, package: Package) -> list[show.Fact]:
    return facts(
        ("Payment", show.link(dispute.payment)),
        ("Student", show.link(dispute.payment.student)),
        ("Amount", show.money(dispute.amount_minor, dispute.currency)),
        ("Fee", show.money(dispute.fee_minor, dispute.currency) if dispute.fee_minor else None),
        ("Reason", dispute.reason),
        ("By", show.word(dispute.payment.provider)),
        ("Provider's reference", dispute.provider_reference),
        ("Opened", show.when(dispute.created_at)),
        ("Evidence due", show.when(dispute.evidence_due_at)),
        ("Evidence handed in", show.when(dispute.evidence_sent_at)),
        ("Looked after by", show.link(dispute.owner)),
        ("Decided", show.when(dispute.decided_at)),
        ("Lessons taken back", dispute.lessons_revoked if dispute.status is DisputeStatus.LOST else None),
        ("Freezes", show.link(package) if dispute.freezes else None),
    )


def _package(package: Package) -> Section:
    table = rows([package], show.link, package_state, balance, lambda each: show.money(each.price_minor, each.currency))
    return Section("What was bought", ("Package", "State", "Lessons", "Price"), table)


class DisputeForm(forms.CommandForm):
    amount = forms.amount("Amount", required=False, help="What the bank takes back. Empty: all of the payment.")
    fee = forms.amount("Fee", required=False, help="What the bank asks for it. Empty: nothing.")
    evidence_due_on = forms.DateField(
        "Evidence due by the end of",
        validators=[Optional()],
        description="As the bank's letter says. Empty: not known.",
    )
    reason = forms.reason(help="As the bank says it, such as: the payer does not know this payment.")


DISPUTED = Ahead[UUID, int]("disputed", lambda ids: room.disputed_or_lost(session(), ids))


class OpenDispute(CommandPage):
    record = Payment
    path = "payments/<uuid:id>/dispute"
    title = "Record a dispute"
    is_rare = True
    permission = Permission.EDIT_PAYMENTS
    form = DisputeForm
    tone = "danger"

    def prepare(self, form: Any, record: Any) -> None:
        form.amount.in_currency = form.fee.in_currency = record.currency

    def refused_because(self, record: Any) -> str | None:
        if record.provider is not PaymentProvider.MANUAL:
            return f"{show.word(record.provider).capitalize()} tells of its disputes by itself."
        if record.status not in CAME:
            return f"It is {show.word(record.status)}: only money that came can be disputed."
        return None if _undisputed(record) else "All of it is disputed already."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        package = record.package
        lines: list[tuple[str, Any]] = [
            ("Payment", show.money(record.amount_minor, record.currency)),
            ("Can be disputed", show.money(_undisputed(record), record.currency)),
            ("Refunds", "What is disputed cannot be refunded while it is open, nor when it is lost."),
        ]
        return Consequences([*lines, ("Package", _freezing(package))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        amount = form.amount.minor(record.currency)
        return service.open_dispute(
            actor,
            record.id,
            amount_minor=_undisputed(record) if amount is None else amount,
            fee_minor=form.fee.minor(record.currency) or 0,
            evidence_due_at=end_of(form.evidence_due_on.data, show.zone()),
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is open.", show.record_url("disputes", result.id) or "")


def _undisputed(payment: Payment) -> int:
    return max(0, payment.amount_minor - (DISPUTED.of(payment.id) or 0))


def _freezing(package: Package) -> Any:
    if package.frozen_at is not None:
        return show.html(
            "{} is frozen already ({}), and stays so afterwards.", show.link(package), package.frozen_reason
        )
    if rules.living_problems(package, gate.now()):
        return show.html("{} has no lesson to freeze.", show.link(package))
    return show.html("{} is frozen: {} unused lessons wait.", show.link(package), package.lessons_left)


class DisputeCommand(CommandPage):
    record = Dispute
    permission = Permission.EDIT_PAYMENTS

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is {show.word(result.status)}.", show.record_url("disputes", result.id) or "")


class _Decide(DisputeCommand):
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        if record.status is DisputeStatus.OPEN and record.payment.provider is not PaymentProvider.MANUAL:
            return f"{show.word(record.payment.provider).capitalize()} says how it ended."
        return super().refused_because(record)


class WinDispute(_Decide):
    path = "disputes/<uuid:id>/won"
    title = "Won"
    button = "The money stays with the school"
    targets = (DisputeStatus.WON,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        thawed = "is usable again, and lives longer by the time it was frozen" if record.freezes else "stays as it is"
        return Consequences([("Package", f"It {thawed}.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.decide_dispute(actor, record.id, won=True, reason=form.reason.data)


class LoseDispute(_Decide):
    path = "disputes/<uuid:id>/lost"
    title = "Lost"
    button = "The money is gone"
    tone = "danger"
    targets = (DisputeStatus.LOST,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """By the rule that decides."""
        if record.status is not DisputeStatus.OPEN:
            return Consequences()
        package = session().get_one(Package, record.payment.package_id)
        figures = settling.figures_of(session(), record.payment, package)
        lessons = settling.lessons_taken(session(), record.payment, package, figures, record.amount_minor)
        return Consequences(
            [
                ("Money gone", show.money(record.amount_minor, record.currency)),
                ("Lessons taken back", f"{lessons} of the {package.available} that are free"),
                ("Bookings", "Those that stand, stand: cancel what shall not be given."),
                ("In the books", "A line of its own. It is no refund."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.decide_dispute(actor, record.id, won=False, reason=form.reason.data)


class AssignForm(forms.CommandForm):
    owner_id = forms.choice("Looked after by", [])
    evidence_due_on = forms.DateField(
        "Evidence due by the end of", validators=[Optional()], description="Empty: not known."
    )


class _OfOpen(DisputeCommand):
    def refused_because(self, record: Any) -> str | None:
        return None if record.status is DisputeStatus.OPEN else "It is decided."


def _last_day(due: datetime | None) -> date | None:
    """The day whose end is that moment."""
    return (due - timedelta(microseconds=1)).date() if due else None


class AssignDispute(_OfOpen):
    path = "disputes/<uuid:id>/assign"
    title = "Who, and until when"
    form = AssignForm

    def prepare(self, form: Any, record: Any) -> None:
        query = (
            select(User).where(User.role.in_(ANSWERERS), User.is_active).order_by(User.full_name, User.id).limit(100)
        )
        people = [(str(each.id), each.full_name or each.reference) for each in session().scalars(query)]
        form.owner_id.choices = forms.choices([("", "nobody yet"), *people])

    def initial(self, record: Any) -> dict[str, Any]:
        due = record.evidence_due_at.astimezone(show.zone()) if record.evidence_due_at else None
        return {"owner_id": str(record.owner_id or gate.viewer().id), "evidence_due_on": _last_day(due)}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.assign_dispute(
            actor,
            record.id,
            owner_id=forms.id_or_none(form.owner_id.data),
            evidence_due_at=end_of(form.evidence_due_on.data, show.zone()),
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is saved.", show.record_url("disputes", result.id) or "")


class AnswerDispute(_OfOpen):
    path = "disputes/<uuid:id>/answered"
    title = "Evidence handed in"
    form = forms.ReasonForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        pack = flask.url_for("desk_evidence.index", dispute=record.id)
        return Consequences([("Evidence", show.html('<a href="{}">The pack</a>, to print or to keep as PDF.', pack))])

    def refused_because(self, record: Any) -> str | None:
        return super().refused_because(record) or ("It was handed in." if record.evidence_sent_at else None)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.answer_dispute(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"The evidence of {result.reference} is handed in.", show.record_url("disputes", result.id) or "")


commands.add(OpenDispute, AssignDispute, AnswerDispute, WinDispute, LoseDispute)
