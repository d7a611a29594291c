from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text

from guitaronline.booking.models import Booking
from guitaronline.db import session, technical_transaction
from guitaronline.webhooks import endpoints
from guitaronline.webhooks.models import WebhookDelivery, WebhookEndpoint
from guitaronline.webhooks.topics import TOPICS
from jobs import outbox
from tests.webhooks.partner import Partner, partner
from tests.world import World, as_actor

WHY = {"reason": "the partner asked"}


class Hooks:
    """A school with one endpoint at `partner`."""

    def __init__(self, world: World, heard: Partner) -> None:
        self.world, self.partner = world, heard
        world.package(lessons=20)
        self.ada = as_actor(world.ada)
        told = endpoints.create_endpoint(self.ada, **self.wanted())
        self.id, self.secret = told.endpoint.id, told.secret
        session().rollback()

    def wanted(self, **changed: Any) -> dict[str, Any]:
        usual = {"name": "Acme", "url": self.partner.url, "topics": list(TOPICS), "owner_id": self.world.ada.id}
        return {**usual, **WHY, **changed}

    def booked(self, hours: int = 50) -> Booking:
        """A booking, told to whom it concerns."""
        booking = self.world.booking(self.world.slot(hours=hours))
        self.tell()
        return booking

    def tell(self) -> None:
        outbox.hand_over_due()

    def due_now(self) -> None:
        with technical_transaction() as current:
            current.execute(text("UPDATE webhook_deliveries SET due_at = clock_timestamp()"))

    def deliveries(self) -> list[WebhookDelivery]:
        session().rollback()
        query = select(WebhookDelivery).order_by(WebhookDelivery.id)
        return list(session().scalars(query, execution_options={"populate_existing": True}))

    @property
    def delivery(self) -> WebhookDelivery:
        return self.deliveries()[0]

    @property
    def endpoint(self) -> WebhookEndpoint:
        session().rollback()
        return session().get_one(WebhookEndpoint, self.id, populate_existing=True)


@pytest.fixture
def heard() -> Iterator[Partner]:
    with partner() as told:
        yield told


@pytest.fixture
def hooks(world: World, heard: Partner) -> Hooks:
    return Hooks(world, heard)
