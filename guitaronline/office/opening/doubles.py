"""Before anybody is made: who of the file is in the school already, or stands in the file twice."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from guitaronline.identity.emails import email_key
from guitaronline.office.opening.places import alike, digits_of, owners_of, repeated_of
from guitaronline.office.opening.reading import Line
from guitaronline.office.opening.reports import Report
from guitaronline.office.opening.rows import PersonRow, Row, TeacherRow
from guitaronline.office.opening_models import Sheet

Found = tuple[Line, TeacherRow | PersonRow]


def look(session: Session, sheet: Sheet, rows: Sequence[tuple[Line, Row]], report: Report) -> set[int]:
    """The lines that cannot come in because somebody has their e-mail address. The same name and number is told only:
    parents and children share numbers, and some share names."""
    people: list[Found] = [
        (line, row)
        for line, row in rows
        if isinstance(row, TeacherRow | PersonRow) and not getattr(row, "existing", "")
    ]
    if not people:
        return set()
    owners = owners_of(session, [row.email for _, row in people])
    twice = repeated_of(people, lambda each: email_key(each[1].email) if each[1].email else None)
    like = alike(session, [(row.full_name, row.phone) for _, row in people])
    like_in_file = repeated_of(people, lambda each: _mark(each[1]))
    taken = set()
    for line, row in people:
        key = email_key(row.email) if row.email else None
        if key in owners:
            taken.add(line.number)
            _tell_owner(report, sheet, line, owners[key])
        elif key in twice:
            words = (
                "This e-mail address stands in another line too. One person has one line; a child may have no address."
            )
            report.note(sheet, line.number, "email", "email_twice", words)
        elif row.phone and (found := like.get((row.full_name.lower(), digits_of(row.phone)))):
            words = f"The same name and phone number as {', '.join(found[:3])}. If they are one person, write that into “existing”."
            report.note(sheet, line.number, "phone", "looks_alike", words)
        elif _mark(row) in like_in_file:
            words = "Another line of this file has the same name and phone number."
            report.note(sheet, line.number, "phone", "looks_alike", words)
    return taken


def _tell_owner(report: Report, sheet: Sheet, line: Line, reference: str) -> None:
    fix = (
        f"If they are one person, write {reference} into “existing”."
        if sheet is Sheet.PEOPLE
        else "Change their role under People, or take another address."
    )
    words = f"{reference} has this e-mail address already. {fix}"
    report.wrong(sheet, line.number, "email", "email_taken", words)


def _mark(row: TeacherRow | PersonRow) -> tuple[str, str] | None:
    digits = digits_of(row.phone)
    return (row.full_name.lower(), digits) if row.full_name and digits else None
