"""What stands in a file, byte by byte."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from guitaronline.money import Money
from guitaronline.office import files
from guitaronline.office.export_models import ExportFormat
from guitaronline.office.export_runs import in_parts
from guitaronline.office.files import Sheet, chunks

BERLIN = ZoneInfo("Europe/Berlin")
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=",
    "＝1+1",
    '=HYPERLINK("http://x.example";"click")',
]
HARMLESS = ["", "Ann", "1+1", " =1+1", "'=1", "a=b", "ann@people.example", "…", "−1"]
NUMBERS = [
    (-1, "-1"),
    (0, "0"),
    (Decimal("-0.5"), "-0.5"),
    (Money(-4900, "USD"), "-49.00"),
    (Money(4900, "JPY"), "4900"),
    (Money(1, "KWD"), "0.001"),
]


def file(kind: str, *rows: Any, headings: tuple[str, ...] = ("A",)) -> bytes:
    return b"".join(chunks(ExportFormat(kind), Sheet("Things", headings, [rows], BERLIN)))


def csv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))[1:]


def xlsx_cells(content: bytes) -> list[list[Any]]:
    page = load_workbook(io.BytesIO(content)).active
    assert page is not None
    return [[(cell.value, cell.data_type) for cell in row] for row in page.iter_rows(min_row=2)]


@pytest.mark.parametrize("words", FORMULAS)
def test_text_that_looks_like_a_formula_is_made_safe_in_csv(words: str) -> None:
    assert csv_rows(file("csv", [words])) == [["'" + words]]


@pytest.mark.parametrize("words", HARMLESS)
def test_other_text_stays_as_it_is(words: str) -> None:
    assert csv_rows(file("csv", [words, "end"])) == [[words, "end"]]


@pytest.mark.parametrize(("value", "written"), NUMBERS, ids=[written for _, written in NUMBERS])
def test_numbers_and_amounts_are_numbers(value: Any, written: str) -> None:
    assert csv_rows(file("csv", [value])) == [[written]]
    [[(number, kind)]] = xlsx_cells(file("xlsx", [value]))
    assert (Decimal(str(number)), kind) == (Decimal(written), "n")


@pytest.mark.parametrize("words", FORMULAS)
def test_text_stays_text_in_xlsx(words: str) -> None:
    [[(value, kind)]] = xlsx_cells(file("xlsx", [words]))

    assert kind in ("s", "inlineStr")
    assert value.replace("_x000D_", "\r") == words


def test_csv_begins_with_a_mark_and_ends_lines_as_the_rfc_says() -> None:
    content = file("csv", ['say "hi"', "a,b"], ["two\nlines", None], headings=("Wörds", "More"))

    assert content == '\ufeffWörds,More\r\n"say ""hi""","a,b"\r\n"two\nlines",\r\n'.encode()


def test_times_have_the_offset_that_held_then() -> None:
    summer, winter = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

    rows = csv_rows(file("csv", [summer, winter, date(2026, 1, 2)]))

    assert rows == [["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-01-02"]]
    assert [value for value, _ in xlsx_cells(file("xlsx", [summer]))[0]] == ["2026-10-25T02:30:00+02:00"]


def test_a_list_of_nothing_is_a_file_with_headings() -> None:
    assert file("csv", headings=("A", "B")) == b"\xef\xbb\xbfA,B\r\n"
    assert xlsx_cells(file("xlsx")) == []


def test_a_cell_longer_than_xlsx_allows_is_cut() -> None:
    [[(value, _)]] = xlsx_cells(file("xlsx", ["x" * 40_000]))

    assert len(value) == files.LONGEST_CELL


def test_a_value_of_a_kind_that_nobody_thought_of_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        file("csv", [1.5])


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_needs_the_memory_of_a_batch_not_of_all_rows(kind: str) -> None:
    def batches() -> Iterator[list[list[str]]]:
        for number in range(200):
            yield [[f"{number} {row} " + "x" * 200] for row in range(100)]

    sheet = Sheet("Things", ["A"], batches(), BERLIN)
    next(iter(chunks(ExportFormat(kind), Sheet("Warm", ["A"], [], BERLIN))))  # what is imported once is not counted
    tracemalloc.start()

    size = sum(len(chunk) for chunk in chunks(ExportFormat(kind), sheet))

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 100_000
    assert most < 1_000_000  # the rows are 4 MB


def test_parts_are_the_same_bytes() -> None:
    parts = list(in_parts(iter([b"ab", b"c", b"defg", b"h"]), 3))

    assert parts == [b"abc", b"defg", b"h"]
