"""What is told because of how things stand, and not because something happened: reminders of lessons, outcomes that are
missing, packages that are nearly used up.

Found by state: whatever has no message yet and should have one gets it, however late this runs and however often. Each is
one statement to find a batch and one to write its rows. The id of the event is made of the record, so nothing is told twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, TextClause, text

from guitaronline import clock, policy
from guitaronline.db import technical_transaction
from guitaronline.notifications import quiet
from guitaronline.notifications.audience import Receiver, Wanted, receivers
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.planning import News, rows_of, write
from guitaronline.notifications.truth_of_money import LOW

Facts = Callable[[datetime], dict[str, Any]]  # a query's parameters, by the moment at which it is asked

AT_ONCE = 1000  # records in one transaction
WITHOUT_OUTCOME = timedelta(hours=12)
OUTCOME_BACK = timedelta(days=7)  # older ones are for the office
LOW_BACK = timedelta(days=3)
# Until the database has counted messages again after a flood, it takes them for few and would read all of them for each lesson.
BY_INDEX = text("SET LOCAL enable_seqscan = off")
LOW_FROM = 3  # lessons a package must have had: of a single lesson nobody runs low

# ix_bookings_start. Who booked later than the reminder was due has just read the confirmation; where the nearer reminder is
# due already, that one is enough. A substitute is reminded too.
LESSONS = text("""
SELECT b.id, b.student_id, b.teacher_id, b.start_at, b.revision, e.id AS event_id
  FROM bookings b CROSS JOIN LATERAL (SELECT CAST(md5(b.id || '/reminder/' || :hours) AS uuid) AS id) e
 WHERE b.status = 'confirmed' AND b.start_at > :after AND b.start_at <= :until
   AND b.confirmed_at <= b.start_at - make_interval(hours => :hours)
   AND (NOT EXISTS (SELECT FROM messages m WHERE m.event_id = e.id AND m.person_id = b.student_id)
     OR NOT EXISTS (SELECT FROM messages m WHERE m.event_id = e.id AND m.person_id = b.teacher_id))
 ORDER BY b.start_at, b.id LIMIT :limit
""")
# ix_lessons_open_end
OUTCOMES = text("""
SELECT l.id, l.teacher_id, l.scheduled_end_at, e.id AS event_id
  FROM lessons l CROSS JOIN LATERAL (SELECT CAST(md5(l.id || '/outcome/' || l.teacher_id) AS uuid) AS id) e
 WHERE l.status = 'scheduled' AND l.scheduled_end_at <= :ended AND l.scheduled_end_at > :since
   AND NOT EXISTS (SELECT FROM messages m WHERE m.event_id = e.id AND m.person_id = l.teacher_id)
 ORDER BY l.scheduled_end_at LIMIT :limit
""")
# ix_packages_little_left. Once for each number of lessons that it holds: more lessons later may run low again.
PACKAGES = text("""
SELECT p.id, p.student_id, p.little_left_at, e.id AS event_id
  FROM packages p CROSS JOIN LATERAL (SELECT CAST(md5(p.id || '/low/' || p.lessons_total) AS uuid) AS id) e
 WHERE p.little_left_at > :since AND p.status IN ('active', 'depleted') AND NOT p.is_trial AND p.frozen_at IS NULL
   AND p.available + p.reserved <= :low AND p.lessons_total >= :least AND (p.expires_at IS NULL OR p.expires_at > :now)
   AND NOT EXISTS (SELECT FROM messages m WHERE m.event_id = e.id AND m.person_id = p.student_id)
 ORDER BY p.little_left_at LIMIT :limit
""")


def reminder_hours() -> list[int]:
    """The furthest first."""
    written = policy.current().REMINDER_HOURS
    return sorted(map(int, written.split(",")), reverse=True) if written != "off" else []


def remind(hours: int, *, limit: int = AT_ONCE) -> int:
    """The people of every lesson that starts within these hours are reminded of it; returns how many lessons, at most `limit`.

    Rows are made ahead by the length of the quiet hours, so that who sleeps when it is due can be told before."""
    waking = quiet.read_quiet_hours(policy.current().QUIET_HOURS)
    ahead = waking.length if waking else timedelta(0)
    with technical_transaction() as session:
        session.execute(BY_INDEX)
        now = clock.read(session)
        nearer = timedelta(hours=max((each for each in reminder_hours() if each < hours), default=0))
        told = {"hours": hours, "after": now + nearer, "until": now + timedelta(hours=hours) + ahead, "limit": limit}
        found = session.execute(LESSONS, told).all()
        people = receivers(session, _parties(found), KINDS["lesson_reminder"].preference)
        due = {str(row.event_id): _Due(row, hours, row.start_at - nearer) for row in found}
        rows = [row for each in people for row in due[each.key].rows(each, waking, now)]
        write(session, rows, now)
    return len(found)


def _parties(found: Sequence[Row[Any]]) -> Iterator[Wanted]:
    for row in found:
        yield Wanted(str(row.event_id), row.student_id, with_guardians=True)
        yield Wanted(str(row.event_id), row.teacher_id)


@dataclass(frozen=True)
class _Due:
    """A lesson, and how long before it its people are reminded."""

    lesson: Row[Any]
    hours: int
    not_after: datetime  # then the nearer one goes, or the lesson begins

    def rows(self, receiver: Receiver, waking: quiet.QuietHours | None, now: datetime) -> Iterator[dict[str, Any]]:
        lesson = self.lesson
        due = lesson.start_at - timedelta(hours=self.hours)
        tell_at = max(quiet.around_quiet(due, ZoneInfo(receiver.timezone), waking, latest=lesson.start_at), now)
        facts = {"hours": self.hours, "revision": lesson.revision, "start_at": lesson.start_at.isoformat()}
        news = News(
            KINDS["lesson_reminder"], lesson.event_id, "bookings", lesson.id, facts, tell_at, not_after=self.not_after
        )
        return rows_of(news, receiver, now, available_at=tell_at)


def ask_for_outcomes(*, limit: int = AT_ONCE) -> int:
    """The teacher of every lesson that ended 12 hours ago and has no outcome is asked for it once; returns how many."""

    def facts(now: datetime) -> dict[str, Any]:
        return {"ended": now - WITHOUT_OUTCOME, "since": now - OUTCOME_BACK}

    return _tell(OUTCOMES, facts, "outcome_missing", "lessons", "teacher_id", limit)


def warn_of_low_packages(*, limit: int = AT_ONCE) -> int:
    """Whoever has one lesson left or none, of several, is told once; returns how many packages."""

    def facts(now: datetime) -> dict[str, Any]:
        return {"now": now, "since": now - LOW_BACK, "low": LOW, "least": LOW_FROM}

    return _tell(PACKAGES, facts, "package_low", "packages", "student_id", limit)


def _tell(  # noqa: PLR0917
    query: TextClause, facts: Facts, kind_name: str, table: str, whom: str, limit: int
) -> int:
    kind = KINDS[kind_name]
    with technical_transaction() as session:
        session.execute(BY_INDEX)
        now = clock.read(session)
        found = {str(row.event_id): row for row in session.execute(query, {**facts(now), "limit": limit})}
        wanted = [Wanted(key, getattr(row, whom), with_guardians=whom == "student_id") for key, row in found.items()]
        rows: list[dict[str, Any]] = []
        for each in receivers(session, wanted, kind.preference):
            ends = now + kind.makes_sense_for if kind.makes_sense_for else None
            news = News(kind, UUID(each.key), table, found[each.key].id, {}, now, ends)
            rows += rows_of(news, each, now)
        write(session, rows, now)
    return len(found)
