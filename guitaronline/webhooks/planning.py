"""From what happened to what is to be delivered: one row for each endpoint that wants to hear of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guitaronline import db, policy
from guitaronline.billing.models import Payment, Refund
from guitaronline.booking.models import Booking
from guitaronline.lessons.models import Lesson
from guitaronline.webhooks.models import EndpointStatus, WebhookDelivery, WebhookEndpoint
from guitaronline.webhooks.topics import RECORDS, TOPICS

REFERENCES: dict[str, tuple[Any, Any, Any]] = {  # table → its id, its reference, and whose page shows it
    "bookings": (Booking.id, Booking.reference, Booking.id),
    "lessons": (Lesson.id, Lesson.reference, Lesson.id),
    "payments": (Payment.id, Payment.reference, Payment.id),
    "refunds": (Refund.id, Refund.reference, Refund.payment_id),
}


@dataclass(frozen=True)
class Happened:
    """An event of the outbox, as far as partners are told of it."""

    id: UUID
    topic: str
    record_type: str
    record_id: UUID
    created_at: datetime


def plan(*events: Happened) -> int:
    """Every active endpoint that wants to hear of them has them in its queue, once however often this runs; returns how many are
    new. All of them, or none."""
    by_topic: dict[str, list[Happened]] = {}
    for event in events:
        if event.topic in TOPICS:
            by_topic.setdefault(event.topic, []).append(event)
    if not by_topic:
        return 0
    with db.technical_transaction() as session:
        return sum(_plan(session, topic, some) for topic, some in by_topic.items())


def _plan(session: Session, topic: str, events: Sequence[Happened]) -> int:
    endpoints = list(session.scalars(select(WebhookEndpoint.id).where(_wants(topic))))
    return put_in_queue(session, endpoints, events) if endpoints else 0


def put_in_queue(session: Session, endpoint_ids: Collection[UUID], events: Sequence[Happened]) -> int:
    """A step: what of these is not in the queues yet is due now; returns how many. One statement a kind of record."""
    bodies = bodies_of(session, events)
    rows = [
        {"id": db.new_id(), "endpoint_id": endpoint, "body": bodies[each.id], **_facts(each)}
        for endpoint in endpoint_ids
        for each in events
    ]
    if not rows:
        return 0
    statement = insert(WebhookDelivery).values(rows).on_conflict_do_nothing(constraint="uq_webhook_deliveries_once")
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]


def bodies_of(session: Session, events: Iterable[Happened]) -> Mapping[UUID, str]:
    """What is sent of each event: ids, the reference, and where to read more."""
    events = list(events)
    shown: dict[UUID, tuple[str, UUID]] = {}
    for table in {each.record_type for each in events}:
        key, reference, owner = REFERENCES[table]
        ids = [each.record_id for each in events if each.record_type == table]
        shown |= {
            row[0]: (row[1], row[2]) for row in session.execute(select(key, reference, owner).where(key.in_(ids)))
        }
    return {each.id: _body(each, *shown[each.record_id]) for each in events}


def _body(happened: Happened, reference: str, owner: UUID) -> str:
    about = RECORDS[happened.record_type]
    base = policy.current().PUBLIC_BASE_URL.rstrip("/")
    told = {
        "type": happened.topic,
        "timestamp": happened.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "kind": about.kind,
            "id": str(happened.record_id),
            "reference": reference,
            "url": base + about.path.format(id=happened.record_id, owner=owner),
        },
    }
    return json.dumps(told, separators=(",", ":"))


def _facts(happened: Happened) -> dict[str, Any]:
    return {
        "event_id": happened.id,
        "topic": happened.topic,
        "record_type": happened.record_type,
        "record_id": happened.record_id,
        "occurred_at": happened.created_at,
    }


def _wants(topic: str) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = (WebhookEndpoint.status == EndpointStatus.ACTIVE) & (
        literal(topic) == WebhookEndpoint.topics.any_()
    )
    return condition
