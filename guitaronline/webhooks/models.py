"""Where partners are told, what is to be told, and how it went."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class EndpointStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


@guard_status
class WebhookEndpoint(Timestamps, Versioned, Base):
    """An address of a partner and what it wants to hear. The secret is sealed; it was shown once."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("cardinality(topics) > 0", name="hears_something"),
        CheckConstraint("url ~ '^https?://'", name="url_shape"),
        CheckConstraint("(former_secret_sealed IS NULL) = (former_until IS NULL)", name="former_has_end"),
        CheckConstraint("(status = 'disabled') = (disabled_because IS NOT NULL)", name="disabled_has_reason"),
        Index("ix_webhook_endpoints_name", "name", "id"),
    )
    states: ClassVar[StateTable] = StateTable(
        "webhook_endpoints",
        {
            EndpointStatus.ACTIVE: "what happens is sent there",
            EndpointStatus.DISABLED: "nothing is sent; what waits stays, and what happens meanwhile can be replayed",
        },
        [
            Move(None, EndpointStatus.ACTIVE, "webhook.created"),
            Move(EndpointStatus.ACTIVE, EndpointStatus.DISABLED, "webhook.disabled"),
            Move(EndpointStatus.DISABLED, EndpointStatus.ACTIVE, "webhook.enabled"),
        ],
    )

    id: Mapped[Id]
    name: Mapped[str]
    url: Mapped[str]
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[EndpointStatus] = mapped_column(choice(EndpointStatus, "status_known"))
    disabled_because: Mapped[str | None]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))  # gets a task when it does not work for days
    secret_sealed: Mapped[str]
    former_secret_sealed: Mapped[str | None]  # signs too until then, while the partner changes over
    former_until: Mapped[datetime | None]
    owner: Mapped[User] = relationship(viewonly=True)


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"  # all attempts failed; people may send it again


class WebhookDelivery(Base):
    """One event for one endpoint: the queue and the log in one row. Ids and references only, no personal data."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id", name="uq_webhook_deliveries_once"),
        Index("ix_webhook_deliveries_due", "endpoint_id", "due_at", "id", postgresql_where=text("status = 'pending'")),
        Index("ix_webhook_deliveries_endpoint", "endpoint_id", "occurred_at", "id"),
        Index("ix_webhook_deliveries_occurred_at", "occurred_at", "id"),
        Index("ix_webhook_deliveries_dead", "occurred_at", "id", postgresql_where=text("status = 'dead'")),
        Index("ix_webhook_deliveries_record", "record_id"),
        Index("ix_webhook_deliveries_closed_at", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
    )

    id: Mapped[Id]  # the `webhook-id`: the same at every attempt and replay
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[UUID]  # no foreign key: events are kept for weeks, this longer
    topic: Mapped[str]
    record_type: Mapped[str]
    record_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    body: Mapped[str]
    status: Mapped[DeliveryStatus] = mapped_column(choice(DeliveryStatus, "status_known"), server_default="pending")
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # counted when it is claimed
    due_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    last_answer: Mapped[str | None]  # `200`, or the kind of what went wrong
    closed_at: Mapped[datetime | None]
    endpoint: Mapped[WebhookEndpoint] = relationship(viewonly=True)


class WebhookAttempt(Base):
    """One attempt and what came of it; what the other side wrote is not kept."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        Index("ix_webhook_attempts_delivery_id", "delivery_id", "id"),
        Index("ix_webhook_attempts_at", "at"),
    )

    id: Mapped[Id]
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_deliveries.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    answer: Mapped[str]
    milliseconds: Mapped[int]


class WebhookHealth(Base):
    """Since when an endpoint has not worked; one row an endpoint, written by who delivers."""

    __tablename__ = "webhook_health"

    id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"), primary_key=True)  # the endpoint's
    failing_since: Mapped[datetime | None]
    last_delivered_at: Mapped[datetime | None]
