"""Files of a school that moves in, of so many rows: `python bench/opening.py FOLDER [ROWS]`, then

    time flask --app wsgi opening import FOLDER

against an empty database. A third of the rows are people, a third packages, a third bookings over the coming weeks."""

from __future__ import annotations

import csv
import sys
from datetime import date, timedelta
from pathlib import Path

TEACHERS = 40
HOURS_A_DAY = 12


def main(folder: Path, rows: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    students = (rows - TEACHERS) // 3
    bookings = rows - TEACHERS - 2 * students
    write(folder / "teachers.csv", "id full_name email timezone", (teacher(n) for n in range(TEACHERS)))
    write(folder / "people.csv", "id full_name email phone timezone", (student(n) for n in range(students)))
    write(
        folder / "packages.csv",
        "id student lessons_total lessons_used price currency paid",
        ((f"P-{n}", f"S-{n}", 20, n % 10, "980.00", "EUR", "yes") for n in range(students)),
    )
    write(
        folder / "bookings.csv",
        "id student teacher package start minutes",
        (booking(n, students) for n in range(bookings)),
    )


def teacher(n: int) -> tuple[str, ...]:
    return f"T-{n}", f"Teacher {n}", f"teacher{n}@people.example", "Europe/Berlin"


def student(n: int) -> tuple[str, ...]:
    return f"S-{n}", f"Student {n}", f"student{n}@people.example", f"+49 30 {1_000_000 + n}", "Europe/Berlin"


def booking(n: int, students: int) -> tuple[object, ...]:
    """Every teacher's hours are filled one after the other, from the day after tomorrow on."""
    day, hour = divmod(n // TEACHERS, HOURS_A_DAY)
    start = date.today() + timedelta(days=2 + day)  # noqa: DTZ011  # a day of the school, whatever the zone
    who = n % students
    return f"B-{n}", f"S-{who}", f"T-{n % TEACHERS}", f"P-{who}", f"{start} {8 + hour:02}:00", 60


def write(path: Path, heading: str, rows: object) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading.split())
        writer.writerows(rows)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
