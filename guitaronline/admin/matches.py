"""Which line is which payment, by which rule or person; undone until the period closes."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported_money, forms, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Choice, State, Whose
from guitaronline.admin.reconciliation import line_label
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing.models import Payment
from guitaronline.billing.reconciliation import deciding, service
from guitaronline.billing.reconciliation.models import Match, MatchPart, MatchStatus, Rule
from guitaronline.billing.settlements.models import SettlementLine
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User

COUNTED_THROUGH = Ahead[UUID, date]("counted_through", lambda ids: deciding.counted_through(session(), ids))


def other_side(match: Match) -> Any:
    if match.bank_line is not None:
        return line_label(match.bank_line)
    if match.rule is Rule.SPLIT:
        return "several payments"
    return show.link(match.payment or match.refund)


def match_title(match: Match) -> str:
    return f"of {match.line.source_id or match.line.external_id}"


class MatchesDesk(Desk):
    model_of = Match
    path = "matches"
    title = "Matches"
    one = "Match"
    permission = Permission.READ_PAYMENTS
    intro = "Lines of providers and banks, and what they are here. Made by rules or by people."
    empty = "Nothing is matched yet. Import a file of a provider or bank."
    search_words = "Their id: txn_…, ch_…, pi_…"
    columns = (
        Column("line", "Line", lambda each: show.link(each, each.line.source_id or each.line.external_id)),
        Column("other", "Is", other_side),
        Column("amount_minor", "Amount", lambda each: show.money(each.amount_minor, each.currency), is_number=True),
        Column("rule", "By", lambda each: show.word(each.rule)),
        Column("booked_on", "Day", lambda each: show.day(each.booked_on)),
        Column("status", "State", show.state),
        Column("id", "Made", lambda each: show.stamp(each.matched_at), sort=Match.id),
    )
    filters = (
        State(Match.status, MatchStatus),
        Choice("by", "By", list(Rule), lambda value: Match.rule == value),
        Whose("payment", "Payment", Match.payment_id, Payment),
    )
    exported = exported_money.MATCHES
    default_order = (Match.id, True)
    row_actions = staticmethod(buttons_of)
    load = (
        selectinload(Match.line),
        selectinload(Match.bank_line),
        selectinload(Match.payment),
        selectinload(Match.refund),
    )
    page_title = staticmethod(match_title)

    def prepare_rows(self, rows: list[Any]) -> None:
        COUNTED_THROUGH.look(each.file_id for each in rows)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        """ix_settlement_lines_source, ix_settlement_lines_intent, uq_settlement_lines_external"""
        found = [
            select(SettlementLine.id).where(column == words).limit(20)
            for column in (SettlementLine.source_id, SettlementLine.intent_id, SettlementLine.external_id)
        ]
        ids = {line_id for query in found for line_id in session().scalars(query)}
        return [Match.line_id.in_(ids)]

    def record_page(self, match: Any) -> dict[str, Any]:
        by = session().get(User, match.matched_by) if match.matched_by else None
        undone_by = session().get(User, match.undone_by) if match.undone_by else None
        found = facts(
            ("Line", line_label(match.line)),
            ("Account", match.line.account),
            ("Is", other_side(match)),
            ("Amount", show.money(match.amount_minor, match.currency)),
            ("Day", show.day(match.booked_on)),
            ("Rule", f"{show.word(match.rule)}, version {match.rule_version}"),
            (
                "Evidence",
                ", ".join(f"{show.word(name)}: {value}" for name, value in sorted(match.evidence.items()) if value),
            ),
            ("Made by", show.link(by) if by else "the rule"),
            ("Made", show.when(match.matched_at)),
            ("Undone", show.when(match.undone_at) if match.undone_at else None),
            ("Undone by", (show.link(undone_by) if undone_by else "the system") if match.undone_at else None),
            ("Undone because", match.undone_because),
        )
        return whole(match, Page(found, state=show.state(match), sections=_parts(match)))


def _parts(match: Match) -> list[Section]:
    if match.rule is not Rule.SPLIT:
        return []
    found = session().scalars(
        select(MatchPart).where(MatchPart.match_id == match.id).order_by(MatchPart.id).limit(deciding.MOST_PARTS)
    )
    table = rows(found, lambda each: show.link(each.payment), lambda each: show.money(each.amount_minor, each.currency))
    return [Section("Payments", ("Payment", "Amount"), table)]


class UndoMatch(CommandPage):
    record = Match
    path = "matches/<uuid:id>/undo"
    title = "Undo"
    button = "They are not the same money"
    tone = "danger"
    permission = Permission.EDIT_PAYMENTS
    form = forms.ReasonForm
    targets = (MatchStatus.UNDONE,)

    def refused_because(self, record: Any) -> str | None:
        through = COUNTED_THROUGH.of(record.file_id)
        closed = through is not None and record.booked_on <= through
        return super().refused_because(record) or ("Its period is closed." if closed else None)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Line", line_label(record.line)),
                ("Is", other_side(record)),
                ("Afterwards", "The line waits in Exceptions; the rules do not make this match again."),
            ]
        )

    def back(self, record: Any) -> tuple[str, str]:
        return match_title(record), show.record_url("settlement_matches", record.id) or ""

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.undo_match(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The match is undone.", show.record_url("settlement_matches", result.id) or "")


commands.add(UndoMatch)
