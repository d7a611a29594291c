"""Files as commands: received and kept, read to the end, wanted by a person, imported as a whole.

What reads a file is a job (see running.py): it holds a lease on the file, and every step looks at the lease under the file's
lock, which it keeps to its end. Locks: file → its run → staging (advisory) → inserts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from guitaronline.billing.settlements import fetch_queue, staging
from guitaronline.billing.settlements.fetch_queue import Claimed
from guitaronline.billing.settlements.models import (
    ENDED,
    FileKind,
    FileStatus,
    SettlementFile,
    SettlementPart,
    SettlementProfile,
    SettlementRun,
    SettlementStatement,
)
from guitaronline.billing.settlements.originals import MOST_BYTES, Original
from guitaronline.billing.settlements.profiles import read_mapping
from guitaronline.billing.settlements.reading.lines import Tally
from guitaronline.billing.settlements.reading.problems import Problems
from guitaronline.billing.settlements.reading.readers import NAME_THEMSELVES, Reading
from guitaronline.billing.settlements.refusals import (
    AccountNeeded,
    FileKnown,
    FileTooLarge,
    ProfileNeeded,
    TakenOver,
)
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command, constraint_errors

constraint_errors["uq_settlement_files_sha256"] = FileKnown


@dataclass(frozen=True)
class Received:
    """A file as it comes: what it is said to be, and its bytes."""

    kind: FileKind
    file_name: str
    sha256: str
    size_bytes: int
    parts: Callable[[], Iterable[bytes]]
    account: str | None = None  # None: as the file says
    profile_id: UUID | None = None


def known_file(session: Session, sha256: str) -> SettlementFile | None:
    """The file with these bytes that was not refused or discarded. Index: uq_settlement_files_sha256."""
    query = select(SettlementFile).where(SettlementFile.sha256 == sha256, SettlementFile.status.not_in(ENDED))
    return session.scalars(query).one_or_none()


def account_name(text: str | None) -> str | None:
    """One way to write each account: an IBAN without blanks and in capitals, other names as they are."""
    tidy = " ".join((text or "").split())
    packed = tidy.replace(" ", "").upper()
    is_iban = len(packed) >= 15 and packed[:2].isalpha() and packed[2:4].isdigit() and packed.isalnum()
    return (packed if is_iban else tidy) or None


@command("settlement.receive", creates="settlement_files")
def receive_file(work: Work, *, received: Received, reason: str | None = None) -> SettlementFile:
    """The file is kept as it came and will be read. The same bytes again: FileKnown says which file had them.

    Raises AccountNeeded, ProfileNeeded, FileTooLarge, FileKnown."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    return _receive(work, received, imports_itself=False)


