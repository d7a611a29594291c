"""Erasing a person: their names, contacts and words go; how much, when and why stays, under a reference that leads to nobody.

What happens to which column is said by the inventory, and nothing else is done. The preview counts by the same conditions.
There is no way back, which is why the page that asks for it wants the person's reference typed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.db import Base, array, new_id
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.privacy_models import Erasure
from guitaronline.identity.standing import require_reason
from guitaronline.office import exports
from guitaronline.privacy import giving, quoting
from guitaronline.privacy.holding import Holding
from guitaronline.privacy.inventory import HOLDINGS
from guitaronline.privacy.lessons import LESSONS
from guitaronline.privacy.money import MONEY
from guitaronline.privacy.obstacles import obstacles
from guitaronline.privacy.refusals import NotThisPerson, StillOpen
from guitaronline.unit_of_work import Work, command

LONG = text("SET LOCAL statement_timeout = '5min'")  # years of one person, and tables that have no index by person
WITH_CLEAR_VALUES = text("""
SELECT tgrelid::regclass::text FROM pg_trigger
 WHERE tgname = 'audit_row' AND split_part(encode(tgargs, 'escape'), '\\000', 2) <> '{}'
""")
SPECIAL = frozenset({"audit_actions"})  # written by functions of the database (migration 0032)
# In the order of locks: the person, then packages, bookings, lessons, then the rest as the inventory has it.
ORDER = (HOLDINGS["users"], *MONEY, *LESSONS, *HOLDINGS.values())


@dataclass(frozen=True)
class Fate:
    """What becomes of a table's rows: `rows` are those about the person."""

    holding: Holding
    rows: int


@dataclass(frozen=True)
class Preview:
    reasons: list[Reason]  # why not now
    going: list[Fate]
    emptied: list[Fate]
    staying: list[Fate]


@command("person.erase", on="users")
def erase_person(work: Work, person_id: UUID, *, typed: str, reason: str) -> User:
    """The person is erased; the journal has them. `typed` is their reference, as a person typed it.

    Locks the person. Raises ReasonRequired, NotThisPerson, StillOpen with every reason."""
    access.require(work.actor, Permission.KEEP_PRIVACY)
    require_reason(reason)
    person = work.lock(User, person_id)
    if typed.strip().upper() != person.reference:
        raise NotThisPerson(reasons=[Reason("not_this_person", NotThisPerson.detail, "", "/typed")])
    reasons = obstacles(work.session, person, now=work.now, actor_id=work.actor.id)
    if reasons:
        raise StillOpen(reasons=reasons)
    return erase(work, person, at=work.now, erased_by=work.actor.id)


def erase(work: Work, person: User, *, at: datetime, erased_by: UUID | None) -> User:
    """Step: what the inventory says is done to the locked person's rows, and the journal has them.

    1. Read by which words somebody can still be recognized, and which rows are theirs, while that can be read.
    2. Empty and delete. 3. Take their words and addresses out of the audit. 4. Drop the clear values behind its digests."""
    person_id = person.id
    work.session.flush()
    work.session.execute(LONG)
    for export in giving.files_of(work, person):
        exports.call_off(work, export)
    work.session.flush()
    names = quoting.known_as(work.session, person_id)
    rows = {each.table: _ids(work.session, each, person_id) for each in _with_clear_values(work.session)}
    quoted = quoting.quoting_rows(work.session, names)
    counts = {each.table: _treat(work, each, person_id) for each in _treated()}
    counts |= quoting.empty(work.session, quoted, now=work.now)
    counts["audit_actions"] = _erase_reasons(work, person, names)
    counts["audit_personal"] = sum(
        _erase_personal(work.session, table, ids) for table, ids in [*rows.items(), *quoted.items()]
    )
    kept = {table: count for table, count in sorted(counts.items()) if count}
    digest = digest_of(person_id, at, erased_by)
    work.session.add(Erasure(id=new_id(), person_id=person_id, erased_by=erased_by, at=at, digest=digest, counts=kept))
    work.session.flush()
    work.session.expire_all()
    for pointer in work.session.scalars(select(User.id).where(User.merged_into_id == person_id)).all():
        if erased(work.session, pointer) is None:  # a record that was merged into this one is the same person
            erase(work, work.lock(User, pointer), at=at, erased_by=erased_by)
    return work.find(User, person_id)


