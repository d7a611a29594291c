"""Which days must be counted anew: those that a committed change moved a row on, out of or into.

The audit has every change of every business row, written by the database itself in the change's own transaction, so no
writer has to think of this and none is slowed down. Ids commit out of order; what was looked at is told by transaction:
every change of a transaction before `seen_xid`, and none after it. See docs/decisions/0009-days-from-the-audit.md."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.kpis import days

# Of each table: the rows a change is about, and the moments by which they count. What a changed row was before stands in the
# audit's `before`. Rows of a person who became a test account, or stopped being one, count as changed.
_CHANGED = """
  WITH changed AS (
    SELECT c.table_name, c.row_id, c.before, c.after
      FROM audit_changes c JOIN audit_actions a ON a.id = c.action_id
     WHERE c.id > :change_id AND a.xid >= CAST(:seen_xid AS xid8) AND a.xid < CAST(:until_xid AS xid8)
       AND c.table_name IN ('bookings', 'lessons', 'availability_slots', 'packages', 'payments', 'refunds',
                            'disputes', 'refund_credits', 'users')),
  people AS (SELECT row_id AS id FROM changed WHERE table_name = 'users' AND before ? 'is_test'),
  bought AS (
    SELECT p.student_id FROM packages p JOIN changed c ON c.row_id = p.id WHERE c.table_name = 'packages'
       AND (c.before IS NULL OR c.after ?| ARRAY['activated_at', 'price_minor', 'lessons_total', 'currency', 'is_trial', 'origin'])),
  moments (at, days_on) AS (
    SELECT v.at, 0 FROM bookings t CROSS JOIN LATERAL (VALUES (t.start_at), (t.created_at), (t.canceled_at)) v(at)
     WHERE t.id IN (SELECT row_id FROM changed WHERE table_name = 'bookings')
        OR t.student_id IN (SELECT id FROM people) OR t.teacher_id IN (SELECT id FROM people)
    UNION ALL
    SELECT t.scheduled_start_at, :quiet_days FROM lessons t
     WHERE t.id IN (SELECT row_id FROM changed WHERE table_name = 'lessons')
        OR t.student_id IN (SELECT id FROM people) OR t.teacher_id IN (SELECT id FROM people)
    UNION ALL
    SELECT t.start_at, 0 FROM availability_slots t
     WHERE t.id IN (SELECT row_id FROM changed WHERE table_name = 'availability_slots') OR t.teacher_id IN (SELECT id FROM people)
    UNION ALL
    SELECT t.activated_at, 0 FROM packages t
     WHERE t.student_id IN (SELECT student_id FROM bought) OR t.student_id IN (SELECT id FROM people)
    UNION ALL
    SELECT l.scheduled_start_at, 0 FROM lessons l JOIN changed c ON c.row_id = l.package_id
     WHERE c.table_name = 'packages' AND c.before ?| ARRAY['price_minor', 'lessons_total', 'currency']
    UNION ALL
    SELECT t.paid_at, 0 FROM payments t
     WHERE t.id IN (SELECT row_id FROM changed WHERE table_name = 'payments') OR t.student_id IN (SELECT id FROM people)
    UNION ALL
    SELECT t.settled_at, 0 FROM refunds t JOIN payments p ON p.id = t.payment_id
     WHERE t.id IN (SELECT row_id FROM changed WHERE table_name = 'refunds') OR p.student_id IN (SELECT id FROM people)
    UNION ALL
    SELECT t.decided_at, 0 FROM disputes t JOIN payments p ON p.id = t.payment_id
     WHERE t.id IN (SELECT row_id FROM changed WHERE table_name = 'disputes') OR p.student_id IN (SELECT id FROM people)
    UNION ALL
    SELECT t.created_at, 0 FROM refund_credits t JOIN payments p ON p.id = t.payment_id
     WHERE t.id IN (SELECT row_id FROM changed WHERE table_name = 'refund_credits') OR p.student_id IN (SELECT id FROM people)
    UNION ALL
    SELECT CASE WHEN v.key IN ('start_at', 'created_at', 'canceled_at', 'scheduled_start_at', 'activated_at', 'paid_at', 'settled_at', 'decided_at')
                THEN CAST(v.value AS timestamptz) END, CASE v.key WHEN 'scheduled_start_at' THEN :quiet_days ELSE 0 END
      FROM changed c CROSS JOIN LATERAL jsonb_each_text(c.before) v)
  SELECT DISTINCT CAST(CAST(m.at AT TIME ZONE :zone AS date) + g AS date) AS day
    FROM moments m CROSS JOIN LATERAL generate_series(0, m.days_on) g
   WHERE m.at IS NOT NULL AND CAST(m.at AT TIME ZONE :zone AS date) + g <= CAST(:until AS date)"""
TOUCHED_BY_CHANGES = text(_CHANGED)
TOUCH = text(f"INSERT INTO kpi_touched (day) {_CHANGED} ON CONFLICT DO NOTHING")  # our own text
TOUCH_SPAN = text(
    "INSERT INTO kpi_touched (day) SELECT CAST(d AS date) FROM generate_series(CAST(:first AS date), CAST(:last AS date),"
    " interval '1 day') d ON CONFLICT DO NOTHING"
)
HERE = text("""
SELECT CAST(pg_snapshot_xmin(s) AS text) AS xmin, CAST(pg_snapshot_xmax(s) AS text) AS xmax,
       (SELECT coalesce(max(id), 0) FROM audit_changes) AS last_change,
       (SELECT CAST(system_identifier AS text) FROM pg_control_system()) AS cluster
  FROM pg_current_snapshot() s
