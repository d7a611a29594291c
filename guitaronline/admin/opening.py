"""Moving in: files are checked, looked at line by line, and brought in as a whole."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import selectinload
from wtforms import FileField

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Days, State, reference_is
from guitaronline.admin.plain import moment, number, of, word, words
from guitaronline.admin.record_page import Page, Section, facts, whole
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.money import Money
from guitaronline.office.opening import importing
from guitaronline.office.opening.refusals import OpeningTooLarge
from guitaronline.office.opening.sheets import file_name, template
from guitaronline.office.opening_models import OpeningImport, OpeningStatus, Sheet

MOST_LINES = 1000  # of all files together: about as long as somebody waits for a page
SHOWN = 200  # findings on the page
WORDS = {  # of one, of several
    Sheet.TEACHERS: ("teacher", "teachers"),
    Sheet.PEOPLE: ("person", "people"),
    Sheet.GUARDIANS: ("guardian", "guardians"),
    Sheet.PACKAGES: ("package", "packages"),
    Sheet.BOOKINGS: ("booking", "bookings"),
}
blueprint = Blueprint("opening", __name__, url_prefix=gate.PREFIX)


@blueprint.get("/opening/template/<sheet>.csv")
@gate.needs(Permission.ADMINISTER)
def template_file(sheet: str) -> ResponseReturnValue:
    """The empty file: its heading, and an example that is passed over."""
    if sheet not in set(Sheet):
        raise NotFound("There is no such file.")
    answer = flask.Response(template(Sheet(sheet)), content_type="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=file_name(Sheet(sheet)))
    return answer


def counted(found: OpeningImport, kind: str) -> str:
    """`3 teachers, 120 people`"""
    counts = found.report.get(kind, {})
    told = [f"{counts[sheet]:,} {WORDS[sheet][counts[sheet] != 1]}" for sheet in Sheet if counts.get(sheet)]
    return ", ".join(told) or "nothing"


def outcome(found: OpeningImport) -> Any:
    if found.problems_total:
        return show.html("{} to correct", f"{found.problems_total:,}")
    return "fine"


class OpeningDesk(Desk):
    model_of = OpeningImport
    path = "opening"
    title = "Moving in"
    one = "Opening import"
    permission = Permission.ADMINISTER
    intro = "People with guardians, teachers, packages with the lessons used, and future bookings come from CSV files: all of them, or nothing."
    empty = "No file was checked yet. Take the templates, fill them in, and check them: nothing comes in by that."
    search_words = "OPN-…"
    list_template = "admin/opening.html"
    columns = (
        Column("reference", "Import", show.link),
        Column("status", "State", show.state),
        Column("problems_total", "Check", outcome),
        Column("rows_new", "New rows", lambda each: f"{each.rows_new:,}", is_number=True),
        Column("id", "Checked", lambda each: show.stamp(each.created_at), sort=OpeningImport.id),
        Column("imported_at", "Imported", lambda each: show.stamp(each.imported_at)),
        Column("maker", "By", lambda each: show.link(each.maker) if each.maker else "command line"),
    )
    filters = (
        State(OpeningImport.status, OpeningStatus),
        Days("checked", "Checked", OpeningImport.created_at, is_past=True),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "reference": words(OpeningImport.reference),
        "status": word(OpeningImport.status),
        "problems_total": number(OpeningImport.problems_total, label="To correct"),
        "rows_new": number(OpeningImport.rows_new),
        "id": moment(OpeningImport.created_at),
        "imported_at": moment(OpeningImport.imported_at),
        "maker": words(of(User.full_name, OpeningImport.made_by)),
    }
    default_order = (OpeningImport.id, True)
    load = (selectinload(OpeningImport.maker),)
    row_actions = staticmethod(buttons_of)

    def search_clauses(self, words: str) -> list[Any]:
        return reference_is(OpeningImport.reference, words) or [OpeningImport.reference == words]

    def list_extras(self) -> dict[str, Any]:
        files = [(file_name(sheet), flask.url_for("opening.template_file", sheet=sheet.value)) for sheet in Sheet]
        return {"buttons": [button_of(commands.named(CheckFiles))], "templates": files}

    def record_page(self, found: Any) -> dict[str, Any]:
        report = found.report
        page = Page(
            facts(
                ("New", counted(found, "new")),
                ("As they came in before", counted(found, "same")),
                *_money(found),
                ("Checked", show.when(found.created_at)),
                ("Imported", show.when(found.imported_at)),
                ("By", show.link(found.maker) if found.maker else "command line"),
            ),
            state=show.state(found),
            sections=[
                _findings("What is wrong", report.get("problems", []), found.problems_total, "Nothing."),
                _findings("To be looked at", report.get("notices", []), report.get("notices_total", 0), "Nothing."),
            ],
        )
        return whole(found, page)


def _money(found: OpeningImport) -> list[tuple[str, Any]]:
    sold, used = (found.report.get(kind, {}) for kind in ("sold_minor", "used_minor"))
    return [
        (
            f"Packages in {currency}",
            f"sold for {Money(amount, currency)}, of which {Money(used.get(currency, 0), currency)} was used before",
        )
        for currency, amount in sorted(sold.items())
    ]


def _findings(title: str, told: list[dict[str, Any]], total: int, empty: str) -> Section:
    rows = [
        [each["file"], str(each["line"] or ""), each["column"] or show.NOTHING, each["words"]] for each in told[:SHOWN]
    ]
    more = f" ({len(rows):,} of {total:,} shown)" if total > len(rows) else ""
    return Section(f"{title}{more}", ("File", "Line", "Column", "What"), rows, empty)


class CheckForm(forms.CommandForm):
    teachers = FileField(file_name(Sheet.TEACHERS))
    people = FileField(file_name(Sheet.PEOPLE))
    guardians = FileField(file_name(Sheet.GUARDIANS))
    packages = FileField(file_name(Sheet.PACKAGES))
    bookings = FileField(file_name(Sheet.BOOKINGS))
    reason = forms.reason(required=False)


class CheckFiles(CommandPage):
    path = "opening/check"
    title = "Check files"
    parent = "desk_opening.index_view"
    button = "Check, bring nothing in"
    permission = Permission.ADMINISTER
    form = CheckForm
    template = "admin/upload.html"
    lead = "Everything is tried out and taken back. You see what would come in, and what is wrong with which line."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Then", "The files are kept until you import or discard them, for a month at most."),
                ("Size", f"Up to 1 MB and {MOST_LINES:,} lines here. More: flask opening check, on the command line."),
                ("Messages", "Nobody is told anything, neither by the check nor by the import."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        files = {sheet: data for sheet in Sheet if (data := _bytes_of(form[sheet.value]))}
        if sum(data.count(b"\n") for data in files.values()) > MOST_LINES + len(files):
            raise OpeningTooLarge(limit=MOST_LINES)
        return importing.check_files(actor, files=files, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        said = "Nothing is wrong" if result.problems_total == 0 else f"{result.problems_total:,} to correct"
        return Done(f"{result.reference} is checked: {said}.", show.record_url("opening_imports", result.id) or "")


def _bytes_of(field: Any) -> bytes:
    """Of the file that was chosen; empty where none was."""
    found = field.data
    return bytes(found.stream.read()) if found and getattr(found, "filename", "") else b""


class _OfOpening(CommandPage):
    record = OpeningImport
    permission = Permission.ADMINISTER
    form = forms.MaybeReasonForm

    def done(self, result: Any) -> Done:
        words = f"{result.reference} is {show.word(result.status)}."
        return Done(words, show.record_url("opening_imports", result.id) or "")


class ImportFiles(_OfOpening):
    path = "opening/<uuid:id>/import"
    title = "Import"
    button = "Bring everything in"
    targets = (OpeningStatus.IMPORTED,)
    needs_step_up = True

    def refused_because(self, record: Any) -> str | None:
        if record.problems_total and record.status is OpeningStatus.CHECKED:
            return "There is something to correct. Check the corrected files again."
        return super().refused_because(record)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Comes in", counted(record, "new")),
                ("Stays as it is", counted(record, "same")),
                *_money(record),
                ("All or nothing", "Where a line is refused now, nothing comes in."),
                ("Messages", "Nobody is told. Invite people under People when they may sign in."),
                ("Back", "There is no undo: keep a backup of the moment before."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return importing.import_files(actor, record.id, reason=form.reason.data)


class DiscardFiles(_OfOpening):
    path = "opening/<uuid:id>/discard"
    title = "Discard"
    tone = "danger"
    targets = (OpeningStatus.DISCARDED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Files", "They are deleted. What the check said stays.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return importing.discard_files(actor, record.id, reason=form.reason.data)


commands.add(CheckFiles, ImportFiles, DiscardFiles)
