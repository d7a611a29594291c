"""Backups: each backup, rehearsal and restore, and how it ended; and what is wrong with them now."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, show
from guitaronline.admin.asked import spent
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.filters import Choice, Days
from guitaronline.admin.plain import Plain, moment, number, word
from guitaronline.admin.record_page import Section, facts
from guitaronline.backups import runs
from guitaronline.backups.models import BackupKind, BackupRun
from guitaronline.db import session
from guitaronline.identity.access import Permission

KINDS = {
    BackupKind.BACKUP: "backup",
    BackupKind.BASE: "copy of the cluster",
    BackupKind.REHEARSAL: "rehearsal of a restore",
    BackupKind.RESTORE: "restore of this database",
}
ENDED = ("good", "failed", "running")


def worries() -> list[str]:
    """What is wrong with the backups, in sentences."""
    return runs.worries(session(), flask.current_app.config["SETTINGS"], gate.now())


def are_expected() -> bool:
    return runs.are_expected(flask.current_app.config["SETTINGS"])


def ended(run: BackupRun) -> Any:
    if run.finished_at is None:
        return show.chip("running", "it has not ended yet")
    return show.chip("failed", "something went wrong") if run.problems else show.chip("done", "nothing was wrong")


def _as_it_ended(value: str) -> ColumnElement[bool]:
    over: ColumnElement[bool] = BackupRun.finished_at.is_not(None)
    return {
        "good": over & (BackupRun.problems == []),
        "failed": over & (BackupRun.problems != []),
        "running": ~over,
    }[value]


def _how_it_ended(finished_at: Any, problems: Any) -> str:
    if finished_at is None:
        return "running"
    return "failed" if problems else "done"


EXPORTED = {
    "id": moment(BackupRun.started_at),
    "kind": word(BackupRun.kind),
    "state": (Plain((BackupRun.finished_at, BackupRun.problems), _how_it_ended),),
    "said": (Plain((BackupRun.problems,), "; ".join),),
    "seconds": moment(BackupRun.finished_at, label="Ended"),
    "bytes": number(BackupRun.bytes),
    "rows": number(BackupRun.rows),
}


class BackupsDesk(Desk):
    model_of = BackupRun
    path = "backups"
    title = "Backups"
    one = "Backup run"
    permission = Permission.READ_CHECKS
    intro = "Each backup, and each time one was restored into a fresh cluster to prove that it can be."
    empty = "None yet. BACKUP_DIR says where this installation puts them; docs/runbooks/restore.md says how."
    columns = (
        Column("id", "Began", lambda run: show.when(run.started_at), sort=BackupRun.id),
        Column("kind", "What", lambda run: show.link_to("backup_runs", run.id, KINDS[run.kind])),
        Column("state", "State", ended),
        Column("said", "It said", lambda run: show.text("; ".join(run.problems[:1]))),
        Column(
            "seconds",
            "Took",
            lambda run: show.text((run.seconds is not None and spent(run.seconds)) or None),
            is_number=True,
        ),
        Column("bytes", "Size", lambda run: f"{run.bytes / 2**20:,.1f} MB", is_number=True),
        Column("rows", "Rows", lambda run: f"{run.rows:,}", is_number=True),
    )
    filters = (
        Choice("kind", "What", list(BackupKind), lambda value: BackupRun.kind == value),
        Choice("ended", "Ended", ENDED, _as_it_ended),
        Days("day", "Day", BackupRun.started_at, is_past=True),
    )
    exported = EXPORTED
    default_order = (BackupRun.id, True)
    page_title = staticmethod(lambda run: f"{KINDS[run.kind]} {run.started_at:%Y-%m-%d %H:%M} UTC")

    def record_page(self, run: Any) -> dict[str, Any]:
        loss = run.loss_seconds
        found = facts(
            ("Began", show.when(run.started_at)),
            ("Ended", show.when(run.finished_at)),
            ("Backup", run.name),
            ("Shows the school as of", show.when(run.taken_at)),
            ("Size", f"{run.bytes / 2**20:,.1f} MB"),
            ("Rows", f"{run.rows:,}"),
            ("Would have been lost", f"the last {loss / 3600:.1f} hours" if loss is not None else None),
        )
        table = [[sentence] for sentence in run.problems]
        return {
            "facts": found,
            "state": ended(run),
            "sections": [Section("Problems", ("What is wrong",), table, "None.")],
        }
