"""Integrity: each invariant in words, whether it held in the last run, and the records that break it."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy import select

from guitaronline.actor import Actor
from guitaronline.admin import show
from guitaronline.admin.asked import AskPage, by, names_of, progress, spent
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.checks import checks_failing, fact_words, findings_of
from guitaronline.admin.command_page import Consequences, button_of, commands
from guitaronline.audit.models import CheckRun, RunKind
from guitaronline.checks import EVERY
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.office import proofs

RUNS_SHOWN = 10
FINDINGS_SHOWN = 20  # of one invariant; a run keeps no more


class Integrity(ConsolePage):
    path = "integrity"
    title = "Integrity"
    permission = Permission.READ_CHECKS

    def page(self) -> Any:
        runs = list(session().scalars(select(CheckRun).order_by(CheckRun.id.desc()).limit(RUNS_SHOWN)))
        last = runs[0] if runs else None
        return self.render(
            "admin/integrity.html",
            last=last,
            last_at=show.when(last.at) if last else None,
            failing=checks_failing(),
            checks=[_check(check.name, check.sentence, last) for check in EVERY],
            progress=progress(proofs.open_run(session(), RunKind.INVARIANTS), last.seconds if last else None),
            runs=_table(runs),
            buttons=[button_of(commands.named(RunChecks))],
            history_url=flask.url_for("desk_checks.index_view"),
        )


def _check(name: str, sentence: str, last: CheckRun | None) -> dict[str, Any]:
    found = [each["facts"] for each in findings_of(last) if each["check"] == name] if last else []
    ran = last is not None and name in last.findings.get("ran", [name])
    return {
        "name": name,
        "sentence": sentence,
        "chip": _chip(len(found), ran),
        "findings": [fact_words(each) for each in found[:FINDINGS_SHOWN]],
    }


def _chip(findings: int, ran: bool) -> Any:
    if findings:
        return show.chip("failed", "it does not hold") + f" {findings}"
    return show.chip("holds", "no row breaks it") if ran else show.chip("not run yet", "newer than the last run")


def _table(runs: list[CheckRun]) -> list[list[Any]]:
    names = names_of(run.asked_by for run in runs)
    return [
        [
            show.html("{}", show.when(run.at)),
            show.link_to("check_runs", run.id, f"{len(findings_of(run))} findings" if findings_of(run) else "all hold"),
            by(run.asked_by, names),
            spent(run.seconds),
        ]
        for run in runs
    ]


class RunChecks(AskPage):
    path = "integrity/run"
    title = "Run now"
    permission = Permission.READ_CHECKS
    parent = "desk_integrity.index"

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Read", "Every record, by the worker; a large school takes minutes. Nothing is changed."),
                ("Meanwhile", "That worker does nothing else. Asking twice makes one run."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        proofs.ask_for_checks(actor)


commands.add(RunChecks)
