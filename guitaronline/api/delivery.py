"""/notifications/delivery: how the machinery that tells people is."""

from __future__ import annotations

from guitaronline.actor import Actor
from guitaronline.api.endpoint import Answer, may
from guitaronline.api.notifications import resource
from guitaronline.api.schemas.delivery import DeliveryMetricsOut, delivery_json
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.notifications.health import DeliveryHealth, delivery_health


@resource.endpoint(
    "GET",
    "/delivery/metrics",
    Answer(200, DeliveryMetricsOut, delivery_json),
    who=may(Permission.READ_MESSAGES),
)
def delivery_metrics(actor: Actor) -> DeliveryHealth:
    """What waits, what was sent, what is dead, and how long an event takes to arrive"""
    return delivery_health(session())
