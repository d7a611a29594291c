"""Opening imports as commands: files are checked by trying them out, then brought in as a whole, once.

The check brings everything in and takes it back, so it says no exactly where the import would. Locks: the import, then the
people and packages that were there before and are named, then inserts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from guitaronline.actor import Actor
from guitaronline.errors import DomainError
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.office.opening.arriving import arrive
from guitaronline.office.opening.refusals import OpeningDiscarded, OpeningEmpty, OpeningFilesGone, OpeningRefused
from guitaronline.office.opening.reports import Report
from guitaronline.office.opening_models import OpeningFile, OpeningImport, OpeningStatus, Sheet
from guitaronline.unit_of_work import Work, command


class _TriedOut(DomainError):
    """How the report leaves a unit of which nothing may stay."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__("tried out")


def check_files(actor: Actor, *, files: Mapping[Sheet, bytes], reason: str | None = None) -> OpeningImport:
    """The files were tried out and taken back; what an import would bring, or what is wrong with which line, is kept with
    them. Raises OpeningEmpty."""
    report = try_out(actor, files)
    return _keep(actor, files=files, report=report, reason=reason)


def try_out(actor: Actor, files: Mapping[Sheet, bytes]) -> Report:
    """What bringing in these files would come to, now. Nothing stays of it. Raises OpeningEmpty."""
    try:
        _try_out(actor, files=files)
    except _TriedOut as done:
        return done.report
    raise AssertionError("unreachable")


@command("opening.try_out")
def _try_out(work: Work, *, files: Mapping[Sheet, bytes]) -> None:
    access.require(work.actor, Permission.ADMINISTER)
    if not files:
        raise OpeningEmpty()
    raise _TriedOut(arrive(work, files, import_id=None))


@command("opening.check", creates="opening_imports")
def _keep(work: Work, *, files: Mapping[Sheet, bytes], report: Report, reason: str | None) -> OpeningImport:
    access.require(work.actor, Permission.ADMINISTER)
    made = OpeningImport(id=work.record_id, status=OpeningStatus.CHECKED, made_by=work.actor.id, **_facts(report))
    work.create(made)
    work.session.flush()
    for sheet, data in files.items():
        work.add(OpeningFile(import_id=made.id, sheet=sheet, bytes=data))
    return made


@command("opening.import", on="opening_imports")
def import_files(work: Work, import_id: UUID, *, reason: str | None = None) -> OpeningImport:
    """All rows of the files are there, or none. Repeating it changes nothing.

    Raises OpeningRefused with the lines, OpeningDiscarded, OpeningFilesGone."""
    access.require(work.actor, Permission.ADMINISTER)
    found = work.lock(OpeningImport, import_id)
    if found.status is OpeningStatus.IMPORTED:
        return found
    if found.status is OpeningStatus.DISCARDED:
        raise OpeningDiscarded()
    if found.problems_total:
        raise OpeningRefused()
    files = {each.sheet: each.bytes for each in work.session.scalars(_files_of(import_id))}
    if not files:
        raise OpeningFilesGone()
    report = arrive(work, files, import_id=import_id)
    for name, value in _facts(report).items():
        setattr(found, name, value)
    found.imported_at = work.now
    work.move(found, OpeningStatus.IMPORTED)
    _forget_files(work, import_id)
    return found


@command("opening.discard", on="opening_imports")
def discard_files(work: Work, import_id: UUID, *, reason: str | None = None) -> OpeningImport:
    """Nothing of the files will come in, and they are gone. Repeating it changes nothing. Raises IllegalMove once imported."""
    access.require(work.actor, Permission.ADMINISTER)
    found = work.lock(OpeningImport, import_id)
    if found.status is not OpeningStatus.DISCARDED:
        work.move(found, OpeningStatus.DISCARDED)
        _forget_files(work, import_id)
    return found


def _files_of(import_id: UUID) -> Any:
    return select(OpeningFile).where(OpeningFile.import_id == import_id)


def _forget_files(work: Work, import_id: UUID) -> None:
    work.session.execute(delete(OpeningFile).where(OpeningFile.import_id == import_id))


def _facts(report: Report) -> dict[str, Any]:
    return {"report": report.as_stored(), "problems_total": report.problems_total, "rows_new": report.rows_new}
