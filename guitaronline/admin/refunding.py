"""Money or lessons back for a payment: previewed by the rule that decides, with the bookings still to come."""

from __future__ import annotations

from typing import Any

from wtforms import SelectMultipleField
from wtforms.widgets import CheckboxInput, ListWidget

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.approvals import approval_line
from guitaronline.admin.command_page import Consequences, Done, commands
from guitaronline.admin.payments import PaymentCommand
from guitaronline.billing import queries
from guitaronline.billing.models import Package, Payment, PaymentProvider, PaymentStatus
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.billing.service import CreditPreview, RefundPreview
from guitaronline.booking import refunding
from guitaronline.booking.refunding import Decided, With
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason


def _to_cancel() -> SelectMultipleField:
    return SelectMultipleField(
        "Bookings still to come: cancel these",
        widget=ListWidget(),
        option_widget=CheckboxInput(),
        validate_choice=False,  # the command says which of them has gone meanwhile
        description="The rest stays, and its lessons are given. What is canceled goes back with the refund.",
    )


class RefundForm(forms.CommandForm):
    amount = forms.amount("Amount", required=False, help="Empty: what the rule offers.")
    cancel = _to_cancel()
    reason = forms.reason()

    def decided(self) -> list[Decided]:
        ids = [forms.id_or_none(each) for each in self.cancel.data or ()]
        return [Decided(each, With.CANCEL) for each in ids if each is not None]


class CreditForm(RefundForm):
    """The fields again where they must stand in another order: a form has them in the order in which they are made."""

    lessons = forms.number(
        "Lessons",
        least=1,
        most=1000,
        required=False,
        help="Empty: as many as the rule offers; at most what the amount is worth.",
    )
    cancel = _to_cancel()
    reason = forms.reason()


class _GiveBack(PaymentCommand):
    """What both ways share: the amount, the bookings, the figures."""

    tone = "danger"
    looks = "Show what will happen"
    needs_step_up = True

    def prepare(self, form: Any, record: Any) -> None:
        form.amount.in_currency = record.currency
        found = queries.live_bookings(session(), record.package_id, now=gate.now(), limit=refunding.MOST)
        form.cancel.choices = forms.choices((str(each.id), _words(each)) for each in found)
        if not found:
            del form.cancel

    def refused_because(self, record: Any) -> str | None:
        if record.status is PaymentStatus.SUCCEEDED:
            return None
        return f"It is {show.word(record.status)}: only money that came can be given back."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """By the rule that decides; what is refused leaves what the rule offers on the page."""
        blockers: list[Reason] = []
        found = None
        try:
            found = self.foresee(record, form.amount.minor(record.currency), _decided(form))
        except (DomainError, ValueError) as refusal:
            blockers = forms.reasons_of(refusal)
            found = self._offered(record)
        return Consequences(blockers=blockers) if found is None else self.told(record, found, form, blockers)

    def _offered(self, record: Payment) -> Any:
        try:
            return self.foresee(record, None, [])
        except DomainError:
            return None

    def foresee(self, record: Payment, amount_minor: int | None, bookings: list[Decided]) -> Any:
        raise NotImplementedError

    def told(self, record: Payment, found: Any, form: Any, blockers: list[Reason]) -> Consequences:
        raise NotImplementedError


class RefundPayment(_GiveBack):
    path = "payments/<uuid:id>/refund"
    title = "Refund"
    button = "Ask for the refund"
    form = RefundForm

    def foresee(self, record: Payment, amount_minor: int | None, bookings: list[Decided]) -> RefundPreview:
        return refunding.preview_with_bookings(
            session(), record.id, now=gate.now(), amount_minor=amount_minor, bookings=bookings
        )

    def told(self, record: Payment, found: RefundPreview, form: Any, blockers: list[Reason]) -> Consequences:
        lines = [("Goes back", show.money(found.amount_minor, record.currency)), *_figures(record, found)]
        lines += [("Lessons taken back", found.lessons_revoked), ("How", _way(record))]
        lines += approval_line(found.amount_minor, record.currency, found.figures.committed_minor)
        return Consequences(lines, table=_bookings(found, form), blockers=blockers)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return refunding.refund_with_bookings(
            actor,
            record.id,
            amount_minor=form.amount.minor(record.currency),
            bookings=_decided(form),
            reason=form.reason.data,
        )


