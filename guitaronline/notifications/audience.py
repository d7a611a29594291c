"""Whom an event concerns: the people of its record, the guardians who stand for them, and what each of them wants to hear."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.identity.access import TABLE, Permission, Scope
from guitaronline.identity.models import User
from guitaronline.notifications.models import Preference

STAFF_MAX = 200  # more do not read about one exception


@dataclass(frozen=True)
class Wanted:
    """Somebody to be told about `key` (an event, or a record among many); `with_guardians`: and who stands for them."""

    key: str
    person_id: UUID
    with_guardians: bool = False


@dataclass(frozen=True)
class Receiver:
    key: str
    person_id: UUID
    has_email: bool
    has_phone: bool
    timezone: str
    is_active: bool
    is_wanted: bool  # not switched off by them


# ix_guardians_student_id, uq_message_preferences_once. Who has no address of their own is reached through their guardians.
RECEIVERS = text("""
WITH asked AS (
  SELECT a.key, a.person_id, a.with_guardians OR u.email IS NULL AS with_guardians
    FROM jsonb_to_recordset(CAST(:asked AS jsonb)) AS a(key text, person_id uuid, with_guardians boolean)
    JOIN users u ON u.id = a.person_id),
told AS (
  SELECT key, person_id FROM asked
  UNION
  SELECT a.key, g.guardian_id FROM asked a JOIN guardians g ON g.student_id = a.person_id AND g.receives_messages
   WHERE a.with_guardians)
SELECT t.key, u.id, u.email IS NOT NULL, u.phone IS NOT NULL, u.timezone, u.is_active, coalesce(p.is_on, true)
  FROM told t JOIN users u ON u.id = t.person_id
  LEFT JOIN message_preferences p ON p.person_id = u.id AND p.preference = :preference
""")


def receivers(session: Session, wanted: Iterable[Wanted], preference: Preference | None) -> list[Receiver]:
    """Everybody who is told, each once a key. One statement, however many."""
    asked = [
        {"key": each.key, "person_id": str(each.person_id), "with_guardians": each.with_guardians} for each in wanted
    ]
    if not asked:
        return []
    told = {"asked": json.dumps(asked), "preference": preference.value if preference else None}
    return [Receiver(*row) for row in session.execute(RECEIVERS, told)]


def staff_with(session: Session, permission: Permission) -> list[UUID]:
    """Active members of staff who may do that. ix_users_role_name"""
    roles = [role for role, reach in TABLE[permission].items() if reach is Scope.ANY]
    query = select(User.id).where(User.role.in_(roles), User.is_active).order_by(User.id)
    return list(session.scalars(query.limit(STAFF_MAX)))


def ids_of(values: Collection[object]) -> list[UUID]:
    """Ids as payloads carry them."""
    return [UUID(str(value)) for value in values if value]
