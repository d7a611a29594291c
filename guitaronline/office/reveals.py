"""Masked personal data is shown to somebody for a while, and only after that was written down.

There is no other record of it: what the page shows in clear, it shows because the audit says that this person asked for it
a few minutes ago. So nothing can be seen that was not logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.audit.models import AuditAction
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.refusals import ReasonRequired
from guitaronline.unit_of_work import Work, command

SHOWN_FOR = timedelta(minutes=10)
CONTACTS, ACTION = "person.reveal_contacts", "audit.reveal"
MONEY_TABLES = (
    *("packages", "payments", "refunds", "approvals", "plans"),
    *("teacher_rates", "teacher_statements", "statement_extras", "account_mappings"),
)


@command(CONTACTS, on="users")
def reveal_contacts(work: Work, person_id: UUID, *, reason: str | None) -> User:
    """The actor sees the person's contact data in clear for SHOWN_FOR. Raises ReasonRequired, NotFound."""
    _require(work.actor, reason)
    return work.find(User, person_id)


@command(ACTION, on="audit_actions")
def reveal_action(work: Work, action_id: UUID, *, reason: str | None) -> AuditAction:
    """The actor sees the personal values of that action in clear for SHOWN_FOR, if they may read it at all.

    Raises ReasonRequired, NotFound."""
    _require(work.actor, reason)
    if work.session.scalar(readable(select(AuditAction.id), work.actor).where(AuditAction.id == action_id)) is None:
        raise NotFound()
    return work.find(AuditAction, action_id)


def _require(actor: Actor, reason: str | None) -> None:
    access.require(actor, Permission.READ_MASKED)
    if not (reason or "").strip():
        raise ReasonRequired()


def readable(query: Select[Any], actor: Actor) -> Select[Any]:
    """Actions that the actor's role may read: all, money and their own, or their own only."""
    if access.may(actor, Permission.READ_AUDIT):
        return query
    own = AuditAction.actor_id == actor.id
    if access.may(actor, Permission.READ_MONEY_AUDIT):
        return query.where(own | AuditAction.record_type.in_(MONEY_TABLES))
    return query.where(own)


def revealed(session: Session, actor: Actor, name: str, record_ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Those of the records that were revealed to the actor within SHOWN_FOR. Index: ix_audit_actions_record."""
    table = "users" if name == CONTACTS else "audit_actions"
    query = select(AuditAction.record_id).where(
        AuditAction.record_type == table,
        AuditAction.record_id.in_(list(record_ids)),
        AuditAction.name == name,
        AuditAction.actor_id == actor.id,
        AuditAction.at > now - SHOWN_FOR,
    )
    return {found for found in session.scalars(query) if found is not None}