""")
FIRST_STORED = text("SELECT min(day) FROM kpi_days")
FIRST_MOMENT = text("""
SELECT least((SELECT min(start_at) FROM bookings), (SELECT min(created_at) FROM bookings),
             (SELECT min(start_at) FROM availability_slots), (SELECT min(activated_at) FROM packages),
             (SELECT min(paid_at) FROM payments), (SELECT min(settled_at) FROM refunds))
""")
PROGRESS = text("""
SELECT timezone, cluster, counted_until, CAST(seen_xid AS text) AS seen_xid, change_id, ceiling_id,
       CAST(ceiling_xid AS text) AS ceiling_xid, looked_at FROM kpi_progress
""")
LOCK = text("SELECT pg_advisory_xact_lock(hashtext('guitaronline kpi touching'))")
KEEP = text("""
INSERT INTO kpi_progress (id, timezone, cluster, counted_until, seen_xid, change_id, ceiling_id, ceiling_xid, looked_at)
VALUES (1, :timezone, :cluster, :counted_until, CAST(:seen_xid AS xid8), :change_id, :ceiling_id, CAST(:ceiling_xid AS xid8), :looked_at)
ON CONFLICT (id) DO UPDATE SET timezone = EXCLUDED.timezone, cluster = EXCLUDED.cluster, counted_until = EXCLUDED.counted_until,
       seen_xid = EXCLUDED.seen_xid, change_id = EXCLUDED.change_id, ceiling_id = EXCLUDED.ceiling_id,
       ceiling_xid = EXCLUDED.ceiling_xid, looked_at = EXCLUDED.looked_at
""")


def progress(session: Session) -> Any:
    """The row of `kpi_progress`; None before the first counting."""
    return session.execute(PROGRESS).one_or_none()


def touch(session: Session, now: datetime) -> int:
    """Every day that is over and that something moved since the last look is in `kpi_touched`; how many were put there.

    The first time, and after a restore or a change of the school's zone, that is every day. Waits for another look that
    is going on; the caller commits."""
    session.execute(LOCK)
    known, here = progress(session), session.execute(HERE).one()
    yesterday = days.today(now) - days.DAY
    if _is_new(known, here):
        found, kept = _touch_all(session, yesterday), _beginning(known, here)
    else:
        found, kept = 0, _advanced(known, here)
        if known.change_id >= 0:
            found = session.execute(TOUCH, values(known, here.xmin, yesterday)).rowcount  # type: ignore[attr-defined]
        if known.counted_until < yesterday:
            found += _touch_span(session, known.counted_until + days.DAY, yesterday)
    place = {"timezone": policy.current().SCHOOL_TIMEZONE, "cluster": here.cluster, "looked_at": now}
    session.execute(KEEP, {**kept, **place, "counted_until": yesterday, "seen_xid": here.xmin})
    return int(found)


def is_known_here(known: Any, here: Any) -> bool:
    """The counting was done in this cluster and by the days that the school has now."""
    return known is not None and (known.timezone, known.cluster) == (policy.current().SCHOOL_TIMEZONE, here.cluster)


def _is_new(known: Any, here: Any) -> bool:
    """Nothing is known that means anything here, or those who were writing at the first look have now ended."""
    if not is_known_here(known, here):
        return True
    return bool(known.change_id < 0 and int(here.xmin) >= int(known.ceiling_xid))


def _beginning(known: Any, here: Any) -> dict[str, Any]:
    """Where to read from after everything was touched. While somebody is writing that is not known (−1): they may have taken
    ids below the last one. Once they have ended, everything is touched again, and then it is."""
    ceiling = {"ceiling_id": here.last_change, "ceiling_xid": here.xmax}
    if here.xmin == here.xmax:
        return {"change_id": here.last_change, **ceiling}
    if known is not None and known.cluster == here.cluster and int(here.xmin) >= int(known.ceiling_xid):
        return {"change_id": known.ceiling_id, **ceiling}
    return {"change_id": -1, **ceiling}


def values(known: Any, until_xid: str, until: date) -> dict[str, Any]:
    """The parameters of the statement that finds the days."""
    return {
        "change_id": known.change_id,
        "seen_xid": known.seen_xid,
        "until_xid": until_xid,
        "until": until,
        "zone": known.timezone,
        "quiet_days": days.QUIET_DAYS,
    }


def _advanced(known: Any, here: Any) -> dict[str, Any]:
    """Where the next look begins to read. A change below `ceiling_id` belongs to a transaction that had begun when the ceiling
    was taken; when all of those have ended they were all looked at, and nothing below it can come any more."""
    if known.change_id >= 0 and int(here.xmin) >= int(known.ceiling_xid):
        return {"change_id": known.ceiling_id, "ceiling_id": here.last_change, "ceiling_xid": here.xmax}
    return {"change_id": known.change_id, "ceiling_id": known.ceiling_id, "ceiling_xid": known.ceiling_xid}


def _touch_all(session: Session, yesterday: date) -> int:
    """Also the days that are stored from before: in another zone the first moment may belong to a later one."""
    moment = session.execute(FIRST_MOMENT).scalar_one()
    known = [session.execute(FIRST_STORED).scalar_one(), days.today(moment) if moment else None]
    first = min((day for day in known if day is not None), default=None)
    return _touch_span(session, first, yesterday) if first is not None else 0


def _touch_span(session: Session, first: date, last: date) -> int:
    return int(session.execute(TOUCH_SPAN, {"first": first, "last": last}).rowcount)  # type: ignore[attr-defined]
