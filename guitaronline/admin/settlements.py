"""Imports: files of providers and banks, what is in them, what is wrong with them, and the step from one to the other."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask
from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, plain, settlement_fetches, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, Dates, Days, State, Whose, reference_is
from guitaronline.admin.record_page import SHOWN, Figure, Section, actions_of, facts, rows
from guitaronline.admin.settlement_fetches import FETCHED
from guitaronline.admin.settlement_lines import difference
from guitaronline.admin.settlement_profiles import MakeBankProfile
from guitaronline.admin.settlement_upload import KINDS, UploadFile, init_uploads
from guitaronline.admin.timeline import timeline_of
from guitaronline.billing.settlements import doubts, importing, originals, running
from guitaronline.billing.settlements.models import (
    OPEN,
    FileKind,
    FileStatus,
    SettlementFile,
    SettlementLine,
    SettlementProblem,
    SettlementStatement,
)
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User

blueprint = Blueprint("imports", __name__, url_prefix=gate.PREFIX)


def init_settlements(app: Flask) -> None:
    init_uploads(app)
    app.register_blueprint(blueprint)


@blueprint.get("/imports/<uuid:id>/progress")
@gate.needs(Permission.READ_PAYMENTS)
def progress(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    """How far the reading is, for the page that waits."""
    file = gate.view_of("desk_imports.index_view").get_one(id)
    done = running.progress_of([id]).get(id, 0)
    return {
        "words": said(file, done),
        "percent": percent(file, done),
        "status": file.status,
        "is_over": file.status not in OPEN,
    }


@blueprint.post("/imports/<uuid:id>/original")
@gate.needs(Permission.READ_MONEY_AUDIT)
def original(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    """The file exactly as it came. Written down before a byte leaves."""
    file = importing.record_download(gate.viewer().actor, id)
    app: Flask = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # the proxy has no public way

    def parts() -> Any:
        sequence = 0
        while True:
            with app.app_context():
                part = originals.part(id, sequence)
            if part is None:
                return
            yield part
            sequence += 1

    answer = flask.Response(parts(), content_type="application/octet-stream")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{file.reference}-{file.file_name}")
    answer.content_length = file.size_bytes
    return answer


def percent(file: SettlementFile, done: int) -> int:
    return min(99, done * 100 // file.size_bytes) if file.size_bytes else 0


def said(file: SettlementFile, done: int) -> str:
    """How far it is, in words."""
    if file.status not in OPEN:
        return show.word(file.status)
    verb = "read" if file.status is FileStatus.RECEIVED else "imported"
    return f"is being {verb}" if done else f"waits to be {verb}"


def bar(file: SettlementFile) -> Any:
    """While a job works on it, kept current by exports.js."""
    if file.status not in OPEN:
        return show.NOTHING if file.status is FileStatus.REFUSED else f"{file.lines_total:,}"
    done = flask.g.progress.get(file.id, 0)
    return show.html(
        '<span class="export-progress" data-progress="{}" data-status="{}"><progress max="100" value="{}" aria-label="Progress"></progress>'
        ' <span data-words role="status">{}</span></span>',
        flask.url_for("imports.progress", id=file.id),
        file.status,
        percent(file, done),
        said(file, done),
    )


def days_of(file: SettlementFile) -> Any:
    if file.first_on == file.last_on:
        return show.day(file.first_on)
    return show.html("{} – {}", show.day(file.first_on), show.day(file.last_on))


class ImportsDesk(Desk):
    model_of = SettlementFile
    path = "imports"
    title = "Imports"
    one = "Import"
    permission = Permission.READ_PAYMENTS
    intro = "Files of providers and banks, kept as they came. All of a file is imported, or nothing."
    empty = "No file yet. Upload what the provider or the bank gives you."
    search_words = "STF-… or the name of the file"
    list_template = "admin/imports.html"
    details_template = "admin/import.html"
    columns = (
        Column("reference", "Import", show.link),
        Column("file_name", "File", lambda file: file.file_name),
        Column("kind", "Kind", lambda file: KINDS[file.kind]),
        Column("account", "Account", lambda file: show.text(file.account), sort=SettlementFile.account),
        Column("status", "State", show.state),
        Column("lines_total", "Lines", bar, is_number=True),
        Column("first_on", "Days", days_of),
        Column("id", "Came", settlement_fetches.came, sort=SettlementFile.id),
        Column(
            "uploader",
            "From",
            lambda file: show.link(file.uploader) if file.uploader else FETCHED,
            is_default=False,
        ),
    )
    filters = (
        State(SettlementFile.status, FileStatus),
        Choice("kind", "Kind", list(FileKind), lambda value: SettlementFile.kind == value),
        Dates("last", "Last day", SettlementFile.last_on),
        Days("came", "Came", SettlementFile.created_at, is_past=True),
        Whose("uploader", "From", SettlementFile.uploaded_by),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "reference": plain.words(SettlementFile.reference),
        "file_name": plain.words(SettlementFile.file_name),
        "kind": plain.word(SettlementFile.kind),
        "account": plain.words(SettlementFile.account),
        "status": plain.word(SettlementFile.status),
        "lines_total": (
            *plain.number(SettlementFile.lines_total),
            *plain.number(SettlementFile.lines_new, label="New lines"),
            *plain.number(SettlementFile.lines_known, label="Known lines"),
            *plain.number(SettlementFile.lines_changed, label="Changed lines"),
        ),
        "first_on": (
            *plain.words(SettlementFile.first_on, label="First day"),
            *plain.words(SettlementFile.last_on, label="Last day"),
        ),
        "id": plain.moment(SettlementFile.created_at),
        "uploader": plain.words(plain.of(User.full_name, SettlementFile.uploaded_by)),
    }
    default_order = (SettlementFile.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(SettlementFile.uploader),)

    def search_clauses(self, words: str) -> list[Any]:
        return reference_is(SettlementFile.reference, words) or [SettlementFile.file_name == words]

    def prepare_rows(self, rows: list[Any]) -> None:
        flask.g.progress = running.progress_of([row.id for row in rows if row.status in OPEN])

    def list_extras(self) -> dict[str, Any]:
        return {
            "buttons": [button_of(commands.named(UploadFile)), button_of(commands.named(MakeBankProfile))],
            "is_waiting": any(row.status in OPEN for row in flask.g.listed.rows),
            "awaited": settlement_fetches.awaited(),
        }

    def record_page(self, file: Any) -> dict[str, Any]:
        self.prepare_rows([file])
        sections = [_problems(file), _totals(file), _statements(file), _differences(file), _lines(file)]
        return {
            "facts": _facts(file),
            "state": show.state(file),
            "figures": _figures(file),
            "progress": bar(file) if file.status in OPEN else "",
            "is_waiting": file.status in OPEN,
            "original_url": flask.url_for("imports.original", id=file.id)
            if gate.may(Permission.READ_MONEY_AUDIT)
            else "",
            "sections": [each for each in sections if each is not None],
            "actions": actions_of(buttons_of(file)),
            "timeline": timeline_of(file),
        }


def _facts(file: SettlementFile) -> list[show.Fact]:
    told = facts(
        ("File", file.file_name),
        ("Kind", KINDS[file.kind]),
        ("Profile", show.link(file.profile) if file.profile else None),
        ("Account", file.account),
        ("Days", days_of(file) if file.first_on else None),
        ("Opening balance", show.money(file.opening_minor, file.currency or "")),
        ("Closing balance", show.money(file.closing_minor, file.currency or "")),
        ("Size", f"{file.size_bytes:,} bytes"),
        ("SHA-256", file.sha256),
        ("From", show.link(file.uploader) if file.uploader else FETCHED),
        ("Came", show.when(file.created_at)),
        ("Imported", show.when(file.imported_at)),
    )
    return [fact for fact in told if fact.value is not show.NOTHING]


def _figures(file: SettlementFile) -> list[Figure]:
    if file.status not in (FileStatus.CHECKED, FileStatus.CONFIRMED, FileStatus.IMPORTED):
        return []
    if not file.lines_total:
        return [Figure("Lines in the file", "0", NOTHING_MOVED)]
    new, known = ("New", "Were there") if file.status is FileStatus.IMPORTED else ("Would be new", "Are there already")
    figures = [
        Figure("Lines in the file", f"{file.lines_total:,}"),
        Figure(new, f"{file.lines_new:,}"),
        Figure(known, f"{file.lines_known:,}", "stay as they came"),
    ]
    return (
        [*figures, Figure("Say something else", f"{file.lines_changed:,}", "than what came first")]
        if file.lines_changed
        else figures
    )


NOTHING_MOVED = "nothing moved in its time"


def _problems(file: SettlementFile) -> Section | None:
    if not file.problems_total:
        return None
    table = [[each["line"] or show.NOTHING, each["column"] or show.NOTHING, each["sentence"]] for each in file.problems]
    listed = (
        f"the first {len(table)} of {file.problems_total:,}" if file.problems_total > len(table) else f"{len(table)}"
    )
    return Section(f"What is wrong: {listed}", ("Line", "Column", "Problem"), table)


def _totals(file: SettlementFile) -> Section | None:
    if not file.totals:
        return None
    table = [
        [
            show.word(each["kind"]),
            f"{each['lines']:,}",
            *(show.money(each[f"{name}_minor"], each["currency"]) for name in ("amount", "fee", "net")),
        ]
        for each in file.totals
    ]
    return Section("Totals", ("Kind", "Lines", "Amount", "Fee", "Net"), table)


def _statements(file: SettlementFile) -> Section | None:
    """Index: uq_settlement_statements_sequence."""
    query = select(SettlementStatement).where(SettlementStatement.file_id == file.id)
    found = list(session().scalars(query.order_by(SettlementStatement.sequence).limit(SHOWN)))
    if not found:
        return None
    table = rows(
        found,
        lambda each: each.account,
        lambda each: show.day(each.last_on),
        lambda each: show.money(each.opening_minor, each.currency),
        lambda each: show.money(each.movements_minor, each.currency),
        lambda each: show.money(each.closing_minor, each.currency),
    )
    return Section("Balances, verified", ("Account", "Until", "Opening", "Movements", "Closing"), table)


def _differences(file: SettlementFile) -> Section | None:
    """Index: uq_settlement_problems_line."""
    query = (
        select(SettlementProblem)
        .where(SettlementProblem.file_id == file.id)
        .options(selectinload(SettlementProblem.line))
    )
    found = list(session().scalars(query.order_by(SettlementProblem.line_id).limit(SHOWN)))
    if not found:
        return None
    table = rows(
        found,
        lambda each: each.line_no,
        lambda each: show.link(each.line),
        difference,
    )
    return Section("Says something else than what came first", ("Line", "Movement", "Difference"), table)


def _lines(file: SettlementFile) -> Section | None:
    """Index: ix_settlement_lines_file."""
    if file.status is not FileStatus.IMPORTED:
        return None
    query = select(SettlementLine).where(SettlementLine.file_id == file.id).order_by(SettlementLine.line_no)
    table = rows(
        session().scalars(query.limit(SHOWN)),
        lambda each: each.line_no,
        show.link,
        lambda each: show.word(each.kind),
        lambda each: show.day(each.booked_on),
        lambda each: show.money(each.net_minor, each.currency),
    )
    more = flask.url_for("desk_settlement-lines.index_view", file=file.id)
    return Section("Lines that it brought", ("Line", "Movement", "Kind", "Booked", "Net"), table, "None was new.", more)


FIRST = ", the first file of it: is it written as before?"


class ConfirmFile(CommandPage):
    record = SettlementFile
    path = "imports/<uuid:id>/import"
    title = "Import"
    button = "Import all of it"
    permission = Permission.EDIT_PAYMENTS
    form = forms.MaybeReasonForm
    targets = (FileStatus.CONFIRMED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        is_first = doubts.is_first_of_its_account(session(), record)
        lines = [
            ("Account", show.html("{}{}", record.account or "each as the file says", FIRST if is_first else "")),
            (
                "New lines",
                f"{record.lines_new:,} of {record.lines_total:,}" if record.lines_total else f"none: {NOTHING_MOVED}",
            ),
            ("Are there already", f"{record.lines_known:,}; they stay as they came"),
        ]
        before = doubts.told_of_before(session(), record) if record.lines_new else []
        if before:
            told = show.joined(map(show.link, before))
            lines.append(
                (
                    "Look twice",
                    show.html("{} told of the same days in another form. What both have would be there twice.", told),
                )
            )
        if record.lines_changed:
            lines.append(("Say something else", f"{record.lines_changed:,}; each becomes a problem to look at"))
        totals = [
            (show.word(each["kind"]), f"{each['lines']:,}", show.money(each["net_minor"], each["currency"]))
            for each in record.totals
        ]
        return Consequences(lines, table=[("Kind", "Lines", "Net"), *totals] if totals else ())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return importing.confirm_file(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} will be imported.", show.record_url("settlement_files", result.id) or "")


class DiscardFile(CommandPage):
    record = SettlementFile
    path = "imports/<uuid:id>/discard"
    title = "Discard"
    button = "Do not import it"
    tone = "danger"
    permission = Permission.EDIT_PAYMENTS
    form = forms.ReasonForm
    targets = (FileStatus.DISCARDED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("Lines", "None is imported."), ("The file", "Stays here; the same file may be uploaded again.")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return importing.discard_file(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is discarded.", show.record_url("settlement_files", result.id) or "")


commands.add(ConfirmFile, DiscardFile)
