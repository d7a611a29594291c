"""What the school owes its students, and how that came about: every price in its four parts, at any moment of the past.

Read from what is append-only: the entries of the ledger, and the audit for outcomes that were corrected since. The parts of
a package add up to its price (`billing/worth.py`), so what is owed at the end of a month is what was owed at its beginning,
and what was sold, less what was earned, expired and taken back. Test accounts never count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from guitaronline.billing.worth import sql_owed, sql_worth
from guitaronline.finance.months import Month

LONG = text("SET LOCAL statement_timeout = '2min'")  # the ledger of years is added up
TURNED = "('lesson.correct_outcome', 'booking.restore')"  # the commands after which a lesson that was delivered is not, or is anew
FROZE = "('package.freeze', 'package.unfreeze')"


def _before(table: str, names: str, at: str) -> str:
    """What the columns of rows said at that moment which these commands changed since. ix_audit_actions_name"""
    return f"""
SELECT c.row_id, jsonb_object_agg(b.key, b.value ORDER BY c.id DESC) AS was
  FROM audit_actions a JOIN audit_changes c ON c.action_id = a.id AND c.table_name = '{table}'
 CROSS JOIN LATERAL jsonb_each(c.before) b
 WHERE a.name IN {names} AND a.at >= {at} GROUP BY c.row_id"""  # noqa: S608  # constants of this file


def positions(at: str) -> str:
    """A SELECT of every priced package as it stood at the moment that the parameter `at` names, one row each."""
    total = "(e.unused + e.consumed + e.expired + e.revoked)"
    delivered = "(coalesce(d.delivered, 0) + e.brought)"  # and what was used before the school moved in
    gone = f"e.expired + e.revoked + {delivered}"

    def first(lessons: str) -> str:
        return sql_worth(lessons, total=total)

    return f"""
SELECT p.id AS package_id, p.reference, p.student_id, p.plan_id, p.currency, p.price_minor, p.activated_at, p.books_breakage,
       {total} AS lessons_total, {total} - ({gone}) AS owed, {delivered} AS delivered, e.expired, e.revoked,
       CASE WHEN f.was ? 'frozen_at' THEN f.was ->> 'frozen_at' IS NOT NULL ELSE p.frozen_at IS NOT NULL AND p.frozen_at < {at} END AS is_frozen,
       {sql_owed(f"{total} - ({gone})", total=total)} AS owed_minor,
       {first("e.expired")} AS expired_minor,
       {first("e.expired + e.revoked")} - {first("e.expired")} AS revoked_minor,
       {first(gone)} - {first("e.expired + e.revoked")} AS earned_minor
  FROM (SELECT package_id, sum(d_available + d_reserved) AS unused, sum(d_consumed) AS consumed, sum(d_expired) AS expired,
               sum(d_revoked) AS revoked, coalesce(sum(d_consumed) FILTER (WHERE kind = 'opening'), 0) AS brought FROM credit_entries WHERE created_at < {at} GROUP BY package_id) e
  JOIN packages p ON p.id = e.package_id
  LEFT JOIN (
    SELECT l.package_id, count(*) AS delivered
      FROM lessons l JOIN bookings b ON b.id = l.booking_id LEFT JOIN ({_before("lessons", TURNED, at)}) c ON c.row_id = l.id
     CROSS JOIN LATERAL (SELECT coalesce(c.was ->> 'status', l.status) AS status,
                                coalesce(CAST(c.was ->> 'is_returned' AS boolean), l.is_returned) AS is_returned,
                                CASE WHEN c.was ? 'no_show_side' THEN c.was ->> 'no_show_side' ELSE l.no_show_side END AS side,
                                CASE WHEN c.was ? 'outcome_at' THEN CAST(c.was ->> 'outcome_at' AS timestamptz) ELSE l.outcome_at END
                                  AS outcome_at) s
     WHERE NOT s.is_returned AND (s.status IN ('completed', 'canceled') OR (s.status = 'no_show' AND s.side = 'student'))
       AND coalesce(b.canceled_at, s.outcome_at) < {at} GROUP BY l.package_id) d ON d.package_id = p.id
  LEFT JOIN ({_before("packages", FROZE, at)}) f ON f.row_id = p.id
 WHERE p.price_minor > 0 AND {total} > 0
   AND p.student_id <> ALL (ARRAY(SELECT u.id FROM users u WHERE u.is_test))"""  # noqa: S608  # put together from constants


POSITIONS = positions(":at")
REPORT = text(f"""
SELECT t.currency, t.plan_id, min(q.name) AS plan, count(*) AS packages, sum(t.price_minor) AS price_minor,
       sum(t.owed) AS owed, sum(t.owed_minor) AS owed_minor,
       coalesce(sum(t.owed) FILTER (WHERE t.is_frozen), 0) AS frozen, coalesce(sum(t.owed_minor) FILTER (WHERE t.is_frozen), 0) AS frozen_minor,
       sum(t.expired) AS expired, coalesce(sum(t.expired_minor) FILTER (WHERE t.books_breakage), 0) AS breakage_minor,
       coalesce(sum(t.expired_minor) FILTER (WHERE NOT t.books_breakage), 0) AS lapsed_minor,
       sum(t.revoked_minor) AS revoked_minor, sum(t.delivered) AS delivered, sum(t.earned_minor) AS earned_minor
  FROM ({POSITIONS}) t LEFT JOIN plans q ON q.id = t.plan_id
 GROUP BY t.currency, t.plan_id ORDER BY t.currency, min(q.name) NULLS LAST, t.plan_id
