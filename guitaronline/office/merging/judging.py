"""Whether two records can become one, and what would move: the page asks here, and the command asks again under its locks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.errors import Reason
from guitaronline.identity.models import Guardian, User
from guitaronline.office.merge_models import PersonMerge
from guitaronline.office.merging.places import MOVING, Place

FIELDS = ("full_name", "email", "phone", "timezone", "language", "instrument", "level")  # which of the two is right
UNDO_DAYS = 30  # twin of ck_person_merges_undone_within_a_month
TOLD_MOST = 10

# Lapsed holds too, for the constraint counts them until a job has come by. ix_bookings_student_start
OVERLAPS = text("""
SELECT a.reference AS stays, b.reference AS goes, b.start_at
  FROM bookings a JOIN bookings b ON b.student_id = :loser AND b.status IN ('hold', 'confirmed')
   AND tstzrange(a.start_at, a.end_at) && tstzrange(b.start_at, b.end_at)
 WHERE a.student_id = :winner AND a.status IN ('hold', 'confirmed')
 ORDER BY b.start_at LIMIT :limit
""")


@dataclass(frozen=True)
class Moving:
    place: Place
    moves: int
    stays: int  # because the winner has the like


def merge_problems(session: Session, winner: User, loser: User) -> list[Reason]:
    """Every reason why `loser` cannot be merged into `winner`; a merge changes nothing that could not be told apart later."""
    if winner.id == loser.id:
        return [Reason("same_record", "This is one and the same record.", "Take another one.", "/other_id")]
    found = [*_of_records(winner, loser), *_of_relations(session, winner, loser)]
    for row in session.execute(OVERLAPS, {"winner": winner.id, "loser": loser.id, "limit": TOLD_MOST}):
        words = f"{row.stays} and {row.goes} are at the same time: one person cannot take both."
        found.append(Reason("booked_twice", words, "Cancel or move one of them first."))
    return found


def _of_records(winner: User, loser: User) -> list[Reason]:
    pair = (winner, loser)
    found = [
        (
            any(each.role is not Role.STUDENT for each in pair),
            Reason(
                "not_mergeable",
                "Only students are merged. Of staff and teachers, deactivate the record that is not used.",
                "Hand over what they have, then deactivate it.",
            ),
        ),
        (
            any(each.merged_into_id is not None for each in pair),
            Reason("already_merged", "One of the two was merged already.", "Use the record that it leads to."),
        ),
        (
            winner.erased_at is not None or loser.erased_at is not None,
            Reason("merge_invalid", "One of the two was erased; nobody can say any more whose it was."),
        ),
        (
            winner.merged_into_id is None and not winner.is_active,
            Reason("merge_invalid", "The record that stays is deactivated.", "Reactivate it first, or keep the other."),
        ),
        (
            winner.is_test is not loser.is_test,
            Reason("merge_invalid", "One of the two is a test account.", "Mark both alike first."),
        ),
    ]
    return [reason for applies, reason in found if applies]


def _of_relations(session: Session, winner: User, loser: User) -> list[Reason]:
    between = select(Guardian.id).where(
        Guardian.guardian_id.in_([winner.id, loser.id]), Guardian.student_id.in_([winner.id, loser.id])
    )
    if session.scalar(between.limit(1)) is None:
        return []
    words = "One of the two is the guardian of the other: they are two people."
    return [Reason("merge_invalid", words, "If they are one, remove the guardian first.")]


def what_moves(session: Session, winner: User, loser: User) -> list[Moving]:
    """Of each kind of rows that the loser has, how many would move and how many would stay."""
    return [found for place in MOVING if (found := _count(session, place, winner.id, loser.id)).moves or found.stays]


def _count(session: Session, place: Place, winner_id: UUID, loser_id: UUID) -> Moving:
    sql = (
        f"SELECT count(*) FILTER (WHERE NOT ({place.unless})), count(*) FILTER (WHERE {place.unless})"  # noqa: S608  # constants
        f" FROM {place.table} t WHERE t.{place.column} = :loser AND {place.only}"
    )
    row = session.execute(text(sql), {"winner": winner_id, "loser": loser_id}).one()
    return Moving(place, row[0], row[1])


def differing(winner: User, loser: User) -> list[str]:
    """The fields of which the loser says something else, and not nothing."""
    return [name for name in FIELDS if getattr(loser, name) and getattr(loser, name) != getattr(winner, name)]


def proposed(winner: User, loser: User) -> set[str]:
    """What only the loser knows."""
    return {name for name in differing(winner, loser) if not getattr(winner, name)}


def undo_problems(session: Session, merge: PersonMerge, now: datetime) -> Sequence[Reason]:
    """Why the merge cannot be taken back."""
    winner = session.get_one(User, merge.winner_id, populate_existing=True)
    found = [
        (merge.undone_at is not None, Reason("merge_undone", "This merge was undone already.")),
        (
            now > merge.created_at + timedelta(days=UNDO_DAYS),
            Reason("merge_too_old", f"A merge can be undone for {UNDO_DAYS} days."),
        ),
        (
            winner.merged_into_id is not None,
            Reason("merged_since", "The person was merged into another one since.", "Undo that merge first."),
        ),
        (
            winner.erased_at is not None,
            Reason("erased_since", "The person was erased since; nothing of them is left to tell two records apart."),
        ),
    ]
    return [reason for applies, reason in found if applies]