class CreditPayment(_GiveBack):
    path = "payments/<uuid:id>/credit"
    title = "Refund to credit"
    button = "Give lessons instead of money"
    is_rare = True
    lead = "The student gets a new package that costs nothing. No money leaves, and what it stands for cannot be refunded any more."
    form = CreditForm
    tone = "primary"

    def foresee(self, record: Payment, amount_minor: int | None, bookings: list[Decided]) -> CreditPreview:
        return refunding.credit_preview_with_bookings(
            session(), record.id, now=gate.now(), amount_minor=amount_minor, bookings=bookings
        )

    def told(self, record: Payment, found: CreditPreview, form: Any, blockers: list[Reason]) -> Consequences:
        refund, lessons = found.refund, found.lessons
        given = form.lessons.data or lessons.offered
        if not 1 <= given <= lessons.most:
            blockers = [*blockers, _too_many(given, lessons.most)]
        student = record.student
        ends = show.when(found.expires_at, student) if found.expires_at else "never"
        lines = [
            ("Stands for", show.money(refund.amount_minor, record.currency)),
            *_figures(record, refund),
            ("Lessons taken back", refund.lessons_revoked),
            (
                "Lessons in the new package",
                show.html('{} <span class="muted">(at most {})</span>', given, lessons.most),
            ),
            ("It expires", ends),
            *approval_line(refund.amount_minor, record.currency, refund.figures.committed_minor),
        ]
        return Consequences(lines, table=_bookings(refund, form), blockers=blockers)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return refunding.credit_with_bookings(
            actor,
            record.id,
            amount_minor=form.amount.minor(record.currency),
            lessons=form.lessons.data,
            bookings=_decided(form),
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        if not isinstance(result, RefundCredit):
            return super().done(result)
        package = session().get_one(Package, result.package_id)
        words = f"{result.lessons_granted} lessons are given as {package.reference}."
        return Done(words, show.record_url("packages", package.id) or "")


def _decided(form: Any) -> list[Decided]:
    return form.decided() if "cancel" in form else []


def _figures(record: Payment, found: RefundPreview) -> list[tuple[str, Any]]:
    figures = found.figures
    lines = [
        ("Paid", show.money(figures.paid_minor, record.currency)),
        ("Given back before", show.money(figures.committed_minor, record.currency)),
    ]
    if figures.disputed_minor:
        lines.append(("Disputed", show.money(figures.disputed_minor, record.currency)))
    return [
        *lines,
        ("The rule offers", show.money(figures.refundable_minor, record.currency)),
        ("Lessons delivered", f"{figures.delivered} of {figures.lessons_total}"),
    ]


def _way(record: Payment) -> str:
    if record.provider is PaymentProvider.MANUAL:
        return "By hand: somebody pays it out, then marks it as paid out."
    return f"By {show.word(record.provider)}, to the way it was paid. It is asked for at once, and says how it ended."


def _bookings(found: RefundPreview, form: Any) -> list[tuple[Any, ...]]:
    if not found.bookings:
        return []
    ending = {each.booking_id for each in _decided(form)}
    rows = [
        (
            show.link_to("bookings", each.id, each.reference),
            show.when(each.start_at),
            show.word(each.status),
            "is canceled, its lesson goes with the refund" if each.id in ending else "stays",
        )
        for each in found.bookings
    ]
    return [("Booking still to come", "Starts", "State", "What becomes of it"), *rows]


def _words(booking: queries.LiveBooking) -> str:
    local = booking.start_at.astimezone(show.zone())
    return f"{booking.reference}, {local:%a} {local.day} {local:%b %H:%M}, {show.word(booking.status)}"


def _too_many(asked: int, most: int) -> Reason:
    return Reason("credit_too_large", f"The amount is worth {most} lessons at most, not {asked}.", pointer="/lessons")


commands.add(RefundPayment, CreditPayment)
