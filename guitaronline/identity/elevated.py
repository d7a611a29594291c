"""Elevated accounts: who gave a role to whom and when, and when the account was used last. Queries only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, text
from sqlalchemy.orm import Session

from guitaronline.db import array
from guitaronline.identity.models import ConsoleSession, KnownDevice, TokenFamily, User

# By ix_audit_changes_row; a person has few changes. The row's making counts too: somebody was made with the role.
GRANTS = text("""
SELECT DISTINCT ON (c.row_id) c.row_id, a.at, a.actor_id, a.actor_kind, u.full_name
  FROM audit_changes c JOIN audit_actions a ON a.id = c.action_id LEFT JOIN users u ON u.id = a.actor_id
 WHERE c.table_name = 'users' AND c.row_id = ANY(CAST(:ids AS uuid[])) AND jsonb_exists(c.after, 'role')
 ORDER BY c.row_id, c.id DESC
""")
# Devices are remembered for more than a year, sessions for some weeks after their end.
USES = text("""
SELECT u.id,
       greatest((SELECT max(last_seen_at) FROM known_devices WHERE user_id = u.id),
                (SELECT max(last_seen_at) FROM console_sessions WHERE user_id = u.id),
                (SELECT max(last_used_at) FROM token_families WHERE user_id = u.id)) AS last,
       (SELECT count(*) FROM console_sessions WHERE user_id = u.id AND revoked_at IS NULL AND expires_at > :now)
     + (SELECT count(*) FROM token_families WHERE user_id = u.id AND revoked_at IS NULL AND expires_at > :now) AS open
  FROM users u WHERE u.id = ANY(CAST(:ids AS uuid[]))
""")


@dataclass(frozen=True)
class Granted:
    """`by` None: not a person; `kind` says what it was."""

    at: datetime
    by: UUID | None
    kind: str
    name: str | None


@dataclass(frozen=True)
class Used:
    """`open`: browsers and apps that are signed in."""

    last: datetime | None
    open: int


def grants(session: Session, user_ids: Collection[UUID]) -> dict[UUID, Granted]:
    """When each got the role that they have, and from whom."""
    rows = session.execute(GRANTS, {"ids": array(user_ids)})
    return {row[0]: Granted(row[1], row[2], row[3], row[4]) for row in rows}


def uses(session: Session, user_ids: Collection[UUID], now: datetime) -> dict[UUID, Used]:
    rows = session.execute(USES, {"ids": array(user_ids), "now": now})
    return {row[0]: Used(row[1], row[2]) for row in rows}


def unused(since: datetime) -> ColumnElement[bool]:
    """SQL, over User: there before `since`, and not seen from then on, by browser, app or device."""
    seen = [
        exists().where(KnownDevice.user_id == User.id, KnownDevice.last_seen_at >= since),
        exists().where(ConsoleSession.user_id == User.id, ConsoleSession.last_seen_at >= since),
        exists().where(TokenFamily.user_id == User.id, TokenFamily.last_used_at >= since),
    ]
    return and_(User.created_at < since, *(~each for each in seen))