def preview(session: Session, person: User, *, now: datetime, actor_id: UUID | None) -> Preview:
    """Why not, and otherwise which rows go, are emptied, and stay. Reads only."""
    fates = [Fate(each, _count(session, each, person.id)) for each in HOLDINGS.values() if each.whose]
    found = [each for each in fates if each.rows]
    return Preview(
        obstacles(session, person, now=now, actor_id=actor_id),
        [each for each in found if each.holding.goes],
        [each for each in found if each.holding.emptied],
        [each for each in found if not each.holding.goes and not each.holding.emptied],
    )


def digest_of(person_id: UUID, at: datetime, erased_by: UUID | None) -> str:
    """What a line of the journal is read against."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(f"erased {person_id} {moment} {erased_by or '-'}".encode()).hexdigest()


def erased(session: Session, person_id: UUID) -> Erasure | None:
    """Query: their line of the journal."""
    return session.scalars(select(Erasure).where(Erasure.person_id == person_id)).one_or_none()


def _treated() -> Iterator[Holding]:
    """Each table once, in the order of locks."""
    seen: set[str] = set()
    for each in ORDER:
        if each.whose and (each.goes or each.emptied) and each.table not in SPECIAL | seen:
            seen.add(each.table)
            yield each


def _with_clear_values(session: Session) -> list[Holding]:
    """Tables whose rows may have clear values behind the audit's digests."""
    found = set(session.scalars(WITH_CLEAR_VALUES))
    return [each for each in HOLDINGS.values() if each.whose and each.table in found]


def _ids(session: Session, holding: Holding, person_id: UUID) -> list[UUID]:
    query = text(f"SELECT id FROM {holding.table} WHERE {holding.whose}")  # constants of the inventory
    return list(session.scalars(query, {"person": person_id}))


def _count(session: Session, holding: Holding, person_id: UUID) -> int:
    query = text(f"SELECT count(*) FROM {holding.table} WHERE {holding.whose}")  # constants of the inventory
    return int(session.scalar(query, {"person": person_id}) or 0)


def _treat(work: Work, holding: Holding, person_id: UUID) -> int:
    """The table's rows are gone or emptied; returns how many."""
    values = {"person": person_id, "now": work.now}
    return int(work.session.execute(text(_statement(holding)), values).rowcount)  # type: ignore[attr-defined]


def _statement(holding: Holding) -> str:
    if holding.goes:
        return f"DELETE FROM {holding.table} WHERE {holding.whose}"  # constants of the inventory
    columns = Base.metadata.tables[holding.table].columns
    settings = dict(holding.emptied)
    differs = " OR ".join(f"{name} IS DISTINCT FROM ({value})" for name, value in settings.items())
    if "version" in columns:
        settings["version"] = "version + 1"
    if "updated_at" in columns:
        settings["updated_at"] = ":now"
    puts = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return f"UPDATE {holding.table} SET {puts} WHERE ({holding.whose}) AND ({differs})"  # constants


def _erase_reasons(work: Work, person: User, names: quoting.Names) -> int:
    """A student's own reasons go, the reasons of what was done to their records, and the network addresses.

    What a teacher or somebody of the staff gave as a reason about others is the school's and stays; where they sat goes."""
    own = set(quoting.own_actions(work.session, person.id))
    about = set(quoting.actions_about(work.session, person.id, names)) - {work.action_id}
    words = about | own if person.role is Role.STUDENT else about
    query = text("SELECT erase_reasons(CAST(:actions AS uuid[]), :words)")
    for actions, with_words in ((own - words, False), (words, True)):
        work.session.execute(query, {"actions": array(sorted(actions)), "words": with_words})
    return len(own | about)


def _erase_personal(session: Session, table: str, ids: list[Any]) -> int:
    if not ids:
        return 0
    query = text("SELECT erase_personal(:table, CAST(:ids AS uuid[]))")
    return int(session.scalar(query, {"table": table, "ids": array(ids)}) or 0)
