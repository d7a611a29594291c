"""Money that does not fit what was agreed: somebody looks at it, and says what was done."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import Button, CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Choice, Days
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.billing import service
from guitaronline.billing.provider_models import EXCEPTION_WORDS, ExceptionKind, PaymentException
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User


def exception_state(found: PaymentException) -> Any:
    return show.chip("done", "resolved") if found.resolved_at else show.chip("open", "somebody has to look")


def exception_title(found: PaymentException) -> str:
    return str(show.word(found.kind))


def at_risk(found: PaymentException) -> Any:
    return show.money(found.amount_minor, found.currency) if found.currency else show.NOTHING


class PaymentExceptionsDesk(Desk):
    model_of = PaymentException
    path = "payment-exceptions"
    title = "Payment exceptions"
    one = "Payment exception:"
    permission = Permission.READ_PAYMENTS
    intro = (
        "A provider told us of money that does not fit what was agreed: another amount, taken twice, for what was taken back."
        " None of it counts by itself. What the files of providers and banks show otherwise than we do is a reconciliation"
        " exception."
    )
    empty = "All money that came fits."
    search_words = "The provider's reference"
    columns = (
        Column("id", "Since", lambda each: show.stamp(each.created_at), sort=PaymentException.id),
        Column("kind", "What", lambda each: show.link(each, exception_title(each))),
        Column("payment", "Payment", lambda each: show.link(each.payment)),
        Column("amount_minor", "Amount", at_risk, is_number=True),
        Column("external_reference", "Outside reference", lambda each: show.text(each.external_reference)),
        Column("resolved_at", "State", exception_state),
    )
    filters = (
        Choice(
            "state",
            "State",
            ["open", "resolved"],
            lambda value: (
                PaymentException.resolved_at.is_(None) if value == "open" else PaymentException.resolved_at.is_not(None)
            ),
        ),
        Choice("kind", "What", list(ExceptionKind), lambda value: PaymentException.kind == value),
        Days("since", "Since", PaymentException.created_at, is_past=True),
    )
    exported = exported.PAYMENT_EXCEPTIONS
    default_order = (PaymentException.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(PaymentException.payment),)
    page_title = staticmethod(exception_title)

    def list_extras(self) -> dict[str, Any]:
        other = Button("Reconciliation exceptions", flask.url_for("desk_exceptions.index_view"), None, "")
        return {"buttons": [other]}

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [PaymentException.external_reference == words]

    def record_page(self, found: Any) -> dict[str, Any]:
        by = session().get(User, found.resolved_by) if found.resolved_by else None
        told = facts(
            ("What it means", EXCEPTION_WORDS[found.kind]),
            ("Payment", show.link(found.payment)),
            ("Agreed", show.money(found.payment.amount_minor, found.payment.currency) if found.payment else None),
            ("Came", at_risk(found)),
            ("Provider", show.word(found.provider)),
            ("Outside reference", found.external_reference),
            ("Their event", found.event_id),
            ("Resolved", show.when(found.resolved_at) if found.resolved_at else None),
            ("By", show.link(by)),
            ("What was done", found.resolution),
        )
        return whole(found, Page(told, state=exception_state(found)))


class ResolveForm(forms.CommandForm):
    reason = forms.reason(help="What was done with the money.")


class ResolveException(CommandPage):
    record = PaymentException
    path = "payment-exceptions/<uuid:id>/resolve"
    title = "Resolve"
    button = "It is resolved"
    permission = Permission.EDIT_PAYMENTS
    form = ResolveForm
    lead = "Nothing is moved by this: it says that somebody has looked, and what was done."

    def back(self, record: Any) -> tuple[str, str]:
        return exception_title(record), super().back(record)[1]

    def refused_because(self, record: Any) -> str | None:
        return "It is resolved." if record.resolved_at else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("What it means", EXCEPTION_WORDS[record.kind]), ("Came", at_risk(record))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.resolve_exception(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("It is resolved.", show.record_url("payment_exceptions", result.id) or "")


commands.add(ResolveException)
