"""The queue of reports that a provider is asked for. PostgreSQL is the queue; leases go by its clock.

A step of a report (ask for it, look whether it is ready, download it) is claimed in a short transaction, made outside of any,
and what came of it is noted in another. What nobody answered is unknown and asked again; a run that is asked for again with
the same key is the same run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing.settlements.fetch_models import ReportKind, SettlementFetch
from guitaronline.db import technical_transaction

LEASE = timedelta(minutes=10)  # the largest report takes some minutes to come
WHOLE_AFTER = timedelta(hours=6)  # a day's report is complete some hours after its end; until then they refuse
LOOK_AGAIN = timedelta(seconds=60)
ASK_AGAIN = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))  # then every hour
BACK_MOST = 31  # days that are caught up with at once
SHOWN_MOST = 20

PLAN = text("""
INSERT INTO settlement_fetches (id, kind, day, due_at)
SELECT gen_random_uuid(), k.kind, d.day::date, (d.day + interval '1 day' + :after) AT TIME ZONE 'UTC'
  FROM unnest(CAST(:kinds AS text[])) k (kind)
  LEFT JOIN LATERAL (SELECT max(f.day) AS last FROM settlement_fetches f WHERE f.kind = k.kind) l ON true
 CROSS JOIN LATERAL generate_series(greatest(coalesce(l.last + 1, :yesterday), :yesterday - :back)::timestamp,
                                    CAST(:yesterday AS date)::timestamp, interval '1 day') d (day)
    ON CONFLICT (kind, day) DO NOTHING
""")
CLAIM = text("""
UPDATE settlement_fetches SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease
 WHERE id = (SELECT id FROM settlement_fetches
              WHERE closed_at IS NULL AND due_at <= :now AND kind = ANY(:kinds) AND (lease_until IS NULL OR lease_until < clock_timestamp())
              ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, kind, day, attempts, runs, reference
""")
NOTE = text("""
UPDATE settlement_fetches SET reference = :reference, runs = :runs, attempts = :attempts, due_at = :now + CAST(:wait AS interval),
       last_error = :error, lease_until = NULL, lease_token = NULL
 WHERE id = :id AND lease_token = :token AND closed_at IS NULL
""")
CLOSE = text("""
UPDATE settlement_fetches SET closed_at = :now, file_id = :file_id, last_error = NULL, lease_until = NULL, lease_token = NULL
 WHERE id = :id AND lease_token = :token AND closed_at IS NULL
""")


@dataclass(frozen=True)
class Claimed:
    """A report whose next step is ours until the lease ends."""

    id: UUID
    kind: ReportKind
    day: date
    attempts: int
    runs: int
    reference: str | None
    token: UUID

    @property
    def key(self) -> str:
        return f"report-{self.id}-{self.runs}"


def plan(kinds: Iterable[ReportKind]) -> None:
    """The report of every day that is over is wanted, from the day before the first planning on."""
    with technical_transaction() as current:
        yesterday = clock.read(current).astimezone(UTC).date() - timedelta(days=1)
        facts = {
            "kinds": [str(kind) for kind in kinds],
            "yesterday": yesterday,
            "back": BACK_MOST,
            "after": WHOLE_AFTER,
        }
        current.execute(PLAN, facts)


def claim(kinds: Iterable[ReportKind], token: UUID) -> Claimed | None:
    """The one that is due longest. The attempt counts from here. ix_settlement_fetches_due"""
    with technical_transaction() as current:
        facts = {"kinds": [str(kind) for kind in kinds], "token": token, "lease": LEASE, "now": clock.read(current)}
        row = current.execute(CLAIM, facts).one_or_none()
    return Claimed(row.id, ReportKind(row.kind), row.day, row.attempts, row.runs, row.reference, token) if row else None


def under_way(claimed: Claimed, reference: str) -> None:
    """They make the report; it is looked at again soon."""
    _note(claimed, reference, claimed.runs, attempts=0, wait=LOOK_AGAIN, error=None)


def put_off(claimed: Claimed, *, error: str, is_over: bool = False) -> None:
    """It is asked again later; `is_over`: for another run, because nothing will come of this one."""
    wait = ASK_AGAIN[min(claimed.attempts, len(ASK_AGAIN)) - 1]
    reference, runs = (None, claimed.runs + 1) if is_over else (claimed.reference, claimed.runs)
    _note(claimed, reference, runs, attempts=claimed.attempts, wait=wait, error=error)


def _note(
    claimed: Claimed, reference: str | None, runs: int, *, attempts: int, wait: timedelta, error: str | None
) -> None:
    """Changes nothing when the lease has run out and somebody else took it."""
    with technical_transaction() as current:
        facts = {"id": claimed.id, "token": claimed.token, "now": clock.read(current), "wait": wait, "error": error}
        current.execute(NOTE, {**facts, "reference": reference, "runs": runs, "attempts": attempts})


def close(session: Session, claimed: Claimed, file_id: UUID, now: datetime) -> bool:
    """A step: the report is that file. False: it is not ours any more."""
    facts = {"id": claimed.id, "token": claimed.token, "file_id": file_id, "now": now}
    return bool(session.execute(CLOSE, facts).rowcount)  # type: ignore[attr-defined]


def awaited(session: Session) -> list[SettlementFetch]:
    """Reports that are no files yet, the oldest first. ix_settlement_fetches_due"""
    query = (
        select(SettlementFetch)
        .where(SettlementFetch.closed_at.is_(None))
        .order_by(SettlementFetch.due_at, SettlementFetch.id)
    )
    return list(session.scalars(query.limit(SHOWN_MOST)))
