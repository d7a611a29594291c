"""A merge is taken back: what moved goes back, as far as nothing was built on it since.

A package on which something was booked or paid since stays with the winner, and with it its bookings, lessons and payments:
they cannot be told apart any more. Everything else is looked at row by row."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import db
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.standing import require_reason
from guitaronline.office.merge_models import MergedRow, PersonMerge
from guitaronline.office.merging.judging import undo_problems
from guitaronline.office.merging.merging import LATER, columns_of, lock_theirs, stored, swap_addresses, update_of
from guitaronline.office.merging.places import MOVING, Place
from guitaronline.office.merging.refusals import REFUSALS
from guitaronline.unit_of_work import Work, command

BUILT_ON = text("""
SELECT p.id, p.reference FROM packages p
 WHERE p.id = ANY(CAST(:packages AS uuid[]))
   AND (p.student_id <> :winner
        OR EXISTS (SELECT FROM bookings b WHERE b.package_id = p.id AND b.id <> ALL(CAST(:bookings AS uuid[])))
        OR EXISTS (SELECT FROM payments y WHERE y.package_id = p.id AND y.id <> ALL(CAST(:payments AS uuid[]))))
 ORDER BY p.id
""")
OF_PACKAGE = {  # place → how its rows know the package
    "packages.student_id": "id", "payments.student_id": "package_id",
    "bookings.student_id": "package_id", "lessons.student_id": "package_id",
}  # fmt: skip
FREE_WAIT = (
    "(t.booking_id IS NULL OR t.booking_id = ANY(CAST(:bookings AS uuid[])))"  # an offer made since is the winner's
)


@dataclass(frozen=True)
class Return:
    """What of one kind of rows goes back."""

    place: Place
    back: list[UUID]
    moved: int

    @property
    def stays(self) -> int:
        return self.moved - len(self.back)


@dataclass(frozen=True)
class Returning:
    rows: list[Return]
    built_on: list[str]  # references of packages that stay, and why
    fields: list[str]  # of the winner that go back to what they were
    fields_changed: list[str]  # that say something else since, and stay


def what_returns(session: Session, merge: PersonMerge) -> Returning:
    """What undoing the merge would bring back now, and what would stay because it changed since."""
    moved: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in session.scalars(select(MergedRow).where(MergedRow.merge_id == merge.id).order_by(MergedRow.id)):
        moved[f"{row.table_name}.{row.column_name}"].append(row.row_id)
    told = {
        "winner": merge.winner_id,
        "packages": db.array(moved["packages.student_id"]),
        "bookings": db.array(moved["bookings.student_id"]),
        "payments": db.array(moved["payments.student_id"]),
    }
    built_on = session.execute(BUILT_ON, told).all()
    told["kept"] = db.array([row.id for row in built_on])
    rows = [
        Return(place, _standing(session, place, moved[place.key], told), len(moved[place.key]))
        for place in MOVING
        if moved[place.key]
    ]
    fields, changed = _fields(session, merge)
    return Returning(rows, [row.reference for row in built_on], fields, changed)


def _standing(session: Session, place: Place, ids: list[UUID], told: dict[str, Any]) -> list[UUID]:
    """Those of the rows that are still as the merge left them."""
    conditions = [f"t.{place.column} = :winner"]
    if place.key in OF_PACKAGE:
        conditions.append(f"t.{OF_PACKAGE[place.key]} <> ALL(CAST(:kept AS uuid[]))")
    if place.table == "waitlist_entries":
        conditions.append(FREE_WAIT)
    sql = f"SELECT t.id FROM {place.table} t WHERE t.id = ANY(CAST(:ids AS uuid[])) AND {' AND '.join(conditions)} ORDER BY t.id"  # noqa: S608
    return list(session.scalars(text(sql), {**told, "ids": db.array(ids)}))


def _fields(session: Session, merge: PersonMerge) -> tuple[list[str], list[str]]:
    """Fields that still say what the merge made them say; an address only where both have the other's."""
    winner, loser = (session.get_one(User, each, populate_existing=True) for each in (merge.winner_id, merge.loser_id))
    back: list[str] = []
    changed: list[str] = []
    for name, before in merge.fields.items():
        first = columns_of(name)[0]
        is_same = getattr(winner, first) == before["loser"][first]
        if name == "email":
            is_same = is_same and loser.email == before["winner"]["email"]
        (back if is_same else changed).append(name)
    return back, changed


@command("person.unmerge", on="person_merges")
def undo_merge(work: Work, merge_id: UUID, *, reason: str) -> PersonMerge:
    """The loser is a person of their own again, with what moved and was not built on since. Their sign-ins stay ended.

    Locks both people, then what is the winner's. Raises MergeUndone, MergeTooOld, MergedSince, ErasedSince."""
    access.require(work.actor, Permission.ADMINISTER)
    require_reason(reason)
    known = work.find(PersonMerge, merge_id)
    people = {each.id: each for each in work.lock_all(User, [known.winner_id, known.loser_id])}
    merge = work.lock(PersonMerge, merge_id)
    problems = undo_problems(work.session, merge, work.now)
    if problems:
        raise REFUSALS[problems[0].code](reasons=list(problems))
    lock_theirs(work, merge.winner_id)
    found = what_returns(work.session, merge)
    winner, loser = people[merge.winner_id], people[merge.loser_id]
    loser.merged_into_id, loser.is_active = None, merge.loser_was_active
    _give_back_fields(work, winner, loser, merge.fields, found.fields)
    work.session.flush()
    work.session.execute(LATER)
    merge.rows_back = sum(_give_back(work, merge, each) for each in found.rows)
    merge.undone_at = work.now
    return merge


def _give_back(work: Work, merge: PersonMerge, rows: Return) -> int:
    statement = update_of(rows.place, ":loser", "t.id = ANY(CAST(:ids AS uuid[]))")
    told = {"loser": merge.loser_id, "ids": db.array(rows.back), "now": work.now}
    return len(work.session.scalars(text(statement), told).all())


def _give_back_fields(work: Work, winner: User, loser: User, before: dict[str, Any], names: list[str]) -> None:
    for name in names:
        if name == "email":
            swap_addresses(work, winner, loser)
        elif stored(getattr(winner, name)) != before[name]["winner"][name]:
            setattr(winner, name, before[name]["winner"][name])
