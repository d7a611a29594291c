"""Statements of teachers: previewed by the rule that approves, approved by another person, and then locked.

A lesson is versioned by what it was paid for: where its outcome is another one after its month was locked, a correction
lands on the next statement that is approved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.orm import Session

from guitaronline.db import array
from guitaronline.errors import NotAllowed, Reason
from guitaronline.finance import months, pay
from guitaronline.finance.months import Month
from guitaronline.finance.pay import Extra, Outcome, Preview, Taught
from guitaronline.finance.rates import lock_teacher, statement_of
from guitaronline.finance.refusals import (
    ApproverIsTeacher,
    MonthNotOver,
    NothingToPay,
    RateMissing,
    StatementApproved,
    StatementChanged,
)
from guitaronline.finance.statement_models import (
    StatementExtra,
    StatementLine,
    TeacherRate,
    TeacherStatement,
)
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

REASONS_SHOWN = 20
_TAUGHT = """
SELECT l.teacher_id, l.id AS lesson_id, l.reference, l.scheduled_start_at, CAST(extract(epoch FROM l.scheduled_end_at - l.scheduled_start_at) / 60 AS int) AS minutes,
       CASE WHEN l.status = 'completed' THEN 'given'
            WHEN l.status = 'no_show' AND l.no_show_side = 'student' THEN 'student no-show'
            WHEN l.status = 'canceled' AND b.cancel_cause = 'student' AND b.refund_returned IS FALSE THEN 'late cancel'
            ELSE 'nothing' END AS outcome,
       l.status = 'scheduled' AS is_open, coalesce(s.revision, 0) AS paid_revision, coalesce(s.outcome, 'nothing') AS paid_for,
       coalesce(s.paid_minor, 0) AS paid_minor
  FROM lessons l JOIN bookings b ON b.id = l.booking_id {joined}
  LEFT JOIN LATERAL (SELECT max(revision) AS revision, CAST(sum(amount_minor) AS bigint) AS paid_minor,
                            (array_agg(outcome ORDER BY revision DESC))[1] AS outcome
                       FROM statement_lines WHERE lesson_id = l.id) s ON true
 WHERE l.teacher_id = ANY(CAST(:teachers AS uuid[])) AND {when}
 ORDER BY l.scheduled_start_at, l.id"""
# ix_lessons_teacher_start, uq_statement_lines_revision
OF_MONTH = text(_TAUGHT.format(joined="", when="l.scheduled_start_at >= :start AND l.scheduled_start_at < :end"))
# Of locked months only what was written since: whatever was decided while the statement was drawn up was committed within a day.
OF_LOCKED = text(
    _TAUGHT.format(
        joined="JOIN teacher_statements t ON t.teacher_id = l.teacher_id"
        " AND t.month = CAST(date_trunc('month', l.scheduled_start_at AT TIME ZONE :zone) AS date)",
        when="NOT (l.scheduled_start_at >= :start AND l.scheduled_start_at < :end) AND l.updated_at >= t.approved_at - interval '1 day'",
    )
)
TEACHERS = text("""
SELECT u.id, u.full_name FROM users u
 WHERE u.role = 'teacher' AND NOT u.is_test
   AND (EXISTS (SELECT FROM lessons l WHERE l.teacher_id = u.id AND l.scheduled_start_at >= :start AND l.scheduled_start_at < :end)
        OR EXISTS (SELECT FROM statement_extras x WHERE x.teacher_id = u.id AND x.month = :month))
   AND (CAST(:after AS text) IS NULL OR (u.full_name, u.id) > (:after, CAST(:after_id AS uuid)))
 ORDER BY u.full_name, u.id LIMIT :limit
""")


@dataclass(frozen=True)
class OfTeacher:
    """One teacher in a month's round: what was approved, else what would be."""

    teacher_id: UUID
    full_name: str
    statement: TeacherStatement | None
    preview: Preview | None
    totals: dict[str, int]


def preview(session: Session, teacher_id: UUID, month: Month) -> Preview:
    """What the teacher's statement of the month would say now."""
    return previews(session, [teacher_id], month)[teacher_id]


def previews(session: Session, teacher_ids: Sequence[UUID], month: Month) -> dict[UUID, Preview]:
    """The same for each of these teachers, in four statements whatever their number."""
    told = {"teachers": array(teacher_ids), "start": month.start, "end": month.end, "zone": months.zone().key}
    own, locked = (_taught_by(session.execute(each, told).mappings()) for each in (OF_MONTH, OF_LOCKED))
    extras: dict[UUID, list[Extra]] = defaultdict(list)
    query = select(StatementExtra).where(
        StatementExtra.teacher_id.in_(teacher_ids), StatementExtra.month == month.first_day
    )
    for each in session.scalars(query.order_by(StatementExtra.id)):
        extras[each.teacher_id].append(Extra(each.id, each.kind, each.amount_minor, each.currency, each.reason))
    rates: dict[UUID, list[TeacherRate]] = defaultdict(list)
    for rate in session.scalars(select(TeacherRate).where(TeacherRate.teacher_id.in_(teacher_ids))):
        rates[rate.teacher_id].append(rate)
    return {each: pay.draw_up(own[each], locked[each], extras[each], rates[each]) for each in teacher_ids}


