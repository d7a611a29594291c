"""Rows of plain values as a file: CSV by RFC 4180, and XLSX. Both in bounded memory, both safe to open.

CSV is UTF-8 with a byte order mark: without it spreadsheets read names with accents wrongly. Text that a spreadsheet would
take for a formula gets a ' in front; numbers and amounts stay as they are. In XLSX text is text whatever it begins with.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from guitaronline import money
from guitaronline.money import Money
from guitaronline.office.export_models import ExportFormat

Value = str | int | Decimal | Money | datetime | date | None
Rows = Iterable[Sequence[Value]]
FORMULA_SIGNS = frozenset("=+-@\t\r\n＝＋－＠")  # wide ones: Excel in Japan
BOM = b"\xef\xbb\xbf"
CHUNK_BYTES = 65_536
LONGEST_CELL = 32_767  # characters; XLSX allows no more
MIME = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ExportFormat.ZIP: "application/zip",
}


@dataclass(frozen=True)
class Sheet:
    """What a file will hold; `batches` are read as it is written."""

    title: str
    headings: Sequence[str]
    batches: Iterable[Rows]
    zone: ZoneInfo


def chunks(kind: ExportFormat, sheet: Sheet) -> Iterator[bytes]:
    """The file, piece by piece."""
    return {ExportFormat.CSV: csv_chunks, ExportFormat.XLSX: xlsx_chunks}[kind](sheet)


def csv_chunks(sheet: Sheet) -> Iterator[bytes]:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    said = _said(sheet.zone)
    writer.writerow(sheet.headings)
    yield BOM + _taken(written)
    for batch in sheet.batches:
        writer.writerows(
            [safe(value) if type(value) is str else said[type(value)](value) for value in row] for row in batch
        )
        yield _taken(written)


def _taken(written: io.StringIO) -> bytes:
    found = written.getvalue().encode()
    written.seek(0)
    written.truncate()
    return found


def safe(words: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{words}" if words[:1] in FORMULA_SIGNS else words


def _said(zone: ZoneInfo) -> dict[type, Callable[[Any], Any]]:
    """How a value of each type stands in CSV. By exact type: a type that nobody thought of is a mistake of ours."""
    return {
        type(None): lambda _: "",
        str: safe,
        int: str,
        Decimal: str,
        Money: lambda value: money.decimal_string(value.amount_minor, value.currency),
        datetime: lambda value: moment(value, zone),
        date: date.isoformat,
    }


def moment(value: datetime, zone: ZoneInfo) -> str:
    """ISO 8601 with the offset that held there then."""
    return value.astimezone(zone).isoformat(timespec="seconds")


def xlsx_chunks(sheet: Sheet) -> Iterator[bytes]:
    """Written row by row to the disk: the container is closed by its table of contents, so nothing can leave before."""
    with TemporaryDirectory(prefix="export-") as folder:
        path = Path(folder) / "sheet.xlsx"
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": folder})
        _write(book, sheet)
        book.close()
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _write(book: Any, sheet: Sheet) -> None:
    page = book.add_worksheet(sheet.title[:31])
    page.freeze_panes(1, 0)
    page.set_column(0, max(len(sheet.headings) - 1, 0), 22)
    bold = book.add_format({"bold": True})
    for column, heading in enumerate(sheet.headings):
        page.write_string(0, column, heading, bold)
    put = _putters(book, page, sheet.zone)
    number = 0
    for batch in sheet.batches:
        for row in batch:
            number += 1
            for column, value in enumerate(row):
                put[type(value)](number, column, value)


def _putters(book: Any, page: Any, zone: ZoneInfo) -> dict[type, Callable[[int, int, Any], Any]]:
    """How a value of each type is written into a cell. Amounts are numbers, so that they can be summed."""
    shapes = {places: book.add_format({"num_format": f"0.{'0' * places}" if places else "0"}) for places in (0, 2, 3)}

    def text(row: int, column: int, value: str) -> None:
        page.write_string(row, column, value[:LONGEST_CELL])

    def amount(row: int, column: int, value: Money) -> None:
        shown = Decimal(money.decimal_string(value.amount_minor, value.currency))
        page.write_number(row, column, shown, shapes[money.places(value.currency)])

    return {
        type(None): lambda row, column, value: None,
        str: text,
        int: page.write_number,
        Decimal: page.write_number,
        Money: amount,
        datetime: lambda row, column, value: text(row, column, moment(value, zone)),
        date: lambda row, column, value: text(row, column, value.isoformat()),
    }
