"""Lists as files: what goes out at once, what a job makes, and the desk that says who took what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import flask
from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, Text, case, cast
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline import step_up_page
from guitaronline.actor import Actor, Role
from guitaronline.admin import gate, plain, show
from guitaronline.admin.base import Column, Console, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.export_request import asked_in, desk_at
from guitaronline.admin.exporting import Reading, read_ids
from guitaronline.admin.filters import Choice, Days, State, Whose
from guitaronline.admin.record_page import actions_of, facts
from guitaronline.admin.timeline import timeline_of
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.office import export_runs, exports, files
from guitaronline.office.export_models import Export, ExportFormat, ExportStatus
from guitaronline.office.export_runs import Progress
from guitaronline.office.exports import DIRECT_UP_TO, WAITING, effective_status
from guitaronline.privacy import giving

blueprint = Blueprint("exports", __name__, url_prefix=gate.PREFIX)


def init_exports(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.jinja_env.globals["may_export"] = lambda: gate.may(Permission.EXPORT)


# Routes


@blueprint.post("/<path>/export")
@gate.needs(Permission.EXPORT)
def export_list(path: str) -> ResponseReturnValue:
    """The rows of the list as a file; of more than DIRECT_UP_TO a job makes one. Written down before a byte leaves."""
    asked = asked_in(desk_at(path), flask.request.form)
    asking = _confirmed(
        asked.desk.has_personal_files,
        f"Export {asked.desk.title.lower()}",
        flask.url_for(f"{asked.desk.endpoint}.index_view"),
    )
    if asking is not None:
        return asking
    ids = read_ids(asked.desk, asked.selection, most=DIRECT_UP_TO + 1)
    actor = gate.viewer().actor
    if len(ids) > DIRECT_UP_TO:
        export = exports.request_export(actor, wanted=asked.wanted(), reason=asked.reason)
        flask.flash(
            f"More than {DIRECT_UP_TO:,} rows: the file is made in the background. You can go on working.", "info"
        )
        return flask.redirect(_page(export.id), 303)
    reading = Reading(_app(), asked.desk, asked.columns, ids, gate.viewer(), gate.now())
    exports.record_export(actor, wanted=asked.wanted(), rows=len(ids), reason=asked.reason)
    return _file(files.chunks(asked.format, reading.sheet()), asked.desk.path, asked.format, gate.now())


@blueprint.post("/exports/<uuid:id>/download")
@gate.needs(Permission.EXPORT)
def download(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    """The file that a job made, for who asked for it. Written down before a byte leaves."""
    export = session().get(Export, id)
    if export is None or export.owner_id != gate.viewer().id:
        raise NotFound("There is no such export, or it is not yours.")
    is_personal = export.desk == giving.DESK or desk_at(export.desk).has_personal_files
    asking = _confirmed(is_personal, "Download the file", _page(id))
    if asking is not None:
        return asking
    exports.record_download(gate.viewer().actor, id, needs=_needed(export))
    answer = _file(_parts(_app(), id), export.desk, export.format, export.created_at)
    answer.content_length = export_runs.size_of(id)
    return answer


@blueprint.get("/exports/<uuid:id>/progress")
@gate.needs(Permission.EXPORT)
def progress(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    """How far it is, for the page that waits."""
    desk: ExportsDesk = gate.view_of("desk_exports.index_view")
    export = desk.get_one(id)
    at = export_runs.progress_of([id]).get(id, Progress())
    return {
        "words": said(export, at),
        "percent": at.percent,
        "status": export.status,
        "is_over": export.status not in WAITING,
    }


def _needed(export: Export) -> Permission:
    return giving.NEEDS if export.desk == giving.DESK else desk_at(export.desk).permission


def _confirmed(is_personal: bool, what: str, back: str) -> ResponseReturnValue | None:
    """None where nothing personal leaves, or who asks has proved that it is them."""
    return step_up_page.unless_confirmed(what, back) if is_personal else None


def _parts(app: Flask, export_id: UUID) -> Iterator[bytes]:
    """Each is read in a context of its own: a slow download holds no connection."""
    sequence = 0
    while True:
        with app.app_context():
            part = export_runs.part(export_id, sequence)
        if part is None:
            return
        yield part
        sequence += 1


def _file(chunks: Iterator[bytes], path: str, kind: ExportFormat, moment: datetime) -> flask.Response:
    answer = flask.Response(chunks, content_type=files.MIME[kind])
    name = f"{path}-{moment.astimezone(show.zone()):%Y-%m-%d-%H%M}.{kind}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _app() -> Flask:
    found: Flask = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # the proxy has no public way
    return found


def _page(export_id: UUID) -> str:
    return flask.url_for("desk_exports.details_view", id=export_id)


# The desk


def said(export: Export, at: Progress) -> str:
    """How far it is, in words."""
    if export.status is ExportStatus.REQUESTED:
        return "waits for its turn"
    if export.status is ExportStatus.RUNNING:
        return f"{at.done:,} of {at.total:,} rows" if at.total else "begins"
    return show.word(effective_status(export, gate.now()))


def bar(export: Export) -> Any:
    """A bar while it is being made, kept current by exports.js."""
    at = flask.g.progress.get(export.id, Progress())
    if export.status not in WAITING:
        return show.NOTHING if export.rows is None else f"{export.rows:,}"
    return show.html(
        '<span class="export-progress" data-progress="{}" data-status="{}"><progress max="100" value="{}" aria-label="Progress"></progress>'
        ' <span data-words role="status">{}</span></span>',
        flask.url_for("exports.progress", id=export.id),
        export.status,
        at.percent,
        said(export, at),
    )


def _effective() -> ColumnElement[str]:
    """SQL twin of `effective_status`."""
    over = (Export.status == ExportStatus.READY) & (Export.expires_at <= gate.now())
    return case((over, str(ExportStatus.EXPIRED)), else_=cast(Export.status, Text))


def _filter_words(export: Export) -> Any:
    """The filter as it was typed."""
    searched = [f"search: {export.search}"] if export.search else []
    return show.joined([*searched, *(f"{name}: {value}" for name, value in export.filters.items())])


class ExportsDesk(Desk):
    model_of = Export
    path = "exports"
    title = "Exports"
    one = "Export:"
    permission = Permission.EXPORT
    intro = "Lists that left the console as files. Large ones are made in the background and kept for some days."
    empty = "Nothing was exported yet. Every list has an Export button."
    list_template = "admin/exports.html"
    details_template = "admin/export.html"
    columns = (
        Column("desk", "What", show.link),
        Column("filters", "Filter", _filter_words),
        Column("owner", "Who", lambda export: show.link(export.owner)),
        Column("status", "State", lambda export: show.state(export, effective_status(export, gate.now()))),
        Column("rows", "Rows", bar, is_number=True),
        Column("id", "Asked for", lambda export: show.stamp(export.created_at), sort=Export.id),
        Column("expires_at", "Kept until", lambda export: show.stamp(export.expires_at)),
    )
    filters = (
        State(Export.status, ExportStatus, lambda state, now: _effective() == state),
        Choice("format", "Format", list(ExportFormat), lambda value: Export.format == value),
        Days("day", "Asked for", Export.created_at),
        Whose("owner", "Who", Export.owner_id),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "desk": (*plain.words(Export.desk), *plain.word(Export.format, label="Format")),
        "filters": (
            *plain.words(Export.search, label="Search"),
            *plain.words(cast(Export.filters, Text), label="Filter"),
        ),
        "owner": plain.words(plain.of(User.full_name, Export.owner_id)),
        "status": plain.word(_effective),
        "rows": plain.number(Export.rows),
        "id": plain.moment(Export.created_at),
        "expires_at": plain.moment(Export.expires_at),
    }
    default_order = (Export.id, True)
    load = (selectinload(Export.owner),)

    def scope(self, query: Select[Any]) -> Select[Any]:
        """One's own; an admin sees everybody's. Index: ix_exports_owner."""
        viewer = gate.viewer()
        return query if viewer.role is Role.ADMIN else query.where(Export.owner_id == viewer.id)

    def prepare_rows(self, rows: list[Any]) -> None:
        flask.g.progress = export_runs.progress_of([row.id for row in rows if row.status in WAITING])

    def list_extras(self) -> dict[str, Any]:
        return {"is_waiting": any(row.status in WAITING for row in flask.g.listed.rows)}

    def record_page(self, export: Any) -> dict[str, Any]:
        self.prepare_rows([export])
        status = effective_status(export, gate.now())
        mine = export.owner_id == gate.viewer().id
        return {
            "facts": _facts(export),
            "state": show.state(export, status),
            "progress": bar(export) if export.status in WAITING else "",
            "is_waiting": export.status in WAITING,
            "download_url": flask.url_for("exports.download", id=export.id)
            if mine and status is ExportStatus.READY
            else "",
            "actions": actions_of([button_of(commands.named(CancelExport), export)]),
            "timeline": timeline_of(export),
        }


def _facts(export: Export) -> list[show.Fact]:
    console: Console = flask.current_app.extensions["admin"][0]
    desk = console.desks.get(export.desk)
    labels = {each.name: each for each in desk.filters} if desk else {}
    chosen = [
        (labels[name].label, labels[name].shown(value)) if name in labels else (name, value)
        for name, value in export.filters.items()
    ]
    headings = [each.label for each in desk.columns if each.name in export.columns] if desk else export.columns
    order = f"{export.sort}, {'descending' if export.is_descending else 'ascending'}" if export.sort else "as usual"
    told = facts(
        ("Who", show.link(export.owner)),
        ("As", show.word(export.role)),
        ("Search", export.search),
        *((f"Filter: {name}", value) for name, value in chosen),
        ("Order", order),
        ("Columns", ", ".join(headings)),
        ("Times in", export.zone),
        ("Rows", f"{export.rows:,}" if export.rows is not None else None),
        ("Asked for", show.when(export.created_at)),
        ("Finished", show.when(export.finished_at)),
        ("Kept until", show.when(export.expires_at)),
        ("Why not", export.error),
    )
    return [fact for fact in told if fact.value is not show.NOTHING]


class CancelExport(CommandPage):
    record = Export
    path = "exports/<uuid:id>/cancel"
    title = "Cancel"
    button = "Cancel the export"
    tone = "danger"
    permission = Permission.EXPORT
    targets = (ExportStatus.CANCELED,)

    def find(self, record_id: UUID | None) -> Any:
        found = super().find(record_id)
        viewer = gate.viewer()
        return found if found and exports.may_see(found, viewer.id, viewer.role) else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        then = (
            "It is not made any further."
            if record.status in WAITING
            else "It is removed; nobody can download it any more."
        )
        return Consequences([("What", show.link(record)), ("The file", then)])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return exports.cancel_export(actor, record.id)

    def done(self, result: Any) -> Done:
        return Done("The export is canceled.", _page(result.id))


commands.add(CancelExport)
