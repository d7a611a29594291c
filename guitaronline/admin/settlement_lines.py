"""Lines: every movement of money that a provider or bank told of, in one shape."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from guitaronline.admin import plain, show
from guitaronline.admin.base import Column, Desk, ListFilter
from guitaronline.admin.filters import Amount, Choice, Dates, Whose
from guitaronline.admin.record_page import SHOWN, Section, facts, rows
from guitaronline.admin.settlement_upload import KINDS
from guitaronline.billing.settlements.importing import account_name
from guitaronline.billing.settlements.models import LineKind, SettlementFile, SettlementLine, SettlementProblem, Side
from guitaronline.db import session
from guitaronline.identity.access import Permission

Line = SettlementLine
LONGEST = 100


class Account(ListFilter):
    """One account, exactly as it is written."""

    def parse(self, value: str) -> str:
        name = account_name(value)
        if name is None or len(name) > LONGEST:
            raise ValueError
        return name

    def clause(self, value: str) -> Any:
        return Line.account == value


class LinesDesk(Desk):
    model_of = SettlementLine
    path = "settlement-lines"
    title = "Settlement lines"
    one = "Line"
    permission = Permission.READ_PAYMENTS
    intro = "What providers and banks say happened. Lines stay as they came."
    empty = "No line yet. Upload a file under Imports."
    search_words = "their exact id: txn_…, ch_…, pi_…, po_…"
    columns = (
        Column("external_id", "Movement", show.link),
        Column("booked_on", "Booked", lambda line: show.day(line.booked_on), sort=Line.booked_on),
        Column("account", "Account", lambda line: line.account),
        Column("kind", "Kind", lambda line: show.word(line.kind)),
        Column("amount_minor", "Amount", lambda line: show.money(line.amount_minor, line.currency), is_number=True),
        Column("fee_minor", "Fee", lambda line: show.money(line.fee_minor, line.currency), is_number=True),
        Column("net_minor", "Net", lambda line: show.money(line.net_minor, line.currency), is_number=True),
        Column("source_id", "About", lambda line: show.text(line.source_id)),
        Column("payout_id", "Payout", lambda line: show.text(line.payout_id)),
        Column("counterparty", "From or to", lambda line: show.text(line.counterparty), is_default=False),
        Column("remittance", "Text", lambda line: show.text(line.remittance), is_default=False),
        Column("file", "Import", lambda line: show.link(line.file), is_default=False),
    )
    filters = (
        Account("account", "Account"),
        Choice("kind", "Kind", list(LineKind), lambda value: Line.kind == value),
        Choice("side", "Side", list(Side), lambda value: Line.side == value),
        Dates("booked", "Booked", Line.booked_on, is_past=True),
        Amount("amount", "Amount", Line.amount_minor, Line.currency),
        Whose("file", "Import", Line.file_id, SettlementFile),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "external_id": plain.words(Line.external_id),
        "booked_on": plain.words(Line.booked_on),
        "account": plain.words(Line.account),
        "kind": plain.word(Line.kind),
        "amount_minor": plain.amount(Line.amount_minor, Line.currency, label="Amount"),
        "fee_minor": plain.amount(Line.fee_minor, Line.currency, label="Fee"),
        "net_minor": plain.amount(Line.net_minor, Line.currency, label="Net"),
        "source_id": plain.words(Line.source_id),
        "payout_id": plain.words(Line.payout_id),
        "counterparty": plain.words(Line.counterparty),
        "remittance": plain.words(Line.remittance),
        "file": plain.words(plain.of(SettlementFile.reference, Line.file_id)),
    }
    default_order = (Line.booked_on, True)
    load = (selectinload(Line.file),)

    def search_clauses(self, words: str) -> list[Any]:
        """Each by its own index."""
        return [column == words for column in (Line.external_id, Line.source_id, Line.intent_id, Line.payout_id)]

    def record_page(self, line: Any) -> dict[str, Any]:
        return {"facts": _facts(line), "state": show.chip(line.side), "sections": _differences(line)}


def _facts(line: SettlementLine) -> list[show.Fact]:
    told = facts(
        ("Account", line.account),
        ("Kind", show.word(line.kind)),
        ("Amount", show.money(line.amount_minor, line.currency)),
        ("Fee", show.money(line.fee_minor, line.currency) if line.fee_minor else None),
        ("Net", show.money(line.net_minor, line.currency)),
        ("Booked", show.day(line.booked_on)),
        ("Moment", show.when(line.at) if line.side is Side.PROVIDER else None),
        ("Can be used from", show.day(line.value_on)),
        ("About", line.source_id),
        ("Payment there", line.intent_id),
        ("Our payment", line.payment_reference),
        ("Our refund", line.refund_reference),
        ("Payout", line.payout_id),
        ("From or to", line.counterparty),
        ("Text", show.prose(line.remittance) if line.remittance else None),
        ("Import", show.html("{}, line {}", show.link(line.file), line.line_no)),
        ("Kind of file", KINDS[line.file.kind]),
    )
    return [fact for fact in told if fact.value is not show.NOTHING]


def _differences(line: SettlementLine) -> list[Section]:
    """Index: ix_settlement_problems_line_id."""
    query = (
        select(SettlementProblem)
        .where(SettlementProblem.line_id == line.id)
        .options(selectinload(SettlementProblem.file), selectinload(SettlementProblem.line))
    )
    found = list(session().scalars(query.order_by(SettlementProblem.created_at).limit(SHOWN)))
    table = rows(
        found,
        lambda each: show.link(each.file),
        difference,
    )
    return [Section("Another file says something else", ("Import", "Difference"), table)] if found else []


def difference(problem: SettlementProblem) -> Any:
    """What came first → what the other file says, field by field."""
    return show.joined(
        show.html(
            "{}: {} → {}",
            show.word(name.removesuffix("_minor")),
            _said(problem, name, problem.before[name]),
            _said(problem, name, problem.after.get(name)),
        )
        for name in sorted(problem.before)
    )


def _said(problem: SettlementProblem, name: str, value: Any) -> Any:
    return show.money(value, problem.line.currency) if name.endswith("_minor") else show.text(value)
