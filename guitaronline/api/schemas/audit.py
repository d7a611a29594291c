from __future__ import annotations

from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Output
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.audit.models import OutboxEvent
from guitaronline.audit.queries import Entry


class ActorOut(Output):
    id = maybe(fields.UUID, metadata={"description": "null: the system, or a stranger"})
    role = fields.String(required=True)


class ChangeOut(Output):
    table = fields.String(required=True)
    row_id = fields.UUID(required=True)
    before = maybe(fields.Dict, metadata={"description": "null: the row was made; personal values as digests"})
    after = maybe(fields.Dict, metadata={"description": "null: the row was removed; personal values as digests"})


class ActionOut(Output):
    id = fields.UUID(required=True)
    at = time()
    actor = fields.Nested(ActorOut, required=True)
    action = fields.String(required=True, metadata={"example": "booking.cancel"})
    reason = maybe(fields.String)
    record_type = maybe(fields.String, metadata={"example": "bookings"})
    record_id = maybe(fields.UUID)
    request_id = maybe(fields.String)
    changes = fields.List(fields.Nested(ChangeOut), required=True, metadata={"description": "at most 100"})


class EventOut(Output):
    id = fields.UUID(required=True)
    topic = fields.String(required=True, metadata={"example": "booking.confirmed"})
    record_type = fields.String(required=True)
    record_id = fields.UUID(required=True)
    attempts = fields.Integer(required=True)
    last_error = maybe(fields.String)
    created_at = time()
    available_at = time()


def action_json(entry: Entry) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "at": moment(entry.at),
        "actor": {"id": str(entry.actor_id) if entry.actor_id else None, "role": entry.actor_kind},
        "action": entry.name,
        "reason": entry.reason,
        "record_type": entry.record_type,
        "record_id": str(entry.record_id) if entry.record_id else None,
        "request_id": entry.request_id,
        "changes": [
            {"table": each.table_name, "row_id": str(each.row_id), "before": each.before, "after": each.after}
            for each in entry.changes
        ],
    }


def event_json(event: OutboxEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "topic": event.topic,
        "record_type": event.record_type,
        "record_id": str(event.record_id),
        "attempts": event.attempts,
        "last_error": event.last_error,
        "created_at": moment(event.created_at),
        "available_at": moment(event.available_at),
    }
