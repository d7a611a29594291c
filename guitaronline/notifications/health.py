"""How delivery is: what waits and for how long, what was sent, what is dead, and how long an event took to arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.notifications.kinds import KINDS

NEWEST = 1000  # messages by which the time is told
COUNT_UP_TO = 100_000  # more is as bad
SWEEP = "notifications.deliver"

# Ids tell the time (UUID version 7), so the attempts of a day are a stretch of the primary key. now(), for an index cannot be
# asked by clock_timestamp(), which may be another for each row.
PENDING = text("""
SELECT count(*) AS number FROM (SELECT 1 FROM messages WHERE status = 'queued' LIMIT :most) waiting
""")
# A message whose time has not come does not wait; one that was tried has waited since its event. ix_messages_due, ix_messages_oldest
OLDEST = text("""
SELECT CAST(extract(epoch FROM clock_timestamp() - least(
         (SELECT min(due.at) FROM unnest(CAST(:channels AS text[])) AS asked(channel),
                 LATERAL (SELECT available_at AS at FROM messages
                           WHERE status = 'queued' AND channel = asked.channel AND available_at <= clock_timestamp()
                           ORDER BY available_at LIMIT 1) due),
         (SELECT happened_at FROM messages WHERE status = 'queued' AND attempts > 0 ORDER BY happened_at LIMIT 1))) AS bigint) AS seconds
""")
SENT = text("""
SELECT count(*) AS number FROM (SELECT 1 FROM messages WHERE sent_at > now() - interval '1 day' LIMIT :most) sent
""")
DEAD = text("""
SELECT count(*) FILTER (WHERE status = 'failed') AS failed, count(*) AS dead
  FROM messages WHERE status IN ('failed', 'uncertain')
""")
ATTEMPTS = text("""
SELECT count(*) AS number FROM (
  SELECT 1 FROM message_attempts
   WHERE id > CAST(lpad(to_hex(CAST(extract(epoch FROM now() - interval '1 day') * 1000 AS bigint)), 12, '0')
                   || repeat('0', 20) AS uuid) LIMIT :most) made
""")
# Not of those that wait for a morning on purpose, nor of the in-app list, to which nothing is carried. ix_messages_sent_at
TOOK = text("""
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50, percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) AS p95
  FROM (SELECT CAST(extract(epoch FROM sent_at - happened_at) * 1000 AS bigint) AS ms
          FROM (SELECT sent_at, happened_at, kind, channel FROM messages
                 WHERE sent_at IS NOT NULL ORDER BY sent_at DESC LIMIT :newest) newest
         WHERE kind <> ALL(:quiet) AND channel <> 'in_app') took
""")
LAST_SWEEP = text("""
SELECT finished_at FROM (SELECT finished_at, outcome FROM job_ticks WHERE job = :sweep ORDER BY tick_at DESC LIMIT 20) newest
 WHERE outcome LIKE 'done%' ORDER BY finished_at DESC LIMIT 1
""")
CHANNELS = text("""
SELECT channel, failures, open_until > clock_timestamp() AS is_paused, last_sent_at, last_error
  FROM channel_states ORDER BY channel
""")


@dataclass(frozen=True)
class ChannelHealth:
    channel: str
    failures: int  # in a row
    is_paused: bool
    last_sent_at: datetime | None
    last_error: str | None


@dataclass(frozen=True)
class DeliveryHealth:
    """Counts are about now; `sent` and `attempts` about the last 24 hours. None: nothing of that kind has happened yet."""

    pending: int
    sent: int
    failed: int
    dead: int  # failed, and those of which nobody knows
    attempts: int
    oldest_pending_seconds: int | None
    event_to_sent_p50_ms: int | None
    event_to_sent_p95_ms: int | None
    swept_at: datetime | None
    channels: list[ChannelHealth]


def delivery_health(session: Session) -> DeliveryHealth:
    most = {"most": COUNT_UP_TO}
    quiet = [kind.name for kind in KINDS.values() if kind.is_quiet]
    channels = sorted({str(channel) for kind in KINDS.values() for channel in kind.channels})
    dead: Any = session.execute(DEAD).one()
    took: Any = session.execute(TOOK, {"newest": NEWEST, "quiet": quiet}).one()
    oldest = session.execute(OLDEST, {"channels": channels}).scalar_one()
    return DeliveryHealth(
        pending=session.execute(PENDING, most).scalar_one(),
        sent=session.execute(SENT, most).scalar_one(),
        failed=dead.failed,
        dead=dead.dead,
        attempts=session.execute(ATTEMPTS, most).scalar_one(),
        oldest_pending_seconds=None if oldest is None else max(oldest, 0),
        event_to_sent_p50_ms=None if took.p50 is None else max(took.p50, 0),
        event_to_sent_p95_ms=None if took.p95 is None else max(took.p95, 0),
        swept_at=session.execute(LAST_SWEEP, {"sweep": SWEEP}).scalar_one_or_none(),
        channels=[_channel(row) for row in session.execute(CHANNELS)],
    )


def _channel(row: Any) -> ChannelHealth:
    return ChannelHealth(row.channel, row.failures, bool(row.is_paused), row.last_sent_at, row.last_error)
