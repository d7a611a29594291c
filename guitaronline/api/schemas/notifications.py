from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Input, Output, YesNo
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.notifications.inbox import Told
from guitaronline.notifications.models import Channel, Preference

STATES = ("queued", "sent", "delivered", "failed", "suppressed")
REMINDERS = "before lessons"
PACKAGES = "lessons that run low or expire soon"
OFFERS = "times that come free, news from the school"


class ToldOut(Output):
    id = fields.UUID(required=True)
    event = fields.String(required=True, metadata={"example": "booking.confirmed"})
    title = fields.String(required=True, metadata={"example": "Lesson booked: Monday, 30 November 2026, 15:00"})
    status = fields.String(required=True, metadata={"enum": list(STATES)})
    channels = fields.List(fields.String(metadata={"enum": list(Channel)}), required=True)
    created_at = time()
    sent_at = maybe(fields.DateTime, metadata={"example": "2026-11-23T15:00:00Z"})


class PreferencesOut(Output):
    reminders = fields.Boolean(required=True, metadata={"description": REMINDERS})
    packages = fields.Boolean(required=True, metadata={"description": PACKAGES})
    offers = fields.Boolean(required=True, metadata={"description": OFFERS})


class PreferencesIn(Input):
    reminders = YesNo(metadata={"description": REMINDERS, "example": False})
    packages = YesNo(metadata={"description": PACKAGES, "example": True})
    offers = YesNo(metadata={"description": OFFERS, "example": True})


def told_json(told: Told) -> dict[str, Any]:
    return {
        "id": str(told.event_id),
        "event": told.event,
        "title": told.title,
        "status": told.status,
        "channels": told.channels,
        "created_at": moment(told.created_at),
        "sent_at": moment(told.sent_at),
    }


def preferences_json(chosen: Mapping[Preference, bool]) -> dict[str, bool]:
    return {preference.value: is_on for preference, is_on in chosen.items()}