@command("settlement.fetch", creates="settlement_files")
def keep_fetched(work: Work, *, received: Received, claimed: Claimed) -> SettlementFile:
    """A report that was fetched from its provider is kept, and imported without a person when nothing is wrong with it.

    Raises as `receive_file`, and TakenOver."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    made = _receive(work, received, imports_itself=True)
    if not fetch_queue.close(work.session, claimed, made.id, work.now):
        raise TakenOver("Somebody else fetches this report now.")
    return made


def _receive(work: Work, received: Received, *, imports_itself: bool) -> SettlementFile:
    account = account_name(received.account)
    if account is None and received.kind not in NAME_THEMSELVES:
        raise AccountNeeded()
    profile = _profile(work, received.profile_id) if received.kind is FileKind.BANK_CSV else None
    if received.size_bytes > MOST_BYTES:
        raise FileTooLarge(limit=MOST_BYTES, size=received.size_bytes)
    known = known_file(work.session, received.sha256)
    if known:
        raise FileKnown(f"This file is here already: {known.reference}.", file=known.reference, id=str(known.id))
    made = SettlementFile(
        id=work.record_id,
        kind=received.kind,
        account=account,
        profile_id=profile.id if profile else None,
        mapping=profile.mapping if profile else None,
        file_name=received.file_name,
        sha256=received.sha256,
        size_bytes=received.size_bytes,
        status=FileStatus.RECEIVED,
        imports_itself=imports_itself,
        uploaded_by=work.actor.id,
    )
    work.create(made)
    work.session.flush()
    for sequence, part in enumerate(received.parts()):  # not as records: the session would hold all of them
        work.session.execute(insert(SettlementPart), {"file_id": made.id, "sequence": sequence, "bytes": part})
    work.session.add(SettlementRun(file_id=made.id))
    return made


def _profile(work: Work, profile_id: UUID | None) -> SettlementProfile:
    """The profile, in use. Raises ProfileNeeded."""
    profile = work.session.get(SettlementProfile, profile_id) if profile_id else None
    if profile is None or not profile.is_active:
        raise ProfileNeeded()
    return profile


@command("settlement.confirm", on="settlement_files")
def confirm_file(work: Work, file_id: UUID, *, reason: str | None = None) -> SettlementFile:
    """The file will be imported. Repeating it changes nothing. Raises IllegalMove for one that is not checked."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    file = work.lock(SettlementFile, file_id)
    if file.status not in (FileStatus.CONFIRMED, FileStatus.IMPORTED):
        _confirm(work, file)
    return file


def _confirm(work: Work, file: SettlementFile) -> None:
    work.move(file, FileStatus.CONFIRMED)
    work.session.add(SettlementRun(file_id=file.id))


@command("settlement.discard", on="settlement_files")
def discard_file(work: Work, file_id: UUID, *, reason: str | None = None) -> SettlementFile:
    """Nothing of the file will be imported; the original stays. Repeating it changes nothing."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    file = work.lock(SettlementFile, file_id)
    if file.status is not FileStatus.DISCARDED:
        work.move(file, FileStatus.DISCARDED)
    return file


@command("settlement.download", on="settlement_files")
def record_download(work: Work, file_id: UUID) -> SettlementFile:
    """It is written down that somebody takes the original now. It may hold names and account numbers."""
    access.require(work.actor, Permission.READ_MONEY_AUDIT)
    return work.find(SettlementFile, file_id)


# The job's steps


@command("settlement.check", on="settlement_files")
def check_file(
    work: Work, file_id: UUID, *, token: UUID, went_on: Callable[[int], None] | None = None
) -> SettlementFile:
    """The file was read to its end: it is checked and says what an import would bring, or refused and says why.

    Nothing of it is in the table of lines. Raises TakenOver, Busy."""
    file = _held(work, file_id, token)
    reading, tally = _staged(work, file, went_on)
    for line_no in staging.too_long(work.session):
        reading.problems.add(f"An id of the line has more than {staging.LONGEST_ID} characters.", line=line_no)
    counts = staging.counts(work.session)
    if counts.different < tally.lines:
        _refuse_contradictions(work.session, reading.problems)
    if reading.problems.total:
        return _refused(work, file, reading.problems)
    _write_facts(file, reading, tally)
    file.lines_new, file.lines_changed = counts.different - counts.known, counts.changed
    file.lines_known = tally.lines - file.lines_new
    staging.clear(work.session)
    _forget(work, file_id)
    work.move(file, FileStatus.CHECKED)
    if file.imports_itself:
        work.session.flush()
        _confirm(work, file)
    return file


@command("settlement.import", on="settlement_files")
def import_file(
    work: Work, file_id: UUID, *, token: UUID, went_on: Callable[[int], None] | None = None
) -> SettlementFile:
    """All lines of the file are there, or it is refused and none is. Lines that another file brought stay as they came; what
    this file says differently about them is a problem for people.

    Raises TakenOver, Busy."""
    file = _held(work, file_id, token)
    reading, tally = _staged(work, file, went_on)
    if reading.problems.total:
        return _refused(work, file, reading.problems)
    _write_facts(file, reading, tally)
    work.session.flush()
    file.lines_new = staging.take_over(work.session, file_id)
    file.lines_known = tally.lines - file.lines_new
    if file.lines_known:
        file.lines_changed = staging.note_known(work.session, file_id, work.now)
    staging.clear(work.session)
    _keep_statements(work, file, reading)
    _forget(work, file_id)
    file.imported_at = work.now
    work.move(file, FileStatus.IMPORTED)
    return file


@command("settlement.give_up", on="settlement_files")
def give_up(work: Work, file_id: UUID, *, token: UUID, why: str) -> SettlementFile:
    """The file is refused, because reading it never came to an end. Raises TakenOver."""
    file = _held(work, file_id, token)
    problems = Problems()
    problems.add(why)
    _forget(work, file_id)
    return _moved_to_refused(work, file, problems)


def _held(work: Work, file_id: UUID, token: UUID) -> SettlementFile:
    file = work.lock(SettlementFile, file_id)
    _require_lease(work, file_id, token)
    return file


def _require_lease(work: Work, file_id: UUID, token: UUID) -> None:
    held = select(SettlementRun.file_id).where(SettlementRun.file_id == file_id, SettlementRun.lease_token == token)
    if work.session.scalar(held) is None:
        raise TakenOver()


def _staged(work: Work, file: SettlementFile, went_on: Callable[[int], None] | None) -> tuple[Reading, Tally]:
    """The file's lines, read anew from its original, are staged."""
    staging.stand_alone(work.session)
    columns = read_mapping(file.mapping) if file.mapping else None
    reading = Reading(file.kind, Original(file.id, went_on), account=file.account, columns=columns)
    tally = Tally()
    staging.copy_in(work.session, tally.counted(reading.lines()))
    return reading, tally


