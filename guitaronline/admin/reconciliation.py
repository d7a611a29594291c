"""What does not agree between the school, its providers and its banks: the list, and both sides next to each other."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import ages, exported_money, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import Button, buttons_of
from guitaronline.admin.filters import Amount, Choice, Dates, State, Whose
from guitaronline.admin.record_page import Page, Section, facts, whole
from guitaronline.billing.models import Payment
from guitaronline.billing.reconciliation import deciding, queries
from guitaronline.billing.reconciliation.models import WORDS, Category, ExceptionStatus, ReconciliationException
from guitaronline.billing.settlements.models import LineKind, SettlementLine
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.money import Money


def _owned(value: str) -> ColumnElement[bool]:
    owner = ReconciliationException.owner_id
    return {"me": owner == gate.viewer().id, "nobody": owner.is_(None), "somebody": owner.is_not(None)}[value]


def value_of(exception: ReconciliationException) -> Any:
    return show.money(exception.value_minor, exception.currency) if exception.currency else show.NOTHING


class ExceptionsDesk(Desk):
    model_of = ReconciliationException
    path = "exceptions"
    title = "Reconciliation exceptions"
    one = "Exception"
    permission = Permission.READ_PAYMENTS
    intro = (
        "What the files of providers and banks show otherwise than our payments do. Money that a provider itself told us of and"
        " that does not fit is a payment exception. Keys on a row: a accept, s split, i ignore, w write off, e escalate."
    )
    empty = "Everything agrees. Exceptions appear after files are imported."
    search_words = "EXC-…"
    columns = (
        Column("reference", "Exception", show.link),
        Column("category", "What", lambda each: show.html('<span title="{}">{}</span>', WORDS[each.category], show.word(each.category))),
        Column("value_minor", "At risk", value_of, is_number=True, sort=ReconciliationException.value_minor),
        Column("booked_on", "Day", lambda each: show.day(each.booked_on)),
        Column("status", "State", show.state),
        Column("owner", "Owner", lambda each: show.link(each.owner)),
        Column("payment", "Payment", lambda each: show.link(each.payment)),
        Column("id", "Age", lambda each: ages.length(gate.now() - each.created_at), sort=ReconciliationException.id),
    )  # fmt: skip
    filters = (
        State(ReconciliationException.status, ExceptionStatus),
        Choice("what", "What", list(Category), lambda value: ReconciliationException.category == value),
        Choice("owner", "Owner", ("me", "nobody", "somebody"), _owned),
        Amount("value", "At risk", ReconciliationException.value_minor, ReconciliationException.currency),
        Dates("day", "Day", ReconciliationException.booked_on, is_past=True),
        Whose("payment", "Payment", ReconciliationException.payment_id, Payment),
    )
    exported = exported_money.EXCEPTIONS
    default_order = (ReconciliationException.id, True)
    row_actions = staticmethod(buttons_of)
    load = (
        selectinload(ReconciliationException.owner),
        selectinload(ReconciliationException.payment),
        selectinload(ReconciliationException.line),  # whether it can be split
    )
    list_template = "admin/exceptions.html"
    details_template = "admin/exception.html"

    def list_extras(self) -> dict[str, Any]:
        other = Button("Payment exceptions", flask.url_for("desk_payment-exceptions.index_view"), None, "")
        return {"buttons": [other]}

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [ReconciliationException.reference == words.upper()]

    def record_page(self, exception: Any) -> dict[str, Any]:
        found = facts(
            ("What", WORDS[exception.category]),
            ("At risk", value_of(exception)),
            ("Day", show.day(exception.booked_on)),
            ("Owner", show.link(exception.owner)),
            ("File", show.link(exception.file)),
            *_decision(exception),
            *_details(exception),
        )
        sections = [_both_sides(exception)]
        if exception.decided_at is None and exception.category in deciding.ANSWERED_BY_A_MATCH:
            sections.append(_candidates(exception))
        return whole(exception, Page(found, state=show.state(exception), sections=[each for each in sections if each]))


def line_label(line: SettlementLine) -> Any:
    return show.link_to("settlement_lines", line.id, line.source_id or line.external_id)


def _decision(exception: ReconciliationException) -> list[tuple[str, Any]]:
    if exception.decided_at is None:
        return []
    return [("Decided", show.when(exception.decided_at)), ("Because", exception.decided_because)]


def _details(exception: ReconciliationException) -> list[tuple[str, Any]]:
    """What the rule found, in words."""
    detail, currency = exception.detail, exception.currency
    if "expected_minor" in detail and currency:
        return [
            ("Fee taken", Money(detail["fee_minor"], currency)),
            ("Fee agreed", Money(detail["expected_minor"], currency)),
        ]
    if "sum_minor" in detail and currency:
        return [("Its lines", detail["lines"]), ("Sum of its lines", Money(detail["sum_minor"], currency))]
    if "until" in detail:
        return [("Account", detail["account"]), ("Told until", detail["until"]), ("Told again from", detail["from"])]
    if "before" in detail:
        return [("Came first", _told(detail["before"])), ("Came again", _told(detail["after"]))]
    return [("Problems", detail["problems"])] if "problems" in detail else []


def _told(values: dict[str, Any]) -> str:
    return ", ".join(f"{show.word(name)} {value}" for name, value in sorted(values.items()))


# Both sides


def _both_sides(exception: ReconciliationException) -> Section | None:
    """The line and what we have, field by field; those that differ are marked."""
    line = exception.line
    ours: Any = exception.refund or exception.payment
    if line is None and ours is None:
        return None
    rows = [
        _row("Amount", _amount(line), _amount(ours)),
        _row("Day", show.day(line.booked_on) if line else None, show.day(_day(ours)) if ours else None),
        _row("State", show.word(line.kind) if line else None, show.word(ours.status) if ours else None, compare=False),
        _row("Their id", line and (line.intent_id or line.source_id), getattr(exception.payment, "external_reference", None)),
        _row("Our id", line and (line.payment_reference or line.refund_reference), ours and ours.reference, compare=False),
        _row("Who", line and line.counterparty, show.link(exception.payment.student) if exception.payment else None, compare=False),
        _row("Record", line_label(line) if line else None, show.link(ours) if ours else None, compare=False),
        _row("Text", line and line.remittance, None, compare=False),
    ]  # fmt: skip
    return Section("Both sides", ("", "Provider or bank", "School"), rows)


def _row(label: str, there: Any, here: Any, *, compare: bool = True) -> list[Any]:
    differs = compare and there is not None and here is not None and str(there) != str(here)
    mark = '<mark class="differs">{}</mark>' if differs else "{}"
    return [label, show.html(mark, show.text(there)), show.html(mark, show.text(here))]


def _amount(record: Any) -> Any:
    if record is None:
        return None
    amount = abs(record.amount_minor) if isinstance(record, SettlementLine) else record.amount_minor
    return show.money(amount, record.currency)


def _day(record: Any) -> Any:
    moment = getattr(record, "paid_at", None) or getattr(record, "settled_at", None) or record.created_at
    return moment.date()


# Candidates


def _candidates(exception: ReconciliationException) -> Section | None:
    """Ranked, with their reasons; each leads to the page that shows what accepting it does."""
    found = queries.candidates(session(), exception)
    rows = [
        [
            _accept_link(exception, each.record),
            show.money(abs(each.record.amount_minor), each.record.currency),
            ", ".join(each.reasons),
        ]
        for each in found
    ]
    return Section("Candidates, the likeliest first", ("Candidate", "Amount", "Why"), rows, _no_candidate(exception))


def _accept_link(exception: ReconciliationException, record: Any) -> Any:
    label = (record.source_id or record.external_id) if isinstance(record, SettlementLine) else show.label_of(record)
    if gate.why_not_allowed(Permission.EDIT_PAYMENTS):
        return label
    return show.html('<a href="{}">Accept {}</a>', accept_url(exception, record), label)


def accept_url(exception: ReconciliationException, record: Any) -> str:
    from guitaronline.admin.command_page import commands
    from guitaronline.admin.reconciliation_commands import AcceptCandidate

    return commands.named(AcceptCandidate).url_for(exception, other=str(record.id))


def _no_candidate(exception: ReconciliationException) -> str:
    if exception.line is not None and exception.line.kind in (LineKind.FEE, LineKind.DISPUTE, LineKind.ADJUSTMENT):
        return "A line of this kind has no other side here."
    return "Nothing free of the same amount and currency, around that day."