@command("statement.approve", creates="teacher_statements")
def approve_statement(
    work: Work, *, teacher_id: UUID, month: Month, seen: str | None = None, reason: str | None = None
) -> TeacherStatement:
    """The teacher's month is locked with these lines. `seen`: digest of the preview that was looked at.

    Locks the teacher. The same person's second call gives the statement that stands. Raises ApproverIsTeacher, MonthNotOver,
    StatementApproved, RateMissing naming the lessons, StatementChanged, NothingToPay."""
    access.require(work.actor, Permission.KEEP_BOOKS)
    if work.actor.id is None:
        raise NotAllowed("A statement is approved by a person.")
    if work.actor.id == teacher_id:
        raise ApproverIsTeacher()
    lock_teacher(work, teacher_id)
    if not month.is_over(work.now):
        raise MonthNotOver(ends=month.last_day.isoformat())
    standing = statement_of(work, teacher_id, month)
    if standing is not None:
        if standing.approved_by == work.actor.id:
            return standing
        raise StatementApproved(month=month.written())
    found = preview(work.session, teacher_id, month)
    if found.without_rate:
        raise RateMissing(reasons=[_no_rate(each) for each in found.without_rate[:REASONS_SHOWN]])
    if seen is not None and seen != found.digest:
        raise StatementChanged()
    if not found.lines:
        raise NothingToPay()
    return _write(work, teacher_id, month, found)


def _write(work: Work, teacher_id: UUID, month: Month, found: Preview) -> TeacherStatement:
    statement = TeacherStatement(
        id=work.record_id,
        teacher_id=teacher_id,
        month=month.first_day,
        approved_by=work.actor.id,
        approved_at=work.now,
    )
    work.add(statement)
    work.session.flush()
    for position, each in enumerate(found.lines, start=1):
        work.add(StatementLine(statement_id=statement.id, position=position, **asdict(each)))
    work.session.flush()
    work.emit("statement.approved", statement, teacher_id=str(teacher_id), month=month.written())
    return statement


@command("statement.take_out", on="teacher_statements")
def take_out(work: Work, statement_id: UUID, *, kind: str) -> TeacherStatement:
    """It is written down that the statement goes out as a file now. Raises NotFound."""
    statement = work.find(TeacherStatement, statement_id)
    access.require(work.actor, Permission.READ_STATEMENTS, own=statement.teacher_id == work.actor.id)
    return statement


def lines_of(session: Session, statement_id: UUID) -> list[StatementLine]:
    """As they were approved, in their order."""
    query = select(StatementLine).where(StatementLine.statement_id == statement_id)
    return list(session.scalars(query.order_by(StatementLine.position)))


def totals_of(session: Session, statement_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    """Minor units for each currency. uq_statement_lines_position"""
    rows = session.execute(TOTALS, {"ids": statement_ids})
    found: dict[UUID, dict[str, int]] = {each: {} for each in statement_ids}
    for row in rows:
        found[row.statement_id][row.currency] = int(row.total)
    return found


TOTALS = text("""
SELECT statement_id, currency, sum(amount_minor) AS total FROM statement_lines WHERE statement_id = ANY(CAST(:ids AS uuid[]))
 GROUP BY statement_id, currency ORDER BY currency
""")


def statements_of(session: Session, teacher_id: UUID, *, limit: int = 36) -> list[TeacherStatement]:
    """The newest month first. uq_teacher_statements_month"""
    query = select(TeacherStatement).where(TeacherStatement.teacher_id == teacher_id)
    return list(session.scalars(query.order_by(TeacherStatement.month.desc()).limit(limit)))


def round_of(
    session: Session, month: Month, *, after: tuple[str, UUID] | None = None, limit: int = 50
) -> list[OfTeacher]:
    """Teachers with lessons or other work in the month, by name; `after`: name and id of the last one seen."""
    told = {"start": month.start, "end": month.end, "month": month.first_day, "limit": limit}
    told |= {"after": after[0] if after else None, "after_id": after[1] if after else None}
    people = session.execute(TEACHERS, told).all()
    query = select(TeacherStatement).where(
        TeacherStatement.month == month.first_day, TeacherStatement.teacher_id.in_([each.id for each in people])
    )
    standing = {each.teacher_id: each for each in session.scalars(query)}
    sums = totals_of(session, [each.id for each in standing.values()])
    waiting = previews(session, [each.id for each in people if each.id not in standing], month)
    return [_of_teacher(each, standing.get(each.id), sums, waiting) for each in people]


def _of_teacher(
    person: Any,
    statement: TeacherStatement | None,
    sums: dict[UUID, dict[str, int]],
    waiting: dict[UUID, Preview],
) -> OfTeacher:
    if statement is not None:
        return OfTeacher(person.id, person.full_name, statement, None, sums[statement.id])
    found = waiting[person.id]
    return OfTeacher(person.id, person.full_name, None, found, found.totals)


def _taught_by(rows: Iterable[RowMapping]) -> dict[UUID, list[Taught]]:
    found: dict[UUID, list[Taught]] = defaultdict(list)
    for row in rows:
        found[row["teacher_id"]].append(_taught(row))
    return found


def _taught(row: RowMapping) -> Taught:
    facts: dict[str, Any] = {str(name): value for name, value in row.items() if name != "teacher_id"}
    start = facts.pop("scheduled_start_at")
    facts |= {"outcome": Outcome(facts["outcome"]), "paid_for": Outcome(facts["paid_for"])}
    return Taught(day=months.day_of(start), **facts)


def _no_rate(taught: Taught) -> Reason:
    return Reason(
        "rate_missing",
        f"{taught.reference} on {taught.day} takes {taught.minutes} minutes, and no rate holds for it.",
        "Set a rate from that day or earlier.",
        facts={"lesson_id": str(taught.lesson_id), "day": taught.day.isoformat(), "minutes": taught.minutes},
    )