def _refuse_contradictions(session: Session, problems: Problems) -> None:
    """A file that says two things about one line cannot be true."""
    for each in staging.twice(session):
        if not each.is_same:
            problems.add(
                f"The line says something else about {each.external_id} than line {each.first}.", line=each.last
            )


def _refused(work: Work, file: SettlementFile, problems: Problems) -> SettlementFile:
    staging.clear(work.session)
    _forget(work, file.id)
    return _moved_to_refused(work, file, problems)


def _moved_to_refused(work: Work, file: SettlementFile, problems: Problems) -> SettlementFile:
    file.problems, file.problems_total = problems.facts(), problems.total
    work.move(file, FileStatus.REFUSED)
    return file


def _write_facts(file: SettlementFile, reading: Reading, tally: Tally) -> None:
    """What the file as a whole says."""
    file.lines_total, file.totals, file.currency = tally.lines, tally.totals(), tally.currency
    days = [
        *tally.days,
        *(each.first_on for each in reading.statements),
        *(each.last_on for each in reading.statements),
    ]
    file.first_on, file.last_on = (min(days), max(days)) if days else (None, None)
    named = sorted(tally.accounts | {each.account for each in reading.statements})
    if file.account is None and (len(named) == 1 or file.status is FileStatus.CONFIRMED):
        file.account = named[
            0
        ]  # of several only when they have been read for the last time: then no other would be allowed
    if len(reading.statements) == 1:
        file.opening_minor, file.closing_minor = (
            reading.statements[0].opening_minor,
            reading.statements[0].closing_minor,
        )
        file.currency = reading.statements[0].currency


def _keep_statements(work: Work, file: SettlementFile, reading: Reading) -> None:
    for sequence, each in enumerate(reading.statements, start=1):
        facts: dict[str, Any] = {name: getattr(each, name) for name in STATED}
        work.add(SettlementStatement(file_id=file.id, sequence=sequence, **facts))


STATED = (
    "account", "currency", "statement_id", "first_on", "last_on", "opening_minor", "movements_minor", "closing_minor", "lines",
)  # fmt: skip


def _forget(work: Work, file_id: UUID) -> None:
    work.session.execute(delete(SettlementRun).where(SettlementRun.file_id == file_id))
