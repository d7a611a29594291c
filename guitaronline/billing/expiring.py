"""Packages expire, and are warned of before: by batches of statements that do a whole set at once.

`expire_step` is `ledger.expire` for many packages; `tests/billing/test_expiring.py` compares what both leave behind.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import text

from guitaronline import db
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.billing.worth import sql_worth
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

# ix_packages_due. What somebody has locked just now is left to the next call, so several at once do no harm.
CLAIM = text("""
SELECT id, status FROM packages
 WHERE status IN ('active', 'depleted') AND frozen_at IS NULL AND expires_at <= :now
 ORDER BY expires_at LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")
WRITE_ENTRIES = text(f"""
INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, d_reserved, d_consumed, d_expired, d_revoked,
                            available, reserved, consumed, expired, revoked, breakage_minor, created_at)
SELECT n.entry_id, p.id, l.newest + 1, 'expire', 'expire:' || p.id || ':' || (l.times + 1), -p.available, 0, 0, p.available, 0,
       0, p.reserved, p.consumed, p.expired + p.available, p.revoked,
       CASE WHEN p.books_breakage THEN {sql_worth("p.expired + p.available")} - {sql_worth("p.expired")} ELSE 0 END, :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:entry_ids AS uuid[])) AS n(package_id, entry_id)
  JOIN packages p ON p.id = n.package_id
 CROSS JOIN LATERAL (SELECT max(sequence) AS newest, count(*) FILTER (WHERE kind = 'expire') AS times
                       FROM credit_entries e WHERE e.package_id = p.id) l
 WHERE p.available > 0
""")  # noqa: S608  # put together from constants

WRITE_EVENTS = text("""
INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at, attempts)
SELECT e.id, :topic, 'packages', e.package_id, CAST(:payload AS jsonb), :action_id, :now, :now, 0
  FROM unnest(CAST(:event_ids AS uuid[]), CAST(:ids AS uuid[])) AS e(id, package_id)
""")

WARN_DAYS = (30, 7)  # a month to use what is left, then a week
# ix_packages_due. The nearest threshold that is reached; a package that never lived so long is not warned at its start.
WRITE_WARNINGS = text("""
INSERT INTO package_warnings (id, package_id, expires_at, days, created_at)
SELECT gen_random_uuid(), p.id, p.expires_at, w.days, :now
  FROM packages p
 CROSS JOIN LATERAL (SELECT min(days) AS days FROM unnest(CAST(:thresholds AS int[])) AS days
                      WHERE p.expires_at <= :now + make_interval(days => days)) w
 WHERE p.status IN ('active', 'depleted') AND p.frozen_at IS NULL
   AND p.expires_at > :now AND p.expires_at <= :now + make_interval(days => :longest)
   AND p.available + p.reserved > 0 AND p.activated_at <= p.expires_at - make_interval(days => w.days)
   AND NOT EXISTS (SELECT FROM package_warnings x WHERE x.package_id = p.id AND x.expires_at = p.expires_at AND x.days = w.days)
 ORDER BY p.expires_at LIMIT :limit
ON CONFLICT ON CONSTRAINT uq_package_warnings_once DO NOTHING
RETURNING package_id, days, expires_at
""")


@command("package.expire", quiet=True)
def expire_packages(work: Work, *, limit: int = 500) -> int:
    """Packages whose time is over are expired; returns how many, at most `limit`. Locks them."""
    access.require(work.actor, Permission.ADMINISTER)
    claimed = _claim(work, limit)
    for status, ids in claimed.items():
        expire_step(work, ids, status)
    return sum(map(len, claimed.values()))


def _claim(work: Work, limit: int) -> dict[PackageStatus, list[UUID]]:
    """Overdue packages, locked, by the status that they have."""
    found: dict[PackageStatus, list[UUID]] = defaultdict(list)
    for package_id, status in work.session.execute(CLAIM, {"now": work.now, "limit": limit}):
        found[PackageStatus(status)].append(package_id)
    return found


def expire_step(work: Work, ids: list[UUID], status: PackageStatus) -> None:
    """What was available in these (locked, living) packages of that status is expired, and so are they: entries, breakage,
    buckets, states, and an event for each, in three statements."""
    told = {"ids": db.array(ids), "entry_ids": db.array(db.new_id() for _ in ids), "now": work.now}
    if status is PackageStatus.ACTIVE:  # a depleted one has nothing available
        work.session.execute(WRITE_ENTRIES, told)
    moved = {"expired": Package.expired + Package.available, "available": 0}
    work.move_all(Package, ids, status, PackageStatus.EXPIRED, **moved)
    _tell(work, Package.states.event(status, PackageStatus.EXPIRED), ids)


@command("package.warn", quiet=True)
def warn_of_expiry(work: Work, *, limit: int = 500) -> int:
    """An event `package.expiring` for packages with lessons left that expire in 30 or 7 days; returns how many.

    Once for each package, threshold and day of expiry: what lives longer is warned anew."""
    access.require(work.actor, Permission.ADMINISTER)
    told = {"now": work.now, "limit": limit, "thresholds": list(WARN_DAYS), "longest": max(WARN_DAYS)}
    warned = work.session.execute(WRITE_WARNINGS, told).all()
    for days in WARN_DAYS:
        _tell(work, "package.expiring", [each.package_id for each in warned if each.days == days], days=days)
    return len(warned)


def _tell(work: Work, topic: str, ids: list[UUID], **payload: Any) -> None:
    """`work.emit` for each of the packages, in one statement."""
    if not ids:
        return
    work.topics.add(topic)
    told = {"event_ids": db.array(db.new_id() for _ in ids), "ids": db.array(ids), "topic": topic, "now": work.now}
    work.session.execute(WRITE_EVENTS, {**told, "payload": json.dumps(payload), "action_id": work.action_id})
