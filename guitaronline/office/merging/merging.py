"""Two records become one person.

Locks: both people, sorted → payments → packages → bookings → lessons, and only then anything is written. The loser stays as
a pointer, deactivated; every row that changes hands is written down (`merged_rows`), so that it can go back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text

from guitaronline import db
from guitaronline.billing.models import Package, Payment
from guitaronline.booking.models import Booking
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.former_addresses import say_goodbye
from guitaronline.identity.links import void_links
from guitaronline.identity.models import LinkPurpose, User
from guitaronline.identity.revocation import revoke_sign_ins
from guitaronline.identity.standing import require_reason
from guitaronline.lessons.models import Lesson
from guitaronline.office.merge_models import MergedRow, PersonMerge
from guitaronline.office.merging.judging import FIELDS, merge_problems
from guitaronline.office.merging.places import MOVING, Place
from guitaronline.office.merging.refusals import REFUSALS, MergeInvalid
from guitaronline.unit_of_work import StaleVersion, Work, command

ADDRESS = ("email", "email_key", "email_verified_at", "address_problem", "address_problem_at")  # go together
LATER = text("SET CONSTRAINTS fk_bookings_own_package DEFERRED")  # a package and its bookings move in two statements


@command("person.merge", on="users")
def merge_people(
    work: Work,
    winner_id: UUID,
    *,
    loser_id: UUID,
    take: Collection[str] = (),
    loser_version: int | None = None,
    reason: str,
) -> PersonMerge:
    """`loser_id` is a pointer to the winner, who has what was the loser's, and of the fields named in `take` the loser's value.

    Of two e-mail addresses both stay with the school: they change places. `loser_version`: as the person saw it.
    Raises MergeInvalid, SameRecord, NotMergeable, AlreadyMerged, BookedTwice, all with every reason; StaleVersion."""
    access.require(work.actor, Permission.ADMINISTER)
    require_reason(reason)
    winner, loser = _lock_two(work, winner_id, loser_id)
    if loser_version is not None and loser.version != loser_version:
        raise StaleVersion(seen=loser_version, now=loser.version)
    unknown = [each for each in take if each not in FIELDS]
    if unknown:
        raise MergeInvalid(reasons=[Reason("field_unknown", "There is no such field to take.", pointer="/take")])
    lock_theirs(work, loser.id)
    problems = merge_problems(work.session, winner, loser)
    if problems:
        raise REFUSALS[problems[0].code](reasons=problems)
    merge = PersonMerge(
        winner_id=winner.id,
        loser_id=loser.id,
        fields={name: _before(name, winner, loser) for name in FIELDS if name in take},
        loser_was_active=loser.is_active,
        rows_moved=0,
    )
    work.add(merge)
    _close(work, winner, loser)
    _take_fields(work, winner, loser, merge.fields)
    work.session.flush()
    work.session.execute(LATER)
    merge.rows_moved = sum(_move(work, merge, place) for place in MOVING)
    return merge


def _lock_two(work: Work, winner_id: UUID, loser_id: UUID) -> tuple[User, User]:
    locked = {each.id: each for each in work.lock_all(User, [winner_id, loser_id])}
    return locked.get(winner_id) or work.lock(User, winner_id), locked.get(loser_id) or work.lock(User, loser_id)


def lock_theirs(work: Work, person_id: UUID) -> None:
    """A step: what of the (locked) student's others may be changing stands still."""
    for model in (Payment, Package, Booking, Lesson):
        column: Any = model.student_id
        work.lock_all(model, list(work.session.scalars(select(model.id).where(column == person_id))))


def _close(work: Work, winner: User, loser: User) -> None:
    revoke_sign_ins(work, loser.id, because="merged")
    void_links(work, loser.id, *LinkPurpose)
    loser.is_active = False
    loser.merged_into_id = winner.id


def columns_of(name: str) -> tuple[str, ...]:
    return ADDRESS if name == "email" else (name,)


def _before(name: str, winner: User, loser: User) -> dict[str, Any]:
    return {
        who: {column: stored(getattr(person, column)) for column in columns_of(name)}
        for who, person in (("winner", winner), ("loser", loser))
    }


def stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _take_fields(work: Work, winner: User, loser: User, fields: dict[str, Any]) -> None:
    for name in fields:
        if name == "email":
            if winner.email is not None:
                say_goodbye(work, winner)
                void_links(work, winner.id, *LinkPurpose)
            swap_addresses(work, winner, loser)
        else:
            setattr(winner, name, getattr(loser, name))


def swap_addresses(work: Work, one: User, other: User) -> None:
    """A step: each has the other's address. One after the other, for no two ever have the same."""
    mine = {column: getattr(one, column) for column in ADDRESS}
    theirs = {column: getattr(other, column) for column in ADDRESS}
    for person, values in ((other, dict.fromkeys(ADDRESS)), (one, theirs), (other, mine)):
        for column, value in values.items():
            setattr(person, column, value)
        work.session.flush()


def _move(work: Work, merge: PersonMerge, place: Place) -> int:
    """The rows of this place are the winner's, and written down; how many."""
    told = {"winner": merge.winner_id, "loser": merge.loser_id, "now": work.now}
    where = f"t.{place.column} = :loser AND {place.only} AND NOT ({place.unless})"
    ids = work.session.scalars(text(update_of(place, ":winner", where)), told).all()
    if ids:
        facts = {"merge_id": merge.id, "table_name": place.table, "column_name": place.column, "created_at": work.now}
        work.session.execute(insert(MergedRow), [{"id": db.new_id(), "row_id": each, **facts} for each in ids])
    return len(ids)


def update_of(place: Place, whose: str, where: str) -> str:
    """The statement that gives rows of a place to somebody, with the id of each; a version more, as any change makes."""
    columns = db.Base.metadata.tables[place.table].c
    also = [
        f"{name} = {value}" for name, value in (("version", "t.version + 1"), ("updated_at", ":now")) if name in columns
    ]
    changes = ", ".join([f"{place.column} = {whose}", *also])
    return f"UPDATE {place.table} t SET {changes} WHERE {where} RETURNING t.id"  # noqa: S608  # constants of places.py
