"""The journal of a month as a file for the bookkeeping, and the accounts that its events belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from guitaronline import money
from guitaronline.actor import Actor
from guitaronline.admin import books, forms, gate, plain, show
from guitaronline.admin.base import Column, ConsolePage, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.filters import Choice
from guitaronline.admin.record_page import facts
from guitaronline.db import session
from guitaronline.finance import accounts, journal, months, service
from guitaronline.finance.account_models import AccountMapping, EventKind
from guitaronline.finance.journal import Event
from guitaronline.identity.access import Permission

EVERY = "every other currency"


class Journal(ConsolePage):
    path = "journal"
    title = "Journal"
    reads_standby = True
    permission = Permission.READ_BOOKS

    def page(self) -> Any:
        month = books.asked_month(flask.request.args.get("month"), months.month_of(gate.now()).before())
        events = journal.events_of(session(), month)
        missing = journal.missing_accounts(session(), events)
        return self.render(
            "admin/journal.html",
            month=month,
            months=books.months_offered(),
            rows=_sums(events),
            is_closed=journal.is_closed(session(), month, now=gate.now()),
            missing=[(f"{_said(kind)} in {code}", _set_url(kind)) for kind, code in missing],
            zone=months.zone().key,
        )


def _sums(events: Sequence[Event]) -> list[list[Any]]:
    """For each kind and currency: how many, how much, and the accounts."""
    known = accounts.all_mappings(session())
    found: dict[tuple[EventKind, str], list[int]] = {}
    for each in events:
        sums = found.setdefault((each.kind, each.currency), [0, 0])
        sums[:] = [sums[0] + 1, sums[1] + each.amount_minor]
    return [
        [
            _said(kind),
            code,
            f"{number:,}",
            show.money(total, code),
            _accounts(known.get((kind, code)) or known.get((kind, accounts.ANY))),
        ]
        for (kind, code), (number, total) in sorted(found.items())
    ]


def _accounts(mapping: AccountMapping | None) -> Any:
    return f"{mapping.debit_account} to {mapping.credit_account}" if mapping else show.chip("missing", "set it first")


def _said(kind: EventKind) -> str:
    return show.word(kind).capitalize()


def _set_url(kind: EventKind) -> str:
    return flask.url_for("console.SetAccounts", kind=kind.value)


@books.blueprint.post("/journal/download")
@gate.needs(Permission.READ_BOOKS)
def download_journal() -> ResponseReturnValue:
    """The closed month's journal as CSV. Raises MonthNotClosed, AccountMissing."""
    month = books.posted_month()
    entries = journal.journal_of(session(), month, now=gate.now())
    filters = {"month": month.written()}
    rows = list(journal.lines(entries))
    return books.csv_answer("journal", journal.HEADINGS, rows, needs=Permission.READ_BOOKS, filters=filters)


class AccountsDesk(Desk):
    model_of = AccountMapping
    path = "accounts"
    title = "Accounts"
    one = "Accounts of"
    permission = Permission.READ_BOOKS
    intro = "To which accounts of the bookkeeping the events of the journal belong."
    empty = "No event has accounts yet. Set them, and the journal can be downloaded."
    columns = (
        Column("kind", "Event", lambda each: show.link(each, _said(each.kind)), sort=AccountMapping.kind),
        Column("currency", "Currency", lambda each: each.currency or EVERY),
        Column("debit_account", "Debit", lambda each: each.debit_account),
        Column("credit_account", "Credit", lambda each: each.credit_account),
        Column("id", "Set", lambda each: show.stamp(each.updated_at), sort=AccountMapping.id),
    )
    filters = (Choice("kind", "Event", list(EventKind), lambda value: AccountMapping.kind == value),)
    exported = {  # noqa: RUF012  # as of every desk
        "kind": plain.word(AccountMapping.kind),
        "currency": plain.words(AccountMapping.currency),
        "debit_account": plain.words(AccountMapping.debit_account),
        "credit_account": plain.words(AccountMapping.credit_account),
        "id": plain.moment(AccountMapping.updated_at),
    }
    default_order = (AccountMapping.kind, False)
    page_title = staticmethod(lambda each: f"{_said(each.kind)}, {each.currency or EVERY}")

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(SetAccounts))]}

    def record_page(self, mapping: Any) -> dict[str, Any]:
        from guitaronline.admin.timeline import timeline_of

        return {
            "facts": facts(
                ("Event", accounts.MEANINGS[mapping.kind]),
                ("Currency", mapping.currency or EVERY),
                ("Debit", mapping.debit_account),
                ("Credit", mapping.credit_account),
            ),
            "timeline": timeline_of(mapping),
        }


class AccountsForm(forms.CommandForm):
    linkable = frozenset({"kind"})
    kind = forms.choice("Event", [(each.value, f"{_said(each)}: {words}") for each, words in accounts.MEANINGS.items()])
    currency = forms.choice(
        "Currency", [(accounts.ANY, EVERY), *((code, code) for code in sorted(money.CURRENCIES))], default=accounts.ANY
    )
    debit_account = forms.line("Debit account", required=True, most=20)
    credit_account = forms.line("Credit account", required=True, most=20)
    reason = forms.reason(required=False)


class SetAccounts(CommandPage):
    path = "accounts/set"
    title = "Set accounts"
    parent = "desk_accounts.index_view"
    button = "Save"
    permission = Permission.KEEP_BOOKS
    needs_step_up = True
    form = AccountsForm
    lead = "Holds for every journal that is downloaded from now on, also of months before."

    def initial(self, record: Any) -> dict[str, Any]:
        """What stands now, else what is usual."""
        kind = flask.request.args.get("kind", "")
        if kind not in list(EventKind):
            return {}
        found = accounts.all_mappings(session()).get((EventKind(kind), accounts.ANY))
        debit, credit = (
            (found.debit_account, found.credit_account) if found is not None else accounts.USUAL[EventKind(kind)]
        )
        return {"debit_account": debit, "credit_account": credit}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        known = accounts.all_mappings(session())
        table = [
            (_said(kind), code or EVERY, each.debit_account, each.credit_account)
            for (kind, code), each in sorted(known.items())
        ]
        return Consequences(table=[("Set so far", "Currency", "Debit", "Credit"), *table] if table else ())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.map_accounts(
            actor,
            kind=form.kind.data,
            currency=form.currency.data,
            debit_account=form.debit_account.data,
            credit_account=form.credit_account.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        words = f"{_said(result.kind)}: {result.debit_account} to {result.credit_account}."
        return Done(words, show.record_url("account_mappings", result.id) or "")


commands.add(SetAccounts)
