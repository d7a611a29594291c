"""Integrity: what the invariants found, run by run; and the two sweeps that an admin may ring by hand."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask

from guitaronline.actor import Actor
from guitaronline.admin import exported, show
from guitaronline.admin.audit_filters import TABLE_OF
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.filters import Days
from guitaronline.admin.record_page import Section, facts
from guitaronline.audit.models import CheckRun
from guitaronline.billing import service as billing
from guitaronline.booking import service as booking
from guitaronline.checks import EVERY
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.office import proofs

FINDINGS_SHOWN = 200


def findings_of(run: CheckRun) -> list[dict[str, Any]]:
    return list(run.findings.get("findings", ()))


def checks_failing() -> int:
    """How many facts the last run found that must not be; for the queue on Today."""
    run = proofs.newest_run(session())
    return len(findings_of(run)) if run else 0


def verdict(run: CheckRun) -> Any:
    count = len(findings_of(run))
    return (
        show.chip("failed", "something does not hold") + f" {count} findings"
        if count
        else show.chip("done", "everything holds")
    )


class ChecksDesk(Desk):
    model_of = CheckRun
    path = "checks"
    title = "Check runs"
    one = "Check run"
    permission = Permission.READ_CHECKS
    intro = "The invariants of the domain are checked every night; each finding is a fact that must not be."
    empty = "No run yet. The nightly job writes the first one; Integrity has a button for now."
    columns = (
        Column("id", "When", lambda run: show.when(run.at), sort=CheckRun.id),
        Column("findings", "Result", lambda run: show.link_to("check_runs", run.id, "details") + " " + verdict(run)),
        Column("seconds", "Took", lambda run: f"{run.seconds:.1f} s", is_number=True),
    )
    filters = (Days("day", "Day", CheckRun.at, is_past=True),)
    exported = exported.CHECKS
    default_order = (CheckRun.id, True)
    page_title = staticmethod(lambda run: f"{run.at:%Y-%m-%d %H:%M} UTC")

    def list_extras(self) -> dict[str, Any]:
        """The two sweeps stand here until there is a desk for jobs."""
        return {"buttons": [button_of(commands.named(ExpireHolds)), button_of(commands.named(ExpirePackages))]}

    def record_page(self, run: Any) -> dict[str, Any]:
        table = [_row(each) for each in findings_of(run)[:FINDINGS_SHOWN]]
        section = Section("Findings", ("Check", "What must hold", "Facts"), table, "None: everything holds.")
        return {
            "facts": facts(("When", show.when(run.at)), ("Took", f"{run.seconds:.1f} s")),
            "state": verdict(run),
            "sections": [section],
        }


def _row(finding: dict[str, Any]) -> list[Any]:
    sentences = {check.name: check.sentence for check in EVERY}
    return [finding["check"], sentences.get(finding["check"], ""), fact_words(finding.get("facts", {}))]


def fact_words(facts: dict[str, Any]) -> Any:
    """The facts of a finding; what names a record leads to it."""
    return show.joined(_fact(name, value, facts) for name, value in facts.items())


def _fact(name: str, value: Any, facts: dict[str, Any]) -> Any:
    table = _table_of(name, str(value), facts)
    label = f"{show.word(name)}: {value}"
    return show.link_to(table, str(value), label) if table and _is_id(str(value)) else label


def _table_of(name: str, value: str, facts: dict[str, Any]) -> str | None:
    """The table of an id: said beside it, in its own name, or by the reference that stands with it."""
    if name == "row_id":
        return str(facts.get("table_name"))
    if name == "id":
        return TABLE_OF.get(str(facts.get("reference", "")).partition("-")[0])
    return {"package_id": "packages", "booking_id": "bookings", "payment_id": "payments"}.get(name)


def _is_id(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


class Sweep(CommandPage):
    permission = Permission.ADMINISTER

    def back(self, record: Any) -> tuple[str, str]:
        return "Check runs", flask.url_for("desk_checks.index_view")


class ExpireHolds(Sweep):
    path = "system/expire-holds"
    title = "Expire lapsed holds"
    lead = "A job does this every minute; lapsed holds are nobody's even before it."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("Holds", "Those whose time is over are marked expired; their reserved lessons are available again.")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return booking.expire_holds(actor)

    def done(self, result: Any) -> Done:
        return Done(f"{result} holds expired.", flask.url_for("desk_bookings.index_view", state="expired"))


class ExpirePackages(Sweep):
    path = "system/expire-packages"
    title = "Expire overdue packages"
    lead = "A job does this; overdue packages cannot be used even before it."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("Packages", "Those whose time is over are marked expired with the lessons left in them.")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return billing.expire_packages(actor)

    def done(self, result: Any) -> Done:
        return Done(f"{result} packages expired.", flask.url_for("desk_packages.index_view", state="expired"))


commands.add(ExpireHolds, ExpirePackages)
