from __future__ import annotations

from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Output
from guitaronline.api.schemas.common import maybe
from guitaronline.notifications.health import DeliveryHealth


class DeliveryMetricsOut(Output):
    pending = fields.Integer(required=True, metadata={"description": "waiting now, also for a later moment"})
    sent = fields.Integer(required=True, metadata={"description": "taken by their channel in the last 24 hours"})
    failed = fields.Integer(required=True, metadata={"description": "now: no further attempt by itself"})
    dead = fields.Integer(required=True, metadata={"description": "`failed`, and those of which nobody knows"})
    attempts = fields.Integer(required=True, metadata={"description": "in the last 24 hours"})
    oldest_pending_seconds = maybe(fields.Integer, metadata={"description": "of those that are due or were tried"})
    event_to_sent_p50_ms = maybe(fields.Integer, metadata={"description": "of the newest 1,000 messages"})
    event_to_sent_p95_ms = maybe(fields.Integer)


def delivery_json(now: DeliveryHealth) -> dict[str, Any]:
    return {
        "pending": now.pending,
        "sent": now.sent,
        "failed": now.failed,
        "dead": now.dead,
        "attempts": now.attempts,
        "oldest_pending_seconds": now.oldest_pending_seconds,
        "event_to_sent_p50_ms": now.event_to_sent_p50_ms,
        "event_to_sent_p95_ms": now.event_to_sent_p95_ms,
    }
