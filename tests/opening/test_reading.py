"""What people's programs make of a table is read without doubt, or refused with the line."""

from __future__ import annotations

import pytest

from guitaronline.office.opening.reading import Line, read_lines
from guitaronline.office.opening.reports import Report
from guitaronline.office.opening.rows import BookingRow, PackageRow, read_row
from guitaronline.office.opening.sheets import template
from guitaronline.office.opening_models import Sheet

HEADING = "id,full_name,email,phone"
GOOD = {
    "plain": f"{HEADING}\nS-1,Zoë,z@people.example,1234567\n".encode(),
    "with the mark of Excel": f"{HEADING}\nS-1,Zoë,z@people.example,1234567\n".encode("utf-8-sig"),
    "semicolons": f"{HEADING}\nS-1,Zoë,z@people.example,1234567\n".replace(",", ";").encode(),
    "tabs in UTF-16, Excel's Unicode text": f"{HEADING}\nS-1,Zoë,z@people.example,1234567\n".replace(",", "\t").encode("utf-16"),
    "a line that names the separator": f"sep=;\n{HEADING}\nS-1,Zoë,z@people.example,1234567".replace(",", ";").encode(),
    "Windows' line ends and empty cells at the end": f"{HEADING},,\r\nS-1,Zoë,z@people.example,1234567,,\r\n,,,\r\n".encode(),
    "headings as people write them": b"Id,Full Name,E-MAIL,Phone\n".replace(b"E-MAIL", b"Email") + "S-1,Zoë,z@people.example,1234567\n".encode(),
    "hard spaces, and what guards against formulas": f"{HEADING}\nS-1,\u00a0Zoë ,z@people.example,'+1234567\n".encode(),
    "Windows-1252": f"{HEADING}\nS-1,Zoë,z@people.example,1234567\n".encode("cp1252"),
}  # fmt: skip
WRONG = {  # bytes → line, code
    "a workbook": (b"PK\x03\x04rest", 0, "not_csv"),
    "no text": (b"\x00\x01\x02", 0, "not_text"),
    "nothing": (b"", 0, "no_heading"),
    "a column nobody knows": (b"id,full_name,shoe\nS-1,Ann,38\n", 1, "heading_unknown"),
    "a column twice": (b"id,full_name,id\nS-1,Ann,S-1\n", 1, "heading_twice"),
    "a column too few": (b"id,email\nS-1,a@people.example\n", 1, "heading_missing"),
    "a number that a spreadsheet rewrote": (f"{HEADING}\nS-1,Ann,,\"4,91512E+11\"\n".encode(), 2, "scientific_number"),
    "accents that were broken before": (f"{HEADING}\nS-1,JÃ¼rgen,,\n".encode(), 2, "accents_broken"),
    "a separator without quotes": (f"{HEADING}\nS-1,Berg, Ann,a@people.example,1,2\n".encode(), 2, "too_many_cells"),
    "quotes that never end": (f"{HEADING}\nS-1,\"Ann,,\nS-2,Ben,,\n".encode(), 2, "quotes_broken"),
}  # fmt: skip


@pytest.mark.parametrize("data", GOOD.values(), ids=list(GOOD))
def test_a_table_is_read_however_it_was_saved(data: bytes) -> None:
    report = Report()

    lines = read_lines(Sheet.PEOPLE, data, report)

    assert report.problems == []
    assert [(each.values["id"], each.values["full_name"], each.values["phone"].lstrip("+")) for each in lines] == [
        ("S-1", "Zoë", "1234567")
    ]


def test_an_old_encoding_is_read_and_told() -> None:
    report = Report()

    read_lines(Sheet.PEOPLE, GOOD["Windows-1252"], report)

    assert [each.code for each in report.notices] == ["old_encoding"]


@pytest.mark.parametrize(("data", "line", "code"), WRONG.values(), ids=list(WRONG))
def test_what_is_in_doubt_is_refused_with_its_line(data: bytes, line: int, code: str) -> None:
    report = Report()

    read_lines(Sheet.PEOPLE, data, report)

    assert [(each.line, each.code) for each in report.problems] == [(line, code)]


def test_lines_are_counted_as_a_text_editor_does() -> None:
    data = b'id,full_name,bio\nT-1,Olga,"two\nlines"\n\nT-2,Otto,\n'

    assert [each.number for each in read_lines(Sheet.TEACHERS, data, Report())] == [2, 5]


@pytest.mark.parametrize("sheet", list(Sheet))
def test_a_template_as_it_is_brings_nothing_and_is_not_wrong(sheet: Sheet) -> None:
    report = Report()

    assert (read_lines(sheet, template(sheet), report), report.problems) == ([], [])


def package(**said: str) -> tuple[PackageRow | None, list[tuple[str, str]]]:
    values = {
        "id": "P-1",
        "student": "S-1",
        "lessons_total": "10",
        "lessons_used": "0",
        "paid": "yes",
        "currency": "EUR",
    }
    values |= dict.fromkeys(("price", "lesson_minutes", "expires_on", "plan", "trial"), "") | said
    report = Report()
    row = read_row(Line(Sheet.PACKAGES, 2, values), report)
    return row, [(each.column, each.code) for each in report.problems]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("expires_on", "03/04/2027", "day_unclear"),
        ("expires_on", "31.02.2027", "no_such_day"),
        ("price", "1.490,00", "amount_unclear"),
        ("price", "49.005", "amount_unclear"),
        ("lessons_total", "10.5", "not_a_number"),
        ("paid", "WAHR", "not_yes_or_no"),
        ("student", "", "cell_empty"),
    ],
)
def test_a_cell_that_can_be_meant_two_ways_is_refused(name: str, value: str, code: str) -> None:
    assert package(**{name: value}) == (None, [(name, code)])


def test_a_comma_may_stand_for_the_point_and_a_day_be_written_with_dots() -> None:
    row, problems = package(price="490,00", expires_on="31.12.2027", trial="TRUE")

    assert problems == []
    assert row is not None
    assert (row.price_minor, f"{row.expires_on}", row.is_trial) == (49_000, "2027-12-31", True)


def test_a_row_says_the_same_however_it_is_written() -> None:
    first, _ = package(price="490.00", expires_on="2027-12-31")
    second, _ = package(price="490,00", expires_on="31.12.2027", trial="no")
    other, _ = package(price="490.00", expires_on="2027-12-30")

    assert first is not None
    assert second is not None
    assert other is not None
    assert first.digest() == second.digest() != other.digest()


def test_a_time_is_read_on_a_clock_of_24_hours() -> None:
    values = {"id": "B-1", "student": "S-1", "teacher": "T-1", "package": "P-1", "minutes": "60"}
    report = Report()

    good = read_row(Line(Sheet.BOOKINGS, 2, {**values, "start": "30.09.2027 16:00"}), report)
    read_row(Line(Sheet.BOOKINGS, 3, {**values, "start": "2027-09-30 4 pm"}), report)

    assert isinstance(good, BookingRow)
    assert f"{good.start:%Y-%m-%d %H:%M}" == "2027-09-30 16:00"
    assert [(each.line, each.column, each.code) for each in report.problems] == [(3, "start", "time_unclear")]
