"""Once more: one delivery, or all that an endpoint wants to hear of a stretch of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select, text, update
from sqlalchemy.orm import Session

from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command
from guitaronline.webhooks.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint
from guitaronline.webhooks.planning import Happened, put_in_queue
from guitaronline.webhooks.refusals import EndpointDisabled, ReasonRequired, ReplayInvalid, StillOnItsWay

REPLAY_MOST = 10_000
AT_ONCE = 500  # events in one statement
LONGEST = timedelta(days=31)
FIRST_YEAR, LAST_YEAR = 2000, 2999  # beyond, moments cannot be reckoned with everywhere
CLOSED = WebhookDelivery.status != DeliveryStatus.PENDING
ANEW: dict[str, Any] = {
    "status": DeliveryStatus.PENDING,
    "attempts": 0,
    "due_at": func.clock_timestamp(),
    "closed_at": None,
    "lease_token": None,
    "lease_until": None,
}
LONGEST_UNIT = timedelta(minutes=1)  # of work: an event's id is made that much after its moment at most
MISSING = text("""
SELECT o.id, o.topic, o.record_type, o.record_id, o.created_at FROM outbox_events o
 WHERE o.id >= :first AND o.id < :last AND o.created_at >= :since AND o.created_at < :until AND o.topic = ANY(:topics)
   AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.endpoint_id = :endpoint AND d.event_id = o.id)
 ORDER BY o.id LIMIT :limit
""")


@dataclass(frozen=True)
class Replay:
    """What a replay does: how many go again, and how many go for the first time."""

    endpoint_id: UUID
    again: int
    missed: int


@command("webhook.send_again", on="webhook_deliveries")
def send_again(work: Work, delivery_id: UUID, *, reason: str) -> WebhookDelivery:
    """It goes once more, with the same `webhook-id` and all its attempts before it.

    Locks the delivery. Raises StillOnItsWay, EndpointDisabled, ReasonRequired."""
    _require(work, reason)
    delivery = work.lock(WebhookDelivery, delivery_id)
    if delivery.status is DeliveryStatus.PENDING:
        raise StillOnItsWay()
    if work.find(WebhookEndpoint, delivery.endpoint_id).status is EndpointStatus.DISABLED:
        raise EndpointDisabled()
    work.session.execute(_anew(WebhookDelivery.id == delivery.id), execution_options={"synchronize_session": False})
    return delivery


@command("webhook.replay", on="webhook_endpoints")
def replay(work: Work, endpoint_id: UUID, *, since: datetime, until: datetime, reason: str) -> Replay:
    """All that happened then and that the endpoint wants to hear goes again, also what it missed while it was disabled.

    Events are kept for OUTBOX_KEEP_DAYS; of older ones only what was delivered before. Locks the endpoint. Raises ReplayInvalid,
    EndpointDisabled, ReasonRequired."""
    _require(work, reason)
    endpoint = work.lock(WebhookEndpoint, endpoint_id)
    if endpoint.status is EndpointStatus.DISABLED:
        raise EndpointDisabled()
    problems = replay_problems(work.session, endpoint, since, until)
    if problems:
        raise ReplayInvalid(reasons=problems)
    again = work.session.execute(
        _anew(_of_then(endpoint, since, until)), execution_options={"synchronize_session": False}
    )
    missed = missing(work.session, endpoint, since, until)
    for start in range(0, len(missed), AT_ONCE):
        put_in_queue(work.session, [endpoint.id], missed[start : start + AT_ONCE])
    return Replay(endpoint.id, int(again.rowcount), len(missed))  # type: ignore[attr-defined]


def outlook(session: Session, endpoint: WebhookEndpoint, since: datetime, until: datetime) -> Replay:
    """Query: what a replay would do. ix_webhook_deliveries_endpoint, pk_outbox_events"""
    some = select(WebhookDelivery.id).where(_of_then(endpoint, since, until)).limit(REPLAY_MOST + 1)
    again: int = session.scalar(select(func.count()).select_from(some.subquery())) or 0
    return Replay(endpoint.id, again, len(missing(session, endpoint, since, until)))


def replay_problems(session: Session, endpoint: WebhookEndpoint, since: datetime, until: datetime) -> list[Reason]:
    """Rule: why this stretch cannot be replayed."""
    if since.year < FIRST_YEAR or until.year > LAST_YEAR:
        return [Reason("stretch_out_of_range", "Nothing happened then.", "", "/since")]
    if since >= until:
        return [Reason("stretch_empty", "The end is not after the beginning.", "", "/until")]
    if until - since > LONGEST:
        return [Reason("stretch_too_long", f"At most {LONGEST.days} days at once.", "Replay it in parts.", "/until")]
    found = outlook(session, endpoint, since, until)
    if found.again + found.missed > REPLAY_MOST:
        words = f"That is more than {REPLAY_MOST:,} events."
        return [Reason("too_many_events", words, "Take a shorter stretch.", "/until")]
    return []


def missing(session: Session, endpoint: WebhookEndpoint, since: datetime, until: datetime) -> list[Happened]:
    """Query: events of then that the endpoint wants and never had, at most one more than may be replayed. pk_outbox_events"""
    facts = {
        "first": _first_id(since), "last": _first_id(until + LONGEST_UNIT), "since": since, "until": until,
        "topics": list(endpoint.topics), "endpoint": endpoint.id, "limit": REPLAY_MOST + 1,
    }  # fmt: skip
    return [Happened(*row) for row in session.execute(MISSING, facts)]


def _first_id(moment: datetime) -> UUID:
    """Not after any id that is made from then on: an id begins with its millisecond (RFC 9562, version 7)."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def attempts_of(delivery_id: UUID, model: Any) -> Select[Any]:
    """The newest first. ix_webhook_attempts_delivery_id"""
    return select(model).where(model.delivery_id == delivery_id).order_by(model.id.desc()).limit(50)


def _of_then(endpoint: WebhookEndpoint, since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(
        WebhookDelivery.endpoint_id == endpoint.id,
        WebhookDelivery.occurred_at >= since,
        WebhookDelivery.occurred_at < until,
        CLOSED,
    )


def _anew(which: ColumnElement[bool]) -> Any:
    return update(WebhookDelivery).where(which).values(**ANEW)


def _require(work: Work, reason: str) -> None:
    access.require(work.actor, Permission.ADMINISTER)
    if not reason.strip():
        raise ReasonRequired(reasons=[Reason("reason_required", ReasonRequired.detail, "", "/reason")])
