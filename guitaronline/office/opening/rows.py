"""What a line says, in types: or everything that is wrong with it. Pure: no session, no clock."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from datetime import date, datetime, time

from guitaronline import money
from guitaronline.office.opening.reading import Line
from guitaronline.office.opening.reports import Report
from guitaronline.office.opening.sheets import COLUMNS
from guitaronline.office.opening_models import Sheet

LONGEST_ID = 100
YES, NO = {"yes", "y", "true", "1"}, {"no", "n", "false", "0"}
ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
DOTTED_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::00)?", re.ASCII)
WHOLE = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True)
class Row:
    id: str

    def digest(self) -> bytes:
        """Of what it says; the same however the file is written."""
        return hashlib.sha256(repr(sorted(asdict(self).items())).encode()).digest()


@dataclass(frozen=True)
class TeacherRow(Row):
    full_name: str
    email: str
    phone: str
    timezone: str
    language: str
    display_name: str
    bio: str
    experience_years: int
    tags: tuple[str, ...]
    meeting_url: str


@dataclass(frozen=True)
class PersonRow(Row):
    full_name: str
    email: str
    phone: str
    timezone: str
    language: str
    instrument: str
    level: str
    existing: str


@dataclass(frozen=True)
class GuardianRow(Row):
    student: str
    guardian: str
    relation: str
    pays: bool
    receives_messages: bool


@dataclass(frozen=True)
class PackageRow(Row):
    student: str
    lessons_total: int
    lessons_used: int
    price_minor: int
    currency: str
    is_paid: bool
    lesson_minutes: int | None
    expires_on: date | None
    plan: str
    is_trial: bool


@dataclass(frozen=True)
class BookingRow(Row):
    student: str
    teacher: str
    package: str
    start: datetime  # on the teacher's clock, without a zone
    minutes: int


class Cells:
    """The cells of one line, each read as what it should be; what is wrong is told, and stands as nothing."""

    def __init__(self, line: Line, report: Report) -> None:
        self.line, self.report, self.is_fine = line, report, True
        for column in COLUMNS[line.sheet]:
            if column.is_required and not line.values[column.name]:
                self.wrong(column.name, "cell_empty", f"{column.name} is needed.")

    def wrong(self, name: str, code: str, words: str) -> None:
        self.is_fine = False
        self.report.wrong(self.line.sheet, self.line.number, name, code, words)

    def text(self, name: str) -> str:
        return self.line.values[name]

    def key(self, name: str) -> str:
        value = self.text(name)
        if len(value) > LONGEST_ID or not value.isprintable():
            self.wrong(name, "id_invalid", f"An id has at most {LONGEST_ID} characters that can be seen.")
        return value

    def whole(self, name: str) -> int | None:
        value = self.text(name)
        if not value:
            return None
        if not WHOLE.fullmatch(value):
            self.wrong(name, "not_a_number", f"“{value[:20]}” is no whole number.")
            return None
        return int(value)

    def yes(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if value and value not in YES | NO:
            self.wrong(name, "not_yes_or_no", f"Write yes or no, not “{value[:20]}”.")
        return value in YES if value else default

    def day(self, name: str) -> date | None:
        value = self.text(name)
        return self._day(name, value) if value else None

    def _day(self, name: str, value: str) -> date | None:
        iso, dotted = ISO_DAY.fullmatch(value), DOTTED_DAY.fullmatch(value)
        if not iso and not dotted:
            words = f"Write the day as 2026-04-03, not “{value[:20]}”: with slashes nobody knows which is the month."
            self.wrong(name, "day_unclear", words)
            return None
        year, month, day = map(int, iso.groups() if iso else reversed(dotted.groups()))  # type: ignore[union-attr]
        try:
            return date(year, month, day)
        except ValueError:
            self.wrong(name, "no_such_day", f"There is no day {value}.")
            return None

    def moment(self, name: str) -> datetime | None:
        value = self.text(name)
        if not value:
            return None
        written, _, clock = value.replace("T", " ").partition(" ")
        day, found = self._day(name, written), CLOCK.fullmatch(clock.strip())
        hour, minute = (int(found[1]), int(found[2])) if found else (99, 0)
        if hour > 23 or minute > 59:
            self.wrong(name, "time_unclear", "Write the time behind the day as 16:00, on a clock of 24 hours.")
            return None
        return datetime.combine(day, time(hour, minute)) if day else None

    def amount(self, name: str, currency: str) -> int:
        """In minor units. One comma may stand for the point, as in much of Europe; groups of thousands are refused."""
        value = self.text(name)
        if not value:
            return 0
        plain = value.replace(",", ".") if value.count(",") == 1 and "." not in value else value
        try:
            return money.parse_minor(plain, currency)
        except ValueError:
            self.wrong(name, "amount_unclear", f"Write the amount as 1490.00, not “{value[:20]}”.")
            return 0


def read_row(line: Line, report: Report) -> Row | None:
    """The line as what it is; None when something is wrong with it."""
    cells = Cells(line, report)
    row = READERS[line.sheet](cells)
    return row if cells.is_fine else None


def _teacher(cells: Cells) -> Row:
    text = cells.text
    return TeacherRow(
        id=cells.key("id"),
        full_name=text("full_name"),
        email=text("email"),
        phone=text("phone"),
        timezone=text("timezone"),
        language=text("language"),
        display_name=text("display_name"),
        bio=text("bio"),
        experience_years=cells.whole("experience_years") or 0,
        tags=tuple(sorted({each.strip() for each in text("tags").split("|")} - {""})),
        meeting_url=text("meeting_url"),
    )


def _person(cells: Cells) -> Row:
    names = ("full_name", "email", "phone", "timezone", "language", "instrument", "level")
    return PersonRow(
        id=cells.key("id"), **{name: cells.text(name) for name in names}, existing=cells.text("existing").upper()
    )


def _guardian(cells: Cells) -> Row:
    student, guardian = cells.key("student"), cells.key("guardian")
    return GuardianRow(
        id=f"{student} / {guardian}",
        student=student,
        guardian=guardian,
        relation=cells.text("relation") or "parent",
        pays=cells.yes("pays", default=True),
        receives_messages=cells.yes("receives_messages", default=True),
    )


def _package(cells: Cells) -> Row:
    currency = cells.text("currency").upper()
    if cells.text("price") and not currency:
        cells.wrong("currency", "currency_missing", "Say in which currency the price is.")
    return PackageRow(
        id=cells.key("id"),
        student=cells.key("student"),
        lessons_total=cells.whole("lessons_total") or 0,
        lessons_used=cells.whole("lessons_used") or 0,
        price_minor=cells.amount("price", currency),
        currency=currency or "USD",
        is_paid=cells.yes("paid", default=True),
        lesson_minutes=cells.whole("lesson_minutes"),
        expires_on=cells.day("expires_on"),
        plan=cells.text("plan"),
        is_trial=cells.yes("trial", default=False),
    )


def _booking(cells: Cells) -> Row:
    return BookingRow(
        id=cells.key("id"),
        student=cells.key("student"),
        teacher=cells.key("teacher"),
        package=cells.key("package"),
        start=cells.moment("start") or datetime.min,  # noqa: DTZ901  # told already, and never used
        minutes=cells.whole("minutes") or 0,
    )


READERS = {
    Sheet.TEACHERS: _teacher,
    Sheet.PEOPLE: _person,
    Sheet.GUARDIANS: _guardian,
    Sheet.PACKAGES: _package,
    Sheet.BOOKINGS: _booking,
}
