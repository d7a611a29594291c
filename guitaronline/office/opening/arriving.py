"""The rows of all files come in, in the order of the sheets, by the steps that make such records every day.

Trying them out and bringing them in is the same code in the same order. Tried out, each row stands in a savepoint of its own,
so that one refusal does not hide the next; the caller takes everything back. Brought in, the first refusal ends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from guitaronline.billing.models import Package
from guitaronline.db import Base
from guitaronline.errors import DomainError, Reason
from guitaronline.identity.models import User
from guitaronline.office.opening import bringing, doubles
from guitaronline.office.opening.places import Known, Plans, known_rows
from guitaronline.office.opening.reading import Line, read_lines
from guitaronline.office.opening.refusals import OpeningRefused
from guitaronline.office.opening.reports import Report
from guitaronline.office.opening.rows import Row, read_row
from guitaronline.office.opening.sheets import file_name
from guitaronline.office.opening_models import OpeningRow, Sheet
from guitaronline.unit_of_work import Work

NAMED = {  # column → the sheet whose row it names
    Sheet.GUARDIANS: {"student": Sheet.PEOPLE, "guardian": Sheet.PEOPLE},
    Sheet.PACKAGES: {"student": Sheet.PEOPLE},
    Sheet.BOOKINGS: {"student": Sheet.PEOPLE, "teacher": Sheet.TEACHERS, "package": Sheet.PACKAGES},
}


@dataclass(frozen=True)
class Read:
    line: Line
    row: Row


def arrive(work: Work, files: Mapping[Sheet, bytes], *, import_id: UUID | None) -> Report:
    """Everything that can come in is there; the report says what, and what is wrong. `import_id` None: it is tried out.

    Locks the people who are named and were there before, then their packages. Raises OpeningRefused when it is brought in
    and a row is refused."""
    report = Report()
    read = {sheet: _read(sheet, files[sheet], report) for sheet in Sheet if sheet in files}
    if report.problems_total and import_id is not None:
        raise _refusal(report)
    Arrival(work, report, import_id, known_rows(work.session, _ids_in(read))).run(read)
    return report


def _read(sheet: Sheet, data: bytes, report: Report) -> list[Read]:
    """The rows that can be understood, each id once."""
    found: dict[str, Read] = {}
    for line in read_lines(sheet, data, report):
        row = read_row(line, report)
        if row is None:
            report.fail(sheet, line.values.get("id", ""))
        elif row.id in found:
            words = f"Line {found[row.id].line.number} is called “{row.id[:40]}” too. Every row has an id of its own."
            report.wrong(sheet, line.number, "id", "id_twice", words)
        else:
            found[row.id] = Read(line, row)
    return list(found.values())


def _ids_in(read: Mapping[Sheet, list[Read]]) -> dict[Sheet, set[str]]:
    ids = {sheet: {each.row.id for each in rows} for sheet, rows in read.items()}
    for sheet, rows in read.items():
        for column, other in NAMED.get(sheet, {}).items():
            ids.setdefault(other, set()).update(getattr(each.row, column) for each in rows)
    return ids


class Arrival:
    """One run over all sheets, and what it knows so far of the rows that are named."""

    def __init__(
        self, work: Work, report: Report, import_id: UUID | None, known: dict[tuple[Sheet, str], Known]
    ) -> None:
        self.work, self.report, self.import_id, self.known = work, report, import_id, known
        self.ids = {key: each.record_id for key, each in known.items()}
        self.bringing = bringing.Bringing(work, Plans(work.session), self.id_of)

    def run(self, read: Mapping[Sheet, list[Read]]) -> None:
        people = [self.ids[key] for key in self.ids if key[0] in (Sheet.PEOPLE, Sheet.TEACHERS)]
        self.work.lock_all(User, people)
        self.work.lock_all(Package, [self.ids[key] for key in self.ids if key[0] is Sheet.PACKAGES])
        fresh = {sheet: [each for each in rows if self._is_new(sheet, each)] for sheet, rows in read.items()}
        taken = {sheet: self._taken(sheet, rows) for sheet, rows in fresh.items()}  # before anybody of them is there
        for sheet, rows in fresh.items():
            for each in rows:
                if each.line.number in taken[sheet]:
                    self.report.fail(sheet, each.row.id)
                else:
                    self._bring(sheet, each)
        if self.report.problems_total and self.import_id is not None:
            raise _refusal(self.report)

    def id_of(self, sheet: Sheet, external_id: str) -> UUID:
        return self.ids[sheet, external_id]

    def _taken(self, sheet: Sheet, rows: list[Read]) -> set[int]:
        return doubles.look(self.work.session, sheet, [(each.line, each.row) for each in rows], self.report)

    def _is_new(self, sheet: Sheet, read: Read) -> bool:
        """What came in before stays as it is; where the file says something else now, that is told."""
        before = self.known.get((sheet, read.row.id))
        if before is None:
            return True
        self.report.same[sheet.value] += 1
        if before.digest != read.row.digest():
            words = f"“{read.row.id[:40]}” came in before and says something else now. Nothing was changed: edit the record."
            self.report.note(sheet, read.line.number, "", "row_changed", words)
        return False

    def _bring(self, sheet: Sheet, read: Read) -> None:
        lost = self._unknown(sheet, read)
        if lost:
            self.report.refused(sheet, read.line.number, lost)
            self.report.fail(sheet, read.row.id)
            return
        try:
            with self._tried_out():
                record = self.bringing.bring(sheet, read.row)
                self.work.session.flush()
        except DomainError as refusal:
            self.report.refused(sheet, read.line.number, refusal.reasons or [Reason(refusal.code, refusal.text)])
            self.report.fail(sheet, read.row.id)
            if self.import_id is not None:
                raise _refusal(self.report) from refusal
            return
        self._note(sheet, read, record)

    def _unknown(self, sheet: Sheet, read: Read) -> list[Reason]:
        """Rows that this one names and that are not there."""
        found = []
        for column, other in NAMED.get(sheet, {}).items():
            name = getattr(read.row, column)
            if (other, name) in self.ids:
                continue
            there = "cannot come in itself" if self.report.has_failed(other, name) else "does not stand there"
            words = f"“{name[:40]}” of {file_name(other)} {there}."
            found.append(Reason("row_unknown", words, pointer=f"/{column}"))
        return found

    @contextmanager
    def _tried_out(self) -> Iterator[None]:
        if self.import_id is not None:
            yield
        else:
            with self.work.session.begin_nested():
                yield

    def _note(self, sheet: Sheet, read: Read, record: Base) -> None:
        record_id: UUID = record.id  # type: ignore[attr-defined]
        self.ids[sheet, read.row.id] = record_id
        self.report.new[sheet.value] += 1
        self.bringing.count(read.row, self.report)
        if self.import_id is not None:
            self.work.add(
                OpeningRow(
                    import_id=self.import_id,
                    sheet=sheet,
                    external_id=read.row.id,
                    record_type=record.__tablename__,
                    record_id=record_id,
                    digest=read.row.digest(),
                )
            )


def _refusal(report: Report) -> OpeningRefused:
    reasons = [
        Reason(each.code, f"{each.file}, line {each.line}: {each.words}", facts={"file": each.file, "line": each.line})
        for each in report.problems[:20]
    ]
    return OpeningRefused(reasons=reasons)
