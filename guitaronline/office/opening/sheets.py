"""The columns of each file: their names, what belongs there, and an example. Templates and reading both ask here."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from guitaronline.office.opening_models import Sheet

MARK = "#"  # a line whose first cell begins like this is passed over


@dataclass(frozen=True)
class Column:
    name: str
    meaning: str
    example: str = ""
    is_required: bool = False


ID = Column("id", "What you call this row: anything that is yours alone and stays the same.", "", is_required=True)
CONTACTS = (
    Column("full_name", "Name", "Mia Berg", is_required=True),
    Column("email", "E-mail address; a child may have none.", "mia@people.example"),
    Column("phone", "With the country's number in front.", "+49 30 1234567"),
    Column("timezone", "Such as Europe/Berlin; empty: the school's.", "Europe/Berlin"),
    Column("language", "Such as en or de-AT.", "de"),
)

COLUMNS: dict[Sheet, tuple[Column, ...]] = {
    Sheet.TEACHERS: (
        ID,
        *CONTACTS,
        Column("display_name", "As students see it; empty: the name.", "Mia"),
        Column("bio", "A few sentences for students.", "Plays since 1990."),
        Column("experience_years", "A whole number.", "12"),
        Column("tags", "Separated by |", "jazz|blues"),
        Column("meeting_url", "Where lessons take place, https://…", "https://meet.example/mia"),
    ),
    Sheet.PEOPLE: (
        ID,
        *CONTACTS,
        Column("instrument", "", "electric guitar"),
        Column("level", "", "beginner"),
        Column("existing", "USR-… of somebody who is in the school already; nobody new is made.", ""),
    ),
    Sheet.GUARDIANS: (
        Column("student", "The id of the child in people.csv.", "S-1", is_required=True),
        Column("guardian", "The id of the adult in people.csv.", "S-2", is_required=True),
        Column("relation", "Empty: parent.", "mother"),
        Column("pays", "yes or no; empty: yes.", "yes"),
        Column("receives_messages", "yes or no; empty: yes.", "yes"),
    ),
    Sheet.PACKAGES: (
        ID,
        Column("student", "The id of the student in people.csv.", "S-1", is_required=True),
        Column("lessons_total", "How many lessons the package had when it was sold.", "10", is_required=True),
        Column("lessons_used", "How many of them were taken (or lost) until now.", "3", is_required=True),
        Column("price", "Of the whole package, such as 490.00; empty: 0.", "490.00"),
        Column("currency", "Such as EUR.", "EUR"),
        Column("paid", "yes or no; no: it stands among what is to be paid.", "yes", is_required=True),
        Column("lesson_minutes", "Empty: lessons of any length.", "60"),
        Column("expires_on", "The last day, such as 2026-12-31; empty: never.", "2026-12-31"),
        Column("plan", "The name of the plan as it stands under Plans; empty: none.", ""),
        Column("trial", "yes or no; empty: no.", "no"),
    ),
    Sheet.BOOKINGS: (
        ID,
        Column("student", "The id of the student in people.csv.", "S-1", is_required=True),
        Column("teacher", "The id of the teacher in teachers.csv.", "T-1", is_required=True),
        Column("package", "The id of the package in packages.csv.", "P-1", is_required=True),
        Column("start", "Day and time on the teacher's clock: 2026-09-30 16:00.", "2026-09-30 16:00", is_required=True),
        Column("minutes", "", "60", is_required=True),
    ),
}
EXAMPLES = {Sheet.TEACHERS: "T-1", Sheet.PEOPLE: "S-1", Sheet.PACKAGES: "P-1", Sheet.BOOKINGS: "B-1"}


def file_name(sheet: Sheet) -> str:
    return f"{sheet.value}.csv"


def template(sheet: Sheet) -> bytes:
    """The heading and an example that is passed over; with the mark by which Excel knows that it is UTF-8."""
    written = io.StringIO()
    writer = csv.writer(written)
    columns = COLUMNS[sheet]
    writer.writerow([column.name for column in columns])
    examples = [EXAMPLES.get(sheet, "") if column is ID else column.example for column in columns]
    writer.writerow([f"{MARK} {examples[0]}", *examples[1:]])
    return written.getvalue().encode("utf-8-sig")
