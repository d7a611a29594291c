"""Bulk actions that were asked for: how far they are, what came of each row, and how they are stopped, undone, taken along."""

from __future__ import annotations

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement
from wtforms import HiddenField
from wtforms.validators import Length, Optional

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.base import Column, ConsolePage, Desk
from guitaronline.admin.bulk import agree_on, labels_of, shown
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Choice, State, record_or_people
from guitaronline.admin.record_page import Section, actions_of, facts
from guitaronline.admin.timeline import timeline_of
from guitaronline.db import session
from guitaronline.errors import DomainError, NotFound
from guitaronline.identity.access import Permission
from guitaronline.office import bulk, bulk_forecast, files
from guitaronline.office.bulk_actions import ACTIONS
from guitaronline.office.bulk_models import OPEN, BulkRow, BulkRun, RowStatus, RunStatus
from guitaronline.office.export_models import ExportFormat

ROWS_SHOWN = 100


def title_of(run: BulkRun) -> str:
    return ("Undo: " if run.undoes_run_id else "") + ACTIONS[run.action].title


def counts_in_words(run: BulkRun) -> str:
    if run.status in OPEN:
        return f"{run.rows_total:,} rows"
    parts = ((run.succeeded, "done"), (run.refused, "refused"), (run.failed, "failed"))
    return ", ".join(f"{number:,} {word}" for number, word in parts if number)


class BulkRunsDesk(Desk):
    model_of = BulkRun
    path = "bulk-runs"
    title = "Bulk actions"
    one = "Bulk action"
    permission = Permission.READ_BOOKINGS
    intro = "What was done to many records at once. Most can be undone within 10 minutes of their end."
    empty = "Nothing was done to many records at once yet. Choose rows on a list to begin."
    search_words = "BLK-… or who asked"
    details_template = "admin/bulk_run.html"
    columns = (
        Column("reference", "Bulk action", show.link),
        Column("action", "What", title_of),
        Column("owner", "Who", lambda run: show.link(run.owner)),
        Column("status", "State", show.state),
        Column("rows_total", "Rows", counts_in_words),
        Column("reason", "Why", lambda run: show.text(run.reason)),
        Column("id", "Asked", lambda run: show.stamp(run.created_at), sort=BulkRun.id),
    )
    filters = (
        State(BulkRun.status, RunStatus),
        Choice("owner", "Who", ["me"], lambda value: BulkRun.owner_id == gate.viewer().id),
    )
    exported = exported.BULK_RUNS
    default_order = (BulkRun.id, True)
    load = (selectinload(BulkRun.owner),)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(BulkRun.reference, words, BulkRun.owner_id)

    def record_page(self, run: Any) -> dict[str, Any]:
        return {
            "facts": _facts(run),
            "state": show.state(run),
            "sections": [_rows_section(run)],
            "actions": actions_of(buttons_of(run)),
            "timeline": timeline_of(run),
            "is_open": run.status in OPEN,
        }


def _facts(run: BulkRun) -> list[show.Fact]:
    """What is not there is not said."""
    undone = run.undone_by
    found = (
        ("Progress", _bar(run)),
        ("What", title_of(run)),
        ("With", _arguments(run)),
        ("Who", show.link(run.owner)),
        ("Why", run.reason),
        ("Asked", show.when(run.created_at)),
        ("Begun", show.when(run.started_at)),
        ("Ended", show.when(run.finished_at)),
        ("Stopped because", run.stopped_because),
        ("Undoes", show.link(run.undoes) if run.undoes else ""),
        ("Undone by", show.link(undone) if undone else ""),
        ("Can be undone", _undo_fact(run) if undone is None else ""),
        ("Undoing", ACTIONS[run.action].undo_words if not bulk.final_because(run) else ""),
    )
    return facts(*(pair for pair in found if pair[1]))


def _bar(run: BulkRun) -> Any:
    """Renews itself while the run is open: by script, else by the page."""
    progress = progress_of(run)
    url = flask.url_for("desk_bulk-runs_progress.index", id=run.id) if run.status in OPEN else ""
    pattern = (
        '<progress class="bulk-progress" max="{}" value="{}" aria-label="Rows that have their result"'
        ' data-progress-url="{}"></progress><div role="status" data-progress-words>{}</div>'
    )
    return show.html(pattern, progress["total"], progress["ready"], url, progress["words"])


def _arguments(run: BulkRun) -> str:
    """What was ticked is named, what was not is not."""
    with_words = ACTIONS[run.action].with_words
    if with_words is not None:
        return with_words(run.arguments)
    said = {name: value for name, value in run.arguments.items() if value is not False}
    return ", ".join(
        show.word(name) if value is True else f"{show.word(name)}: {show.word(value)}" for name, value in said.items()
    )


def _undo_fact(run: BulkRun) -> Any:
    problem = bulk.undo_problem(run, gate.now())
    return str(problem) if problem else show.html("until {}", show.when(run.undo_until))