""")  # noqa: S608  # put together from constants
OF_PLAN = "t.currency = :currency AND t.plan_id IS NOT DISTINCT FROM CAST(:plan_id AS uuid)"
PACKAGES = text(f"""
SELECT t.package_id, t.reference, t.student_id, t.lessons_total, t.price_minor, t.currency, t.owed, t.owed_minor, t.delivered,
       t.earned_minor, t.expired, t.expired_minor, t.revoked, t.revoked_minor, t.is_frozen
  FROM ({POSITIONS}) t WHERE {OF_PLAN} AND (t.owed > 0 OR t.expired > 0) AND (CAST(:after AS uuid) IS NULL OR t.package_id < :after)
 ORDER BY t.package_id DESC LIMIT :limit
""")  # noqa: S608


@dataclass(frozen=True)
class Line:
    """One plan in one currency at a moment; amounts in minor units. They add up: price = owed + earned + breakage + lapsed +
    revoked. `lapsed`: expired, where the plan does not book breakage; `plan` None: granted without one."""

    currency: str
    plan_id: UUID | None
    plan: str | None
    packages: int
    price_minor: int
    owed: int
    owed_minor: int
    frozen: int
    frozen_minor: int
    expired: int
    breakage_minor: int
    lapsed_minor: int
    revoked_minor: int
    delivered: int
    earned_minor: int


@dataclass(frozen=True)
class Standing:
    """One package at a moment."""

    package_id: UUID
    reference: str
    student_id: UUID
    lessons_total: int
    price_minor: int
    currency: str
    owed: int
    owed_minor: int
    delivered: int
    earned_minor: int
    expired: int
    expired_minor: int
    revoked: int
    revoked_minor: int
    is_frozen: bool


@dataclass(frozen=True)
class Movement:
    """How what is owed for one plan in one currency changed: opening + sold − earned − breakage − lapsed − revoked = closing."""

    currency: str
    plan_id: UUID | None
    plan: str | None
    opening_minor: int
    sold_minor: int
    earned_minor: int
    breakage_minor: int
    lapsed_minor: int
    revoked_minor: int
    closing_minor: int


def report(session: Session, at: datetime) -> list[Line]:
    """Every plan and currency with packages sold by then, by currency and name. Reads the whole ledger up to `at`."""
    session.execute(LONG)
    return [_line(row) for row in session.execute(REPORT, {"at": at}).mappings()]


def packages_of(
    session: Session,
    at: datetime,
    *,
    currency: str,
    plan_id: UUID | None,
    after: UUID | None = None,
    limit: int = 100,
) -> list[Standing]:
    """The packages of one line with something owed or expired, the newest first; `after` is the id of the last one seen."""
    session.execute(LONG)
    told = {"at": at, "currency": currency, "plan_id": plan_id, "after": after, "limit": limit}
    return [_standing(row) for row in session.execute(PACKAGES, told).mappings()]


def movements(session: Session, month: Month) -> list[Movement]:
    """Of every plan and currency that stood for something at the beginning or the end of the month."""
    return between(report(session, month.start), report(session, month.end))


def between(opening: Sequence[Line], closing: Sequence[Line]) -> list[Movement]:
    """A rule: what happened from one report to a later one."""
    before = {(each.currency, each.plan_id): each for each in opening}
    return [_movement(before.get((each.currency, each.plan_id)), each) for each in closing]


def _movement(before: Line | None, after: Line) -> Movement:
    def grown(name: str) -> int:
        return int(getattr(after, name) - (getattr(before, name) if before else 0))

    return Movement(
        currency=after.currency,
        plan_id=after.plan_id,
        plan=after.plan,
        opening_minor=before.owed_minor if before else 0,
        sold_minor=grown("price_minor"),
        earned_minor=grown("earned_minor"),
        breakage_minor=grown("breakage_minor"),
        lapsed_minor=grown("lapsed_minor"),
        revoked_minor=grown("revoked_minor"),
        closing_minor=after.owed_minor,
    )


def _line(row: RowMapping) -> Line:
    return Line(**_whole(row, "currency", "plan_id", "plan"))


def _standing(row: RowMapping) -> Standing:
    return Standing(**_whole(row, "package_id", "reference", "student_id", "currency", "is_frozen"))


def _whole(row: RowMapping, *other: str) -> dict[str, Any]:
    """Sums of PostgreSQL come as decimals; these are whole numbers."""
    return {str(name): value if name in other else int(value) for name, value in row.items()}
