"""What stands in the way of erasing somebody: whatever is still owed to them, by them, or in their name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.actor import STAFF_ROLES, Role
from guitaronline.errors import Reason
from guitaronline.identity.models import User

NAMED = 3  # records that a reason names
PAYMENTS = "payment_id IN (SELECT id FROM payments WHERE student_id = :person)"


@dataclass(frozen=True)
class Obstacle:
    """`sql` finds up to NAMED + 1 labels of records; any is a reason."""

    code: str
    detail: str
    fix: str
    sql: str


OBSTACLES = (
    Obstacle(
        "lessons_ahead",
        "Lessons are booked: {}.",
        "Cancel or move them.",
        "SELECT reference FROM bookings WHERE :person IN (student_id, teacher_id) AND end_at > :now AND"
        " (status = 'confirmed' OR (status = 'hold' AND hold_expires_at > :now)) ORDER BY start_at",
    ),
    Obstacle(
        "outcome_missing",
        "Lessons have no outcome yet: {}.",
        "Record what became of them.",
        "SELECT reference FROM lessons WHERE :person IN (student_id, teacher_id) AND status = 'scheduled'"
        " AND scheduled_start_at <= :now ORDER BY scheduled_start_at",
    ),
    Obstacle(
        "series_running",
        "Weekly lessons are running: {}.",
        "Cancel the series.",
        "SELECT reference FROM lesson_series WHERE :person IN (student_id, teacher_id) AND status = 'active' ORDER BY id",
    ),
    Obstacle(
        "waits_for_a_slot",
        "They wait for a free time: {}.",
        "Take them off the waitlist.",
        "SELECT reference FROM waitlist_entries WHERE student_id = :person AND status IN ('waiting', 'offered') ORDER BY id",
    ),
    Obstacle(
        "lessons_left",
        "Packages have lessons left: {}.",
        "Refund or revoke them, or wait until they expire.",
        "SELECT reference FROM packages WHERE student_id = :person AND status IN ('pending', 'active')"
        " AND (expires_at IS NULL OR expires_at > :now OR frozen_at IS NOT NULL)"
        " AND (available + reserved > 0 OR status = 'pending') ORDER BY id",
    ),
    Obstacle(
        "payment_open",
        "Payments are not decided: {}.",
        "Wait for the money, or record that it failed.",
        "SELECT reference FROM payments WHERE student_id = :person AND status = 'pending' ORDER BY id",
    ),
    Obstacle(
        "refund_open",
        "Refunds are on their way: {}.",
        "Wait until they have arrived.",
        f"SELECT reference FROM refunds WHERE {PAYMENTS} AND status = 'pending' ORDER BY id",  # constants
    ),
    Obstacle(
        "approval_open",
        "Something about their payments waits for a second person: {}.",
        "Decide it on Approvals.",
        "SELECT p.reference FROM approvals a JOIN payments p ON p.id = a.payment_id"
        " WHERE p.student_id = :person AND a.status = 'pending' ORDER BY a.id",
    ),
    Obstacle(
        "dispute_open",
        "Disputes are open: {}.",
        "Wait for the bank's decision.",
        f"SELECT reference FROM disputes WHERE {PAYMENTS} AND status = 'open' ORDER BY id",  # constants
    ),
    Obstacle(
        "money_unexplained",
        "Money of theirs is not explained: {}.",
        "Resolve it under Payment exceptions or Exceptions.",
        "SELECT p.reference FROM payment_exceptions e JOIN payments p ON p.id = e.payment_id"
        " WHERE p.student_id = :person AND e.resolved_at IS NULL"
        f" UNION SELECT reference FROM reconciliation_exceptions WHERE {PAYMENTS} AND status IN ('open', 'escalated')",
    ),
    Obstacle(
        "stands_for_a_child",
        "They stand for {}.",
        "Remove them as guardian, or give the child another one first.",
        "SELECT s.reference FROM guardians g JOIN users s ON s.id = g.student_id"
        " WHERE g.guardian_id = :person AND s.is_active ORDER BY g.id",
    ),
    Obstacle(
        "has_tasks",
        "Tasks are theirs to do: {}.",
        "Finish them or give them to somebody else.",
        "SELECT 'due ' || coalesce(due_on::text, 'some day') FROM tasks WHERE owner_id = :person AND status = 'open' ORDER BY id",
    ),
    Obstacle(
        "work_unpaid",
        "Lessons that they gave are on no statement: {}.",
        "Approve the statements of those months.",
        "SELECT l.reference FROM lessons l WHERE l.teacher_id = :person AND l.status = 'completed'"
        " AND EXISTS (SELECT FROM teacher_rates r WHERE r.teacher_id = l.teacher_id)"
        " AND NOT EXISTS (SELECT FROM statement_lines s WHERE s.lesson_id = l.id) ORDER BY l.scheduled_start_at",
    ),
)


def obstacles(session: Session, person: User, *, now: object, actor_id: UUID | None) -> list[Reason]:
    """Every reason why the person cannot be erased now; empty when they can. Each looks at a few rows by an index."""
    found = _of_the_account(person, actor_id)
    for each in OBSTACLES:
        query = text(f"SELECT * FROM ({each.sql} LIMIT {NAMED + 1}) named")
        labels = list(session.scalars(query, {"person": person.id, "now": now}))
        if labels:
            found.append(Reason(each.code, each.detail.format(_listed(labels)), each.fix))
    return found


def _of_the_account(person: User, actor_id: UUID | None) -> list[Reason]:
    if person.erased_at is not None:
        return [Reason("person_erased", "The person was erased already.")]
    if person.id == actor_id:
        return [Reason("own_account", "Nobody erases themselves.", "Ask another admin.")]
    if person.is_active and person.role in STAFF_ROLES | {Role.TEACHER}:
        return [Reason("still_active", "They still work here.", "Deactivate them first.")]
    return []


def _listed(labels: list[str]) -> str:
    return ", ".join(labels[:NAMED]) + (" and more" if len(labels) > NAMED else "")
