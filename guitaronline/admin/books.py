"""Files of the books: written down before a byte leaves, as every export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

import flask
from flask import Blueprint

from guitaronline.admin import gate
from guitaronline.errors import Invalid
from guitaronline.finance import months
from guitaronline.finance.months import Month
from guitaronline.identity.access import Permission
from guitaronline.office import exports, files
from guitaronline.office.export_models import ExportFormat
from guitaronline.office.exports import Wanted
from guitaronline.office.files import Sheet, Value

MONTHS_OFFERED = 25

blueprint = Blueprint("books", __name__, url_prefix=gate.PREFIX)


def asked_month(given: str | None, default: Month) -> Month:
    """The month in an address; the default, with a word of warning, for what means nothing."""
    if not given:
        return default
    try:
        return months.read(given)
    except ValueError as why:
        flask.flash(f"This month cannot be shown: {why}. Here is {default.words()}.", "warning")
        return default


def posted_month() -> Month:
    """Raises Invalid."""
    try:
        return months.read(flask.request.form.get("month", ""))
    except ValueError as why:
        raise Invalid(f"{str(why).capitalize()}.") from None


def months_offered() -> list[Month]:
    """For pages that show one month after another, the newest first."""
    return months.back_from(gate.now(), MONTHS_OFFERED)


def csv_answer(
    name: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Value]],
    *,
    needs: Permission,
    filters: Mapping[str, str],
) -> flask.Response:
    """The rows as a file; who took it stands among the exports and in the audit."""
    wanted = Wanted(
        desk=name, needs=needs, columns=list(headings), format=ExportFormat.CSV, zone=months.zone().key, filters=filters
    )
    exports.record_export(gate.viewer().actor, wanted=wanted, rows=len(rows))
    return file_answer(
        "-".join([name, *filters.values()]), csv_of(name, headings, [rows]), files.MIME[ExportFormat.CSV]
    )


def csv_of(title: str, headings: Sequence[str], batches: Iterable[files.Rows]) -> bytes:
    return b"".join(files.csv_chunks(Sheet(title, headings, batches, ZoneInfo("UTC"))))


def file_answer(name: str, content: bytes, kind: str) -> flask.Response:
    answer = flask.Response(content, content_type=kind)
    ending = "pdf" if kind == "application/pdf" else "csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    return answer
