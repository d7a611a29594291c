"""Who may be one person: found every night, looked at by people, and never merged by itself."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.office.merge_models import DuplicatePair, Likeness
from guitaronline.unit_of_work import Work, command

LEAST_DIGITS = 5  # of a telephone number; fewer are no number
DIGITS = "regexp_replace({0}.phone, '\\D', '', 'g')"
STUDENTS = (
    "a.role = 'student' AND b.role = 'student' AND a.merged_into_id IS NULL AND b.merged_into_id IS NULL AND a.full_name <> ''"
    " AND NOT EXISTS (SELECT FROM duplicate_pairs d WHERE d.first_id = least(a.id, b.id) AND d.second_id = greatest(a.id, b.id))"
)
BY_PHONE = text(f"""
SELECT a.id AS first_id, b.id AS second_id
  FROM users a JOIN users b ON lower(b.full_name) = lower(a.full_name) AND {DIGITS.format("b")} = {DIGITS.format("a")} AND a.id < b.id
 WHERE a.phone IS NOT NULL AND b.phone IS NOT NULL AND length({DIGITS.format("a")}) >= {LEAST_DIGITS} AND {STUDENTS}
 LIMIT :limit
""")  # noqa: S608  # constants; ix_users_same_person
BY_GUARDIAN = text(f"""
SELECT DISTINCT a.id AS first_id, b.id AS second_id
  FROM guardians g JOIN guardians h ON h.guardian_id = g.guardian_id AND g.student_id < h.student_id
  JOIN users a ON a.id = g.student_id JOIN users b ON b.id = h.student_id AND lower(b.full_name) = lower(a.full_name)
 WHERE {STUDENTS} LIMIT :limit
""")  # noqa: S608  # uq_guardians_pair


@command("duplicate.find", quiet=True)
def find_duplicates(work: Work, *, limit: int = 500) -> int:
    """Up to `limit` pairs of each kind that were not known are there to be looked at; how many. Twice does no harm."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    found: dict[tuple[UUID, UUID], Likeness] = {}
    for statement, why in ((BY_PHONE, Likeness.PHONE), (BY_GUARDIAN, Likeness.GUARDIAN)):
        for row in work.session.execute(statement, {"limit": limit}):
            found.setdefault((row.first_id, row.second_id), why)
    for (first_id, second_id), why in found.items():
        work.add(DuplicatePair(first_id=first_id, second_id=second_id, why=why))
    return len(found)


@command("duplicate.dismiss", on="duplicate_pairs")
def dismiss_pair(work: Work, pair_id: UUID, *, reason: str | None = None) -> DuplicatePair:
    """Somebody looked: they are two people, and the pair is not shown again. Repeating it changes nothing."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    pair = work.lock(DuplicatePair, pair_id)
    if pair.dismissed_at is None:
        pair.dismissed_at = work.now
    return pair
