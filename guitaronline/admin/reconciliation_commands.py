"""What people do about an exception. Each is a page that shows what it will do, and one command."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.approvals import approval_title
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.reconciliation import line_label, value_of
from guitaronline.billing.models import Approval, Payment, Refund
from guitaronline.billing.reconciliation import deciding, queries, rules, service
from guitaronline.billing.reconciliation.models import (
    UNDECIDED,
    WORDS,
    Category,
    ExceptionStatus,
    ReconciliationException,
)
from guitaronline.billing.settlements.models import SettlementLine
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.money import Money

CLOSED_THROUGH = Ahead[str, date | None]("closed_through", lambda _: {"all": deciding.closed_through(session())})


class ExceptionCommand(CommandPage):
    record = ReconciliationException
    permission = Permission.EDIT_PAYMENTS

    def done(self, result: Any) -> Done:
        url = show.record_url("reconciliation_exceptions", result.id) or ""
        return Done(f"{result.reference} is {show.word(result.status)}.", url)

    def lines(self, record: Any) -> list[tuple[str, Any]]:
        return [("What", WORDS[record.category]), ("At risk", value_of(record))]

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(self.lines(record))


def unanswered(record: Any) -> str | None:
    return None if record.category in deciding.ANSWERED_BY_A_MATCH else deciding.NO_ANSWER


class AcceptForm(forms.CommandForm):
    linkable: ClassVar[frozenset[str]] = frozenset({"other"})
    other = forms.choice(
        "Candidate", (), validate_choice=False, validators=[forms.is_id]
    )  # one that was taken meanwhile too
    reason = forms.reason(required=False)


class AcceptCandidate(ExceptionCommand):
    path = "exceptions/<uuid:id>/accept"
    title = "Accept a candidate"
    button = "It is the same money"
    form = AcceptForm
    looks = "Show what will happen"
    targets = (ExceptionStatus.RESOLVED,)

    def refused_because(self, record: Any) -> str | None:
        return super().refused_because(record) or unanswered(record)

    def prepare(self, form: Any, record: Any) -> None:
        """The likeliest first, for who comes by the key; and the one that a link chose."""
        found = queries.candidates(session(), record) if record.status in UNDECIDED else []
        known = {str(each.record.id): f"{_name(each.record)}: {', '.join(each.reasons)}" for each in found}
        chosen = _other(form.other.data)
        if chosen is not None:
            known = {str(chosen.id): _name(chosen)} | known
        form.other.choices = forms.choices(known.items())
        if chosen is None and known:
            form.other.data = next(iter(known))

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        other = _other(form.other.data)
        if other is None:
            return Consequences(
                self.lines(record), blockers=[Reason("no_candidate", "No candidate is chosen.", pointer="/other")]
            )
        line = record.line or (other if isinstance(other, SettlementLine) else None)
        lines = [
            *self.lines(record),
            ("Line", _told(line)),
            ("Is", _told(record.refund or record.payment if other is line else other)),
            ("Afterwards", "Both stand in one match, in your name; the rules leave it alone. It can be undone until the period closes."),
        ]  # fmt: skip
        return Consequences(lines)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.accept_candidate(actor, record.id, other_id=UUID(form.other.data), reason=form.reason.data)


def _other(typed: str | None) -> Any:
    found_id = forms.id_or_none(typed)
    kinds: tuple[Any, ...] = (Payment, Refund, SettlementLine)
    return next((found for kind in kinds if found_id and (found := session().get(kind, found_id))), None)


def _name(record: Any) -> str:
    return str(record.source_id or record.external_id) if isinstance(record, SettlementLine) else show.label_of(record)


def _told(record: Any) -> Any:
    if record is None:
        return show.NOTHING
    label = line_label(record) if isinstance(record, SettlementLine) else show.link(record)
    return show.html("{}, {}", label, show.money(record.amount_minor, record.currency))


class SplitForm(forms.CommandForm):
    payments = forms.paragraph(
        "Payments", required=True, most=800, help="One PAY-… a line; together exactly the line's amount."
    )
    reason = forms.reason(required=False)


class SplitLine(ExceptionCommand):
    path = "exceptions/<uuid:id>/split"
    title = "Split between payments"
    button = "The line pays all of these"
    form = SplitForm
    looks = "Show what will happen"
    targets = (ExceptionStatus.RESOLVED,)

    def refused_because(self, record: Any) -> str | None:
        has_money = record.line is not None and record.line.kind in deciding.INCOMING
        no_money = None if has_money else "Only money that came can be split between payments."
        return super().refused_because(record) or no_money or unanswered(record)

    def initial(self, record: Any) -> dict[str, Any]:
        """Where exactly one choice of the nearest free payments adds up, that is suggested."""
        if self.refused_because(record):
            return {}
        return {"payments": "\n".join(each.reference for each in queries.parts_suggested(session(), record.line))}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if record.line is None:
            return Consequences(self.lines(record))
        found = _payments(form.payments.data)
        total = sum(each.amount_minor for each in found)
        lines = [
            *self.lines(record),
            ("Line", show.money(record.line.amount_minor, record.line.currency)),
            ("Together", show.money(total, record.line.currency)),
            ("Left", show.money(record.line.amount_minor - total, record.line.currency)),
        ]
        table = [("Payment", "Amount", "State"), *((show.link(each), show.money(each.amount_minor, each.currency), show.word(each.status)) for each in found)]  # fmt: skip
        return Consequences(lines, table=table if found else ())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        ids = [each.id for each in _payments(form.payments.data)]
        return service.split_line(actor, record.id, payment_ids=ids, reason=form.reason.data)


def _payments(typed: str | None) -> list[Payment]:
    """Those that exist, each once, in the order of their references."""
    words = (typed or "").replace(",", " ").split()[: deciding.MOST_PARTS]
    references = {word.upper() for word in words if word.isprintable()}
    return list(session().scalars(select(Payment).where(Payment.reference.in_(references)).order_by(Payment.reference)))


class SettleByMatch(ExceptionCommand):
    path = "exceptions/<uuid:id>/settle"
    title = "Ask to mark it as paid"
    button = "Ask a second person"
    form = forms.ReasonForm
    targets = (ExceptionStatus.RESOLVED,)

    def refused_because(self, record: Any) -> str | None:
        is_state = record.category is Category.STATE and record.payment_id is not None
        return super().refused_because(record) or (
            None if is_state else "Only for a payment whose state does not say that its money is there."
        )

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        lines = [
            *self.lines(record),
            ("Payment", show.link(record.payment)),
            ("Evidence", line_label(record.line) if record.line else show.NOTHING),
            (
                "Second person",
                "Somebody else has to allow it, whatever the amount; then the payment succeeds because of its match.",
            ),
        ]
        return Consequences(lines)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.settle_by_match(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        if isinstance(result, Approval):
            return Done(f"Asked: {approval_title(result)}.", show.record_url("approvals", result.id) or "")
        return super().done(result)


class IgnoreException(ExceptionCommand):
    path = "exceptions/<uuid:id>/ignore"
    title = "Ignore"
    form = forms.ReasonForm
    targets = (ExceptionStatus.IGNORED,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.ignore_exception(actor, record.id, reason=form.reason.data)


class WriteOff(ExceptionCommand):
    path = "exceptions/<uuid:id>/write-off"
    title = "Write off"
    form = forms.ReasonForm
    targets = (ExceptionStatus.WRITTEN_OFF,)

    def refused_because(self, record: Any) -> str | None:
        limit = rules.write_off_limit(gate.viewer().actor)
        if record.status in UNDECIDED and record.value_minor > limit:
            currency = record.currency or "USD"
            return f"Your role may write off {Money(limit, currency)} at most. Escalate it."
        return super().refused_because(record)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.write_off(actor, record.id, reason=form.reason.data)


class EscalateForm(forms.CommandForm):
    owner = forms.choice("Owner", ())
    reason = forms.reason()


class Escalate(ExceptionCommand):
    path = "exceptions/<uuid:id>/escalate"
    title = "Escalate"
    button = "Give it to them"
    form = EscalateForm

    def refused_because(self, record: Any) -> str | None:
        return None if record.status in UNDECIDED else f"It is {show.word(record.status)}."

    def prepare(self, form: Any, record: Any) -> None:
        people = session().execute(
            select(User.id, User.full_name)
            .where(User.role.in_((Role.FINANCE, Role.ADMIN)), User.is_active)
            .order_by(User.full_name)
            .limit(200)
        )
        form.owner.choices = forms.choices((str(person), name) for person, name in people)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.escalate(actor, record.id, owner_id=UUID(form.owner.data), reason=form.reason.data)


class UndoDecision(ExceptionCommand):
    path = "exceptions/<uuid:id>/undo"
    title = "Undo the decision"
    button = "Open it again"
    form = forms.ReasonForm
    targets = (ExceptionStatus.OPEN,)
    is_rare = True

    def refused_because(self, record: Any) -> str | None:
        through = CLOSED_THROUGH.of("all")
        if through is not None and record.booked_on <= through:
            return "Its period is closed."
        return super().refused_because(record)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        lines = self.lines(record)
        if record.match_id is not None:
            lines.append(("Match", "The match that resolved it is undone, and not made again by itself."))
        return Consequences(lines)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.undo_decision(actor, record.id, reason=form.reason.data)


commands.add(AcceptCandidate, SplitLine, SettleByMatch, IgnoreException, WriteOff, Escalate, UndoDecision)
