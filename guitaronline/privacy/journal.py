"""The journal of erasures: kept off the machine, and done again after a restore brought people back.

A line is `<moment> <person> <who or -> <digest>`; whoever mistyped one is told. Doing it again is safe: who is erased already is
left alone, and whom the restored database does not know yet was never there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.privacy_models import Erasure
from guitaronline.privacy.erasing import digest_of, erase
from guitaronline.privacy.obstacles import obstacles
from guitaronline.privacy.refusals import JournalInvalid
from guitaronline.unit_of_work import Work, command

LINE = re.compile(r"(\S{20,40}) ([0-9a-f-]{36}) (-|[0-9a-f-]{36}) ([0-9a-f]{64})", re.ASCII)
AGAIN = "erased before the restore"


@dataclass(frozen=True)
class Line:
    at: datetime
    person_id: UUID
    erased_by: UUID | None

    def __str__(self) -> str:
        digest = digest_of(self.person_id, self.at, self.erased_by)
        moment = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        return f"{moment} {self.person_id} {self.erased_by or '-'} {digest}"


@dataclass
class Replayed:
    """What came of a journal: `open` says of whom something is still open, in words for who has to end it."""

    again: int = 0
    already: int = 0
    unknown: int = 0
    open: list[str] = field(default_factory=list)


def lines(current: Session) -> Iterator[Line]:
    """The journal, oldest first. ix_erasures_at"""
    query = select(Erasure).order_by(Erasure.at, Erasure.id).execution_options(yield_per=500)
    for each in current.scalars(query):
        yield Line(each.at, each.person_id, each.erased_by)


def read(written: Iterable[str]) -> list[Line]:
    """The lines that were written. Raises JournalInvalid, and then nothing was read."""
    return [_read(number, each.strip()) for number, each in enumerate(written, 1) if each.strip()]


def _read(number: int, written: str) -> Line:
    line = _line_of(written)
    if line is None or str(line) != written:
        raise JournalInvalid(f"Line {number} is not a line of the journal, or it was changed.")
    return line


def _line_of(written: str) -> Line | None:
    found = LINE.fullmatch(written)
    try:
        at, person_id, by = found.group(1, 2, 3) if found else ("", "", "")
        return Line(datetime.fromisoformat(at), UUID(person_id), None if by == "-" else UUID(by))
    except ValueError:
        return None


def replay(journal: list[Line]) -> Replayed:
    """Everybody in it is erased, each in a transaction of their own; also where something of theirs is open again."""
    done = Replayed()
    for line in journal:
        person = session().get(User, line.person_id, populate_existing=True)
        if person is None:
            done.unknown += 1
        elif person.erased_at is not None:
            done.already += 1
        else:
            done.open += erase_again(SYSTEM, line.person_id, line=line, reason=AGAIN)
            done.again += 1
        session().rollback()
    return done


@command("person.erase_again", on="users")
def erase_again(work: Work, person_id: UUID, *, line: Line, reason: str) -> list[str]:
    """The person is erased as they were before the restore; returns in words what is open of theirs. Repeating it changes nothing.

    It was right then, so nothing stands in its way now: what is open again has no name any more, and is ended by hand."""
    access.require(work.actor, Permission.KEEP_PRIVACY)
    person = work.lock(User, person_id)
    if person.erased_at is not None:
        return []
    found = obstacles(work.session, person, now=work.now, actor_id=None)
    erase(work, person, at=line.at, erased_by=line.erased_by)
    return [_told(person.reference, each) for each in found if each.code != "still_active"]


def _told(reference: str, reason: Reason) -> str:
    return f"{reference}: {reason.detail} {reason.fix}"
