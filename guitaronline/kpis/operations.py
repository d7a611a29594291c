"""How the machinery is: events waiting, dead, and how long they took; how far the counting is; what the last check found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.kpis import touching

NEWEST = 1000  # events by which the time is told
# ix_outbox_events_due; dead ones are few and are kept as long as other closed ones.
EVENTS = text("""
SELECT count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'dead') AS dead,
       CAST(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE status = 'pending')) AS bigint) AS oldest
  FROM outbox_events WHERE status IN ('pending', 'dead')
""")
TOOK = text("""
SELECT count(*) AS events, percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50, percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) AS p95
  FROM (SELECT CAST(extract(epoch FROM e.closed_at - a.recorded_at) * 1000 AS bigint) AS ms
          FROM (SELECT action_id, closed_at FROM outbox_events WHERE closed_at IS NOT NULL AND status <> 'dead'
                 ORDER BY closed_at DESC LIMIT :newest) e
          JOIN audit_actions a ON a.id = e.action_id) took
""")
LAST_CHECK = text(
    "SELECT at, jsonb_array_length(findings -> 'findings') AS found FROM check_runs ORDER BY id DESC LIMIT 1"
)
WAITING = text("SELECT count(*) FROM kpi_touched")


@dataclass(frozen=True)
class Operations:
    """None: nothing of that kind has happened yet."""

    events_pending: int
    events_dead: int
    oldest_pending_seconds: int | None
    event_to_handled_p50_ms: int | None
    event_to_handled_p95_ms: int | None
    days_waiting: int
    counted_until: date | None
    looked_at: datetime | None
    checked_at: datetime | None
    check_findings: int | None


def operations(session: Session) -> Operations:
    events: Any = session.execute(EVENTS).one()
    took: Any = session.execute(TOOK, {"newest": NEWEST}).one()
    check: Any = session.execute(LAST_CHECK).one_or_none()
    known: Any = touching.progress(session)
    return Operations(
        events_pending=events.pending,
        events_dead=events.dead,
        oldest_pending_seconds=None if events.oldest is None else max(events.oldest, 0),
        event_to_handled_p50_ms=took.p50,
        event_to_handled_p95_ms=took.p95,
        days_waiting=session.execute(WAITING).scalar_one(),
        counted_until=known.counted_until if known else None,
        looked_at=known.looked_at if known else None,
        checked_at=check.at if check else None,
        check_findings=check.found if check else None,
    )
