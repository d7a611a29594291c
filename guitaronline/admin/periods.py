"""Months that are proved by one person and signed by another."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import selectinload
from wtforms.validators import InputRequired

from guitaronline.actor import Actor
from guitaronline.admin import exported_money, forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Dates, State
from guitaronline.admin.record_page import Page, Section, facts, whole
from guitaronline.billing.reconciliation import periods, rules, service
from guitaronline.billing.reconciliation.period_models import PeriodStatus, ReconciliationPeriod
from guitaronline.billing.reconciliation.periods import Readiness
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason
from guitaronline.identity.access import Permission


class PeriodsDesk(Desk):
    model_of = ReconciliationPeriod
    path = "periods"
    title = "Periods"
    one = "Period"
    permission = Permission.READ_PAYMENTS
    intro = "A closed period never changes; what comes later is counted in the next one."
    empty = (
        "No period is closed yet. Prepare the first month when its files are imported and its exceptions are decided."
    )
    columns = (
        Column(
            "first_on",
            "From",
            lambda each: show.link(each, show.day(each.first_on)),
            sort=ReconciliationPeriod.first_on,
        ),
        Column("last_on", "Until", lambda each: show.day(each.last_on)),
        Column("status", "State", show.state),
        Column("preparer", "Prepared by", lambda each: show.link(each.preparer)),
        Column("reviewer", "Reviewed by", lambda each: show.link(each.reviewer)),
        Column("closed_at", "Closed", lambda each: show.stamp(each.closed_at)),
        Column("hash", "Hash", lambda each: show.text((each.snapshot_hash or "")[:12])),
    )
    filters = (
        State(ReconciliationPeriod.status, PeriodStatus),
        Dates("days", "Last day", ReconciliationPeriod.last_on),
    )
    exported = exported_money.PERIODS
    default_order = (ReconciliationPeriod.first_on, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(ReconciliationPeriod.preparer), selectinload(ReconciliationPeriod.reviewer))

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(PreparePeriod))]}

    def record_page(self, period: Any) -> dict[str, Any]:
        found = facts(
            ("From", show.day(period.first_on)),
            ("Until", show.day(period.last_on)),
            ("Prepared by", show.link(period.preparer)),
            ("Prepared", show.when(period.prepared_at)),
            ("Reviewed by", show.link(period.reviewer)),
            ("Closed", show.when(period.closed_at)),
            ("Hash of the snapshot", period.snapshot_hash),
            ("Files counted", len(period.snapshot.get("files", []))),
        )
        return whole(period, Page(found, state=show.state(period), sections=snapshot_sections(period.snapshot)))


def snapshot_sections(snapshot: dict[str, Any]) -> list[Section]:
    """The three sides, as they were signed."""
    return [
        Section(
            "School: money on its way",
            ("Way", "Before", "Payments", "Refunds", "Confirmed by lines", "On its way now"),
            [[row["way"], *(_money(row, name) for name in ("opening", "payments", "refunds", "confirmed", "closing"))] for row in snapshot.get("school", [])],
            "No money moved.",
        ),
        Section(
            "Providers and banks",
            ("Account", "Opening", "Restated", "Movements", "Closing"),
            [[row["account"], _money(row, "opening"), _money(row, "restated") if row.get("restated_minor") else show.NOTHING, _movements(row), _money(row, "closing")] for row in snapshot.get("accounts", [])],
            "No line was told.",
        ),
        Section(
            "Exceptions",
            ("What", "State", "Number", "At risk"),
            [[show.word(row["category"]), show.chip(row["status"]), row["number"], show.money(row["value_minor"], row["currency"]) if row["currency"] else show.NOTHING] for row in snapshot.get("exceptions", [])],
            "None.",
        ),
    ]  # fmt: skip


def _money(row: dict[str, Any], name: str) -> Any:
    return show.money(row[f"{name}_minor"], row["currency"])


def _movements(row: dict[str, Any]) -> Any:
    return show.joined(
        show.html(
            "{}: {} lines, {}", show.word(each["kind"]), each["lines"], show.money(each["net_minor"], row["currency"])
        )
        for each in row["movements"]
    )


class PrepareForm(forms.CommandForm):
    first_on = forms.DateField("First day", validators=[InputRequired("A day is needed.")])
    last_on = forms.DateField(
        "Last day", validators=[InputRequired("A day is needed.")], description="Usually the last of the month."
    )
    reason = forms.reason(required=False)


class PreparePeriod(CommandPage):
    path = "periods/new"
    title = "Prepare a period"
    parent = "desk_periods.index_view"
    button = "Prepare it"
    permission = Permission.EDIT_PAYMENTS
    form = PrepareForm
    looks = "Show what it proves"
    lead = "All three sides are added up: opening and movements make the closing, and no exception waits. Another person reviews it."

    def initial(self, record: Any) -> dict[str, Any]:
        """The month after the last closed one, else the month before this one."""
        before = periods.last_closed(session())
        first = (
            before.last_on + timedelta(days=1)
            if before
            else rules.month_of(gate.now().date().replace(day=1) - timedelta(days=1))[0]
        )
        return {"first_on": first, "last_on": rules.month_of(first)[1]}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        first, last = form.first_on.data, form.last_on.data
        if not isinstance(first, date) or not isinstance(last, date):
            return Consequences()
        try:
            ready = periods.readiness(session(), first, last, now=gate.now())
        except DomainError as refusal:
            return Consequences(blockers=forms.reasons_of(refusal))
        lines: list[tuple[str, Any]] = [
            ("Hash", ready.proof.digest[:12]),
            ("Files", len(ready.proof.snapshot["files"])),
        ]
        lines += [(f"On its way, {row['way']}", _money(row, "closing")) for row in ready.proof.snapshot["school"]]
        table: list[Any] = [("Account", "Opening", "Closing")]
        table += [
            (row["account"], _money(row, "opening"), _money(row, "closing")) for row in ready.proof.snapshot["accounts"]
        ]
        waiting = [
            ("Waits", show.html("{} {}", show.link(each), show.word(each.category))) for each in ready.exceptions
        ]
        return Consequences(lines + waiting, table=table if len(table) > 1 else (), blockers=_blockers(ready))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.prepare_period(
            actor, first_on=form.first_on.data, last_on=form.last_on.data, reason=form.reason.data
        )

    def done(self, result: Any) -> Done:
        return Done(
            f"{result.title} is prepared; somebody else reviews it.",
            show.record_url("reconciliation_periods", result.id) or "",
        )


def _blockers(ready: Readiness) -> list[Reason]:
    """The exceptions that wait are listed with their links; here it is enough that there are some."""
    others = [each for each in ready.blockers if each.code != "exception_open"]
    if not ready.exceptions:
        return others
    number = len(ready.exceptions)
    most = "or more " if number == periods.TELL_AT_MOST else ""
    return [
        Reason("exception_open", f"{number} {most}exceptions still wait for a decision; they are listed below."),
        *others,
    ]


class PeriodCommand(CommandPage):
    record = ReconciliationPeriod
    permission = Permission.APPROVE

    def done(self, result: Any) -> Done:
        return Done(
            f"{result.title} is {show.word(result.status)}.", show.record_url("reconciliation_periods", result.id) or ""
        )


class ClosePeriod(PeriodCommand):
    path = "periods/<uuid:id>/close"
    title = "Close"
    button = "Reviewed: close it for good"
    form = forms.MaybeReasonForm
    targets = (PeriodStatus.CLOSED,)

    def refused_because(self, record: Any) -> str | None:
        is_mine = record.status is PeriodStatus.PREPARED and record.prepared_by == gate.viewer().id
        return "You prepared it yourself; another person reviews it." if is_mine else super().refused_because(record)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        lines = [
            ("Period", record.title),
            ("Prepared by", show.link(record.preparer)),
            ("Hash", (record.snapshot_hash or "")[:12]),
            (
                "Afterwards",
                "Its matches and decisions stand for good. It is proved once more now, and must come out the same.",
            ),
        ]
        return Consequences(lines)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.close_period(actor, record.id, reason=form.reason.data)


class SendPeriodBack(PeriodCommand):
    path = "periods/<uuid:id>/send-back"
    title = "Send back"
    tone = "danger"
    form = forms.ReasonForm
    targets = (PeriodStatus.OPEN,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.send_period_back(actor, record.id, reason=form.reason.data)


commands.add(PreparePeriod, ClosePeriod, SendPeriodBack)
