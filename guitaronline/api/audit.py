"""/audit: who did what, and what is still to be told. Read only; nobody writes an audit row through any door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import Actor
from guitaronline.api.endpoint import Resource, may
from guitaronline.api.fields import Id, Text
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.audit import ActionOut, EventOut, action_json, event_json
from guitaronline.audit import queries
from guitaronline.audit.models import OutboxEvent, OutboxStatus
from guitaronline.db import session
from guitaronline.identity.access import Permission

resource = Resource("audit", "Who did what")

NEWEST_FIRST = Order("audit", lambda entry: (entry.id,), (UUID,))
EVENTS = Order("outbox", lambda event: (event.id,), (UUID,))
READERS = may(Permission.READ_AUDIT)
FILTERS = {
    "actor_id": Id(),
    "record_id": Id(),
    "action": Text(
        least=1, most=100, metadata={"description": "the name or its beginning", "example": "booking.cancel"}
    ),
}


@resource.listing("/logs", ActionOut, action_json, order=NEWEST_FIRST, who=READERS, query=FILTERS)
def logs(actor: Actor, query: dict[str, Any], page: Page) -> Sequence[queries.Entry]:
    """What was done, newest first"""
    names = (query["action"],) if "action" in query else ()
    filters = queries.Filters(actor_id=query.get("actor_id"), record_id=query.get("record_id"), names=names)
    older_than = page.after[0] if page.after else None
    found = queries.actions_page(session(), filters, cursor=older_than, limit=page.offset + page.rows)
    return found.entries[page.offset :]


@resource.listing("/outbox/pending", EventOut, event_json, order=EVENTS, who=READERS)
def pending(actor: Actor, page: Page) -> Sequence[OutboxEvent]:
    """Events that nobody has been told of yet, newest first"""
    query = select(OutboxEvent).where(OutboxEvent.status == OutboxStatus.PENDING).order_by(OutboxEvent.id.desc())
    if page.after is not None:
        query = query.where(OutboxEvent.id < page.after[0])
    return list(session().scalars(query.offset(page.offset).limit(page.rows)))
