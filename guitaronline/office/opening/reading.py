"""Bytes of a CSV file as people's programs write it, line by line. Pure: no session, no clock.

Spreadsheets do things to files without being asked: another separator, another encoding, a mark in front, numbers as
4.9E+11. What can be read without doubt is read; the rest is refused with the line, and never guessed."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from guitaronline.office.opening.reports import Report
from guitaronline.office.opening.sheets import COLUMNS, MARK, file_name
from guitaronline.office.opening_models import Sheet

SEPARATORS = ",;\t"
LONGEST_CELL = 10_000
MOST_ROWS = 20_000  # of one file
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx, .xls
UTF16 = (b"\xff\xfe", b"\xfe\xff")
SCIENTIFIC = re.compile(r"[0-9][.,][0-9]+E\+[0-9]+")
GUARDED = re.compile(r"'[=+\-@]")  # how exports keep a spreadsheet from reading a formula
BROKEN = re.compile(r"Ã[¼¶¤Ÿ©¨±³]")  # UTF-8 that was read as Windows-1252 and written again


@dataclass(frozen=True)
class Line:
    sheet: Sheet
    number: int  # of its first line in the file
    values: dict[str, str]  # by column; empty where nothing stands


def read_lines(sheet: Sheet, data: bytes, report: Report) -> list[Line]:
    """The rows of the file; what is wrong with it stands in the report."""
    text = _decoded(sheet, data, report)
    if text is None:
        return []
    first, _, rest = text.partition("\n")
    told, skipped = first.strip().lower(), 0
    if told.startswith("sep=") and len(told) == 5:
        text, skipped = rest, 1
    return _rows(sheet, text, skipped, report)


def _decoded(sheet: Sheet, data: bytes, report: Report) -> str | None:
    if data.startswith(WORKBOOKS):
        report.wrong(
            sheet, 0, "", "not_csv", "This is a workbook. Save it as “CSV UTF-8 (comma delimited)” and take that file."
        )
        return None
    encodings = ("utf-16",) if data.startswith(UTF16) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "cp1252":
            words = "The file is not UTF-8; it was read as Windows-1252. Look at the names with accents."
            report.note(sheet, 0, "", "old_encoding", words)
        if "\x00" in text:
            break
        return text.replace("\r\n", "\n").replace("\r", "\n")
    report.wrong(sheet, 0, "", "not_text", "This is no text file. Save the table as “CSV UTF-8”.")
    return None


def _rows(sheet: Sheet, text: str, skipped: int, report: Report) -> list[Line]:
    heading = text.partition("\n")[0]
    separator = max(SEPARATORS, key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found: list[Line] = []
    names: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            number, begins = begins + skipped, reader.line_num + 1
            if names is None:
                names = _heading(sheet, cells, number, report)
                if names is None:
                    return []
            elif any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith(MARK):
                if len(found) == MOST_ROWS:
                    report.wrong(
                        sheet, number, "", "too_many_rows", f"At most {MOST_ROWS:,} rows stand in one file. Split it."
                    )
                    return found
                found += _line(sheet, names, cells, number, report)
    except csv.Error:
        words = "From here on the quotes do not match: a text in quotes ends where it should not, or never."
        report.wrong(sheet, begins + skipped, "", "quotes_broken", words)
    if names is None:
        report.wrong(sheet, 0, "", "no_heading", "The file is empty. Its first line names the columns.")
    return found


def _heading(sheet: Sheet, cells: list[str], number: int, report: Report) -> list[str] | None:
    """The names of the columns in their order; None when something is wrong with them."""
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    known = [column.name for column in COLUMNS[sheet]]
    missing = [column.name for column in COLUMNS[sheet] if column.is_required and column.name not in names]
    wrong = [
        *((each, "heading_unknown", f"There is no column “{each[:40]}” in {file_name(sheet)}; known are {', '.join(known)}.") for each in names if each not in known),
        *((each, "heading_twice", f"The column “{each}” stands there twice.") for each in sorted(set(names)) if names.count(each) > 1 and each in known),
        *((each, "heading_missing", f"The column “{each}” is missing.") for each in missing),
    ]  # fmt: skip
    for column, code, words in wrong:
        report.wrong(sheet, number, column[:40], code, words)
    return None if wrong else names


def _line(sheet: Sheet, names: list[str], cells: list[str], number: int, report: Report) -> list[Line]:
    if any(cell.strip() for cell in cells[len(names) :]):
        words = "This line has more cells than the heading. A text with the separator in it stands in quotes."
        report.wrong(sheet, number, "", "too_many_cells", words)
        return []
    values = {column.name: "" for column in COLUMNS[sheet]}
    values.update({name: _tidy(cell) for name, cell in zip(names, cells, strict=False)})
    is_fine = True
    for name, value in values.items():
        if len(value) > LONGEST_CELL:
            report.wrong(sheet, number, name, "cell_too_long", f"At most {LONGEST_CELL:,} characters stand in a cell.")
            is_fine = False
        elif SCIENTIFIC.fullmatch(value):
            words = f"A spreadsheet has made {value} of a number. Format the column as text and write it again."
            report.wrong(sheet, number, name, "scientific_number", words)
            is_fine = False
        elif BROKEN.search(value):
            words = (
                "The accents in it are broken: the file was saved in the wrong encoding once. Export it again as UTF-8."
            )
            report.wrong(sheet, number, name, "accents_broken", words)
            is_fine = False
    return [Line(sheet, number, values)] if is_fine else []


def _tidy(cell: str) -> str:
    """Without spaces around it, hard ones too, and without the mark that guards against formulas."""
    kept = cell.replace("\u00a0", " ").replace("\ufeff", "").strip()
    return kept[1:] if GUARDED.match(kept) else kept