def _rows_section(run: BulkRun) -> Section:
    """What was refused or failed first."""
    is_done = BulkRow.status.in_([RowStatus.DONE, RowStatus.WAITING])
    query = select(BulkRow).where(BulkRow.run_id == run.id).order_by(is_done, BulkRow.position).limit(ROWS_SHOWN)
    found = list(session().scalars(query))
    table_name = ACTIONS[run.action].table
    labels = labels_of(table_name, {row.record_id: row.label for row in found})
    table = [
        [
            show.link_to(table_name, row.record_id, labels[row.record_id]),
            show.chip(row.status),
            _sentence(run, row),
        ]
        for row in found
    ]
    title = "Rows" if run.rows_total <= ROWS_SHOWN else f"Rows: the first {ROWS_SHOWN} of {run.rows_total:,}"
    return Section(
        title, ("Record", "", "What came of it"), table, "The results row by row were cleaned up; the counts stay."
    )


def _sentence(run: BulkRun, row: BulkRow) -> Any:
    if row.result_id is None or row.result_id == row.record_id:
        return row.sentence
    return show.html("{} {}", row.sentence, show.link_to(ACTIONS[run.action].table, row.result_id, "Look at it"))


def progress_of(run: BulkRun) -> dict[str, Any]:
    """How far it is; counted while it runs, and afterwards what was counted at its end."""
    counts = bulk.counts_of(session(), run)
    ready = counts[RowStatus.DONE] + counts[RowStatus.REFUSED] + counts[RowStatus.FAILED]
    return {
        "state": run.status.value,
        "is_open": run.status in OPEN,
        "total": run.rows_total,
        "ready": ready,
        "words": f"{ready:,} of {run.rows_total:,} rows have their result: {counts[RowStatus.DONE]:,} done, "
        f"{counts[RowStatus.REFUSED]:,} refused, {counts[RowStatus.FAILED]:,} failed.",
    }


class BulkProgress(ConsolePage):
    """How far a run is, for the bar on its page."""

    path = "bulk-runs/progress"
    title = "Progress"
    permission = Permission.READ_BOOKINGS

    def page(self) -> Any:
        run_id = forms.id_or_none(flask.request.args.get("id"))
        run = session().get(BulkRun, run_id) if run_id else None
        if run is None:
            raise NotFound("There is no such bulk action.")
        return flask.jsonify(progress_of(run))


class RunCommand(CommandPage):
    record = BulkRun
    permission = Permission.RUN_BULK


class UndoForm(forms.CommandForm):
    digest = HiddenField(validators=[Optional(), Length(max=64)])
    seen = HiddenField(validators=[Optional(), Length(max=bulk.ROWS_MOST * bulk_forecast.MARK)])
    reason = forms.reason()


class UndoBulk(RunCommand):
    path = "bulk-runs/<uuid:id>/undo"
    title = "Undo"
    button = "Undo it"
    form = UndoForm
    template = "admin/bulk.html"

    def refused_because(self, record: Any) -> str | None:
        problem = bulk.undo_problem(record, gate.now())
        return str(problem) if problem else gate.why_not_allowed(bulk.inverse_of(record).permission)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if self.refused_because(record):
            return Consequences()
        try:
            forecasts = bulk.foresee_undo(session(), actor, record, gate.now())
        except DomainError as refusal:
            return Consequences(blockers=forms.reasons_of(refusal))
        inverse = bulk.inverse_of(record)
        agree_on(form, inverse, bulk.undo_arguments(record), forecasts)
        told = shown(inverse, forecasts)
        lines = [line for line in told.lines if line[0] != "Undo"]
        words = ACTIONS[record.action].undo_words
        return Consequences([*lines, ("Undoing", words)], blockers=told.blockers)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return bulk.undo_bulk(
            actor,
            record.id,
            digest=form.digest.data or "",
            seen=form.seen.data or "",
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is on its way.", show.record_url("bulk_runs", result.id) or "")


class StopBulk(RunCommand):
    path = "bulk-runs/<uuid:id>/stop"
    title = "Stop"
    button = "Stop it"
    tone = "danger"
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        return None if record.status in OPEN else bulk.RunNotOpen.detail

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Then", "Rows that have their result keep it; the others are left as they are.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return bulk.stop_bulk(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("It ends before its next row.", show.record_url("bulk_runs", result.id) or "")


class DownloadBulk(RunCommand):
    """The results as a file: written down in the audit, and no formula for a spreadsheet. At most 5,000 short lines."""

    path = "bulk-runs/<uuid:id>/download"
    title = "Download the results"
    button = "Download"
    permission = Permission.READ_BOOKINGS
    is_secret = True  # the file is not kept as an answer

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("File", f"CSV with {record.rows_total:,} rows: record, state, what came of it, when.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return bulk.download_bulk(actor, record.id)

    def done(self, result: Any) -> Done:
        return Done("", "")

    def _submit(self, record: Any, form: Any) -> ResponseReturnValue:
        with self._asked_of_unit(record, form):
            run = self.act(gate.viewer().actor, record, form)
        answer = flask.Response(b"".join(files.csv_chunks(_sheet(run))), content_type=files.MIME[ExportFormat.CSV])
        answer.headers["Content-Disposition"] = f'attachment; filename="{run.reference}.csv"'
        return answer


def _sheet(run: BulkRun) -> files.Sheet:
    query = select(BulkRow).where(BulkRow.run_id == run.id).order_by(BulkRow.position)
    lines = [
        (row.label, str(row.status), row.code, row.sentence, str(row.result_id or ""), row.done_at)
        for row in session().scalars(query)
    ]
    headings = ("record", "state", "code", "what came of it", "result", "when")
    return files.Sheet(run.reference, headings, [lines], show.zone())


commands.add(UndoBulk, StopBulk, DownloadBulk)
