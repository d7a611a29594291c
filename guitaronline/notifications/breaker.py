"""What is known of a channel as a whole, shared by all workers: whether it is down, and how fast it may be used.

A failure that is no message's fault closes the channel for a while, longer each time. Then one worker tries one message; the
others wait for what it learns. The pace is a promise of moments: who takes n messages takes the next n moments with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from guitaronline.db import technical_transaction
from guitaronline.notifications.models import Channel

WAITS = tuple(timedelta(seconds=each) for each in (2, 5, 10, 30, 60, 120))  # then every two minutes
PROBE = timedelta(seconds=30)  # whoever probes has learned it by then, or died
AHEAD = timedelta(seconds=1)  # no moments are given away that lie further ahead

LOOK = text("""
WITH known AS (INSERT INTO channel_states (channel) VALUES (:channel) ON CONFLICT DO NOTHING),
     probe AS (UPDATE channel_states SET open_until = clock_timestamp() + :probe
                WHERE channel = :channel AND failures > 0 AND open_until <= clock_timestamp() RETURNING channel)
SELECT (SELECT count(*) FROM probe) AS probes, failures, coalesce(next_at > clock_timestamp() + :ahead, false) AS is_ahead
  FROM (SELECT 1) one LEFT JOIN channel_states ON channel = :channel
""")
FAILED = text("""
UPDATE channel_states SET failures = failures + 1, last_error = :error,
       open_until = clock_timestamp() + (CAST(:waits AS interval[]))[least(failures + 1, :most)]
 WHERE channel = :channel
""")
WORKS = text("""
UPDATE channel_states SET failures = 0, open_until = NULL, last_error = NULL, last_sent_at = clock_timestamp()
 WHERE channel = :channel
""")
UNUSED = text("UPDATE channel_states SET open_until = clock_timestamp() WHERE channel = :channel AND failures > 0")
RESERVE = text("""
UPDATE channel_states SET next_at = greatest(next_at, clock_timestamp()) + :number * interval '1 second' / :rate
 WHERE channel = :channel
RETURNING extract(epoch FROM next_at - :number * interval '1 second' / :rate - clock_timestamp())::float8
""")


@dataclass(frozen=True)
class Leave:
    """How many messages may be taken now. `is_probe`: the channel was down, and this is the try."""

    most: int
    is_probe: bool = False


def leave(channel: Channel, *, most: int, rate: int) -> Leave:
    """`rate` in messages a second, 0: as many as there are."""
    facts = {"channel": channel.value, "probe": PROBE, "ahead": AHEAD}
    with technical_transaction() as session:
        row = session.execute(LOOK, facts).one()
    if row.probes:
        return Leave(1, is_probe=True)
    if row.failures or (rate and row.is_ahead):
        return Leave(0)
    return Leave(min(most, rate) if rate else most)


def reserve(channel: Channel, *, number: int, rate: int) -> float:
    """The next `number` moments are ours; the first is in so many seconds."""
    if not rate:
        return 0.0
    with technical_transaction() as session:
        seconds: float = session.execute(
            RESERVE, {"channel": channel.value, "number": number, "rate": rate}
        ).scalar_one()
    return max(seconds, 0.0)


def note_failure(channel: Channel, error: str) -> None:
    """It is left alone for a while."""
    facts = {"channel": channel.value, "error": error, "waits": list(WAITS), "most": len(WAITS)}
    with technical_transaction() as session:
        session.execute(FAILED, facts)


def note_success(channel: Channel) -> None:
    """It works: all workers use it again."""
    with technical_transaction() as session:
        session.execute(WORKS, {"channel": channel.value})


def give_back(channel: Channel) -> None:
    """The probe found nothing to try it with; the next message is one."""
    with technical_transaction() as session:
        session.execute(UNUSED, {"channel": channel.value})
