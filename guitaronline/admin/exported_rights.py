"""What the lists of rights say in a file: service keys, webhooks, and who may more than others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from guitaronline.admin import gate
from guitaronline.admin.plain import Plain, Plains, label, moment, number, of, word, words, yes
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.db import UtcDateTime
from guitaronline.identity.key_models import ServiceKey, ServiceKeyUse
from guitaronline.identity.models import ConsoleSession, KnownDevice, TokenFamily, User
from guitaronline.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookHealth

ByName = dict[str, Plains]

SERVICE_KEYS: ByName = {
    "name": words(ServiceKey.name),
    "prefix": words(ServiceKey.prefix),
    "scopes": words(func.array_to_string(ServiceKey.scopes, " ")),
    "state": (
        Plain(
            (ServiceKey.revoked_at, ServiceKey.expires_at),
            lambda revoked, ends: "revoked" if revoked else "expired" if ends <= gate.now() else "active",
        ),
    ),
    "last_used_at": moment(of(ServiceKeyUse.last_used_at, ServiceKey.id)),
    "expires_at": moment(ServiceKey.expires_at),
    "created_by": words(of(User.full_name, ServiceKey.created_by)),
    "id": moment(ServiceKey.created_at),
}
WEBHOOKS: ByName = {
    "name": words(WebhookEndpoint.name),
    "url": words(WebhookEndpoint.url),
    "topics": words(func.array_to_string(WebhookEndpoint.topics, " ")),
    "status": word(WebhookEndpoint.status),
    "failing_since": moment(of(WebhookHealth.failing_since, WebhookEndpoint.id)),
    "owner": words(of(User.full_name, WebhookEndpoint.owner_id)),
    "id": moment(WebhookEndpoint.created_at),
}
WEBHOOK_DELIVERIES: ByName = {
    "occurred_at": moment(WebhookDelivery.occurred_at),
    "topic": words(WebhookDelivery.topic),
    "endpoint": words(of(WebhookEndpoint.name, WebhookDelivery.endpoint_id)),
    "record": (
        *word(WebhookDelivery.record_type),
        *words(label(WebhookDelivery.record_type, WebhookDelivery.record_id), label="Which"),
    ),
    "status": word(WebhookDelivery.status),
    "attempts": number(WebhookDelivery.attempts),
    "last_answer": words(WebhookDelivery.last_answer),
    "closed_at": moment(WebhookDelivery.closed_at),
}


def _given(value: Any) -> Any:
    """`value` of the action that gave a person the role that they have. ix_audit_changes_row"""
    role_changed = func.jsonb_exists(AuditChange.after, "role")
    query = select(value).select_from(AuditChange).join(AuditAction, AuditAction.id == AuditChange.action_id)
    query = query.outerjoin(_giver, _giver.id == AuditAction.actor_id)
    query = query.where(AuditChange.table_name == "users", AuditChange.row_id == User.id, role_changed)
    return query.order_by(AuditChange.id.desc()).limit(1).correlate(User).scalar_subquery()


def _last_seen() -> Any:
    found = [
        select(func.max(moment_of)).where(whose == User.id).correlate(User).scalar_subquery()
        for moment_of, whose in (
            (KnownDevice.last_seen_at, KnownDevice.user_id),
            (ConsoleSession.last_seen_at, ConsoleSession.user_id),
            (TokenFamily.last_used_at, TokenFamily.user_id),
        )
    ]
    return func.greatest(*found, type_=UtcDateTime())


def _open() -> Any:
    found = [
        select(func.count())
        .where(each.user_id == User.id, each.revoked_at.is_(None), each.expires_at > gate.now())
        .correlate(User)
        .scalar_subquery()
        for each in (ConsoleSession, TokenFamily)
    ]
    return found[0] + found[1]


_giver = aliased(User)
ELEVATED: ByName = {
    "full_name": words(User.full_name),
    "role": word(User.role),
    "is_active": yes(User.is_active, true="active", false="deactivated"),
    "granted_at": moment(lambda: _given(AuditAction.at)),
    "granted_by": words(lambda: _given(func.coalesce(_giver.full_name, AuditAction.actor_kind))),
    "last_seen": moment(_last_seen),
    "open": number(_open),
    "totp": yes(User.totp_secret.is_not(None)),
}
