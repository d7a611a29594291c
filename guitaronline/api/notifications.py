"""/notifications: what people are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from guitaronline.actor import Actor
from guitaronline.api.endpoint import SIGNED_IN, Answer, Resource
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.notifications import (
    PreferencesIn,
    PreferencesOut,
    ToldOut,
    preferences_json,
    told_json,
)
from guitaronline.db import session
from guitaronline.notifications import inbox, preferences
from guitaronline.notifications.models import Preference

resource = Resource("notifications", "What people are told")

NEWEST_FIRST = Order("notifications", lambda told: (told.place,), (UUID,))
PREFERENCES = Answer(200, PreferencesOut, preferences_json)


@resource.listing("/my", ToldOut, told_json, order=NEWEST_FIRST, who=SIGNED_IN)
def mine(actor: Actor, page: Page) -> Sequence[inbox.Told]:
    """What one was told, newest first; one item an event, whatever channels it took"""
    assert actor.id is not None
    after = page.after[0] if page.after else None
    return inbox.told_to(session(), actor.id, after=after, offset=page.offset, limit=page.rows)


@resource.endpoint("GET", "/preferences", PREFERENCES, who=SIGNED_IN)
def chosen(actor: Actor) -> dict[Preference, bool]:
    """What one wants to be told, as far as one may choose"""
    assert actor.id is not None
    return preferences.preferences_of(session(), actor.id)


@resource.endpoint("PUT", "/preferences", PREFERENCES, who=SIGNED_IN, body=PreferencesIn)
def choose(actor: Actor, body: dict[str, Any]) -> dict[Preference, bool]:
    """Say what one wants to be told; what is left out stays as it is"""
    assert actor.id is not None
    return preferences.set_preferences(
        actor, actor.id, wanted={Preference(name): is_on for name, is_on in body.items()}
    )
