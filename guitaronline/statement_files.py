"""A teacher's statement as it is handed out: a sheet that console and portal show alike, and its CSV and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import flask

from guitaronline.actor import Actor
from guitaronline.db import session
from guitaronline.errors import Invalid
from guitaronline.finance import months, statements
from guitaronline.finance.months import Month
from guitaronline.finance.statement_models import StatementLine, TeacherStatement
from guitaronline.identity.models import User
from guitaronline.money import Money
from guitaronline.office import files
from guitaronline.office.files import Sheet, Value
from guitaronline.pdf import pdf_of

CSV, PDF = "csv", "pdf"
MIME = {CSV: "text/csv; charset=utf-8", PDF: "application/pdf"}
HEADINGS = ("Line", "Kind", "Day", "What", "Minutes", "Amount", "Currency")


@dataclass(frozen=True)
class StatementSheet:
    """What stands on the paper."""

    reference: str
    teacher: str
    month: str
    approved_at: datetime
    zone: str
    lines: Sequence[StatementLine]
    totals: Sequence[Money]

    def amount(self, line: StatementLine) -> str:
        return str(Money(line.amount_minor, line.currency))

    def day(self, line: StatementLine) -> str:
        return said(line.day) if line.day else ""


def said(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def sheet_of(statement: TeacherStatement) -> StatementSheet:
    teacher = session().get_one(User, statement.teacher_id)
    totals = statements.totals_of(session(), [statement.id])[statement.id]
    return StatementSheet(
        reference=statement.reference,
        teacher=teacher.full_name,
        month=Month(statement.month).words(),
        approved_at=statement.approved_at.astimezone(months.zone()),
        zone=months.zone().key,
        lines=statements.lines_of(session(), statement.id),
        totals=[Money(minor, code) for code, minor in totals.items()],
    )


def answer(actor: Actor, statement: TeacherStatement, kind: str) -> flask.Response:
    """The file, after it was written down who takes it. Raises Invalid, NotFound."""
    if kind not in MIME:
        raise Invalid("A statement is handed out as csv or pdf.")
    statements.take_out(actor, statement.id, kind=kind)
    sheet = sheet_of(statement)
    content = csv_of(sheet) if kind == CSV else pdf_of("statement_pdf.html", sheet=sheet)
    made = flask.Response(content, content_type=MIME[kind])
    name = f"{statement.reference}-{Month(statement.month).written()}.{kind}"
    made.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return made


def csv_of(sheet: StatementSheet) -> bytes:
    rows = [_row(each) for each in sheet.lines]
    return b"".join(files.csv_chunks(Sheet(sheet.reference, HEADINGS, [rows], ZoneInfo(sheet.zone))))


def _row(line: StatementLine) -> list[Value]:
    amount = Money(line.amount_minor, line.currency)
    return [line.position, line.kind.value, line.day, line.words, line.minutes, amount, line.currency]
