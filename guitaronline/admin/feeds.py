"""A person's calendar feed ends: the phone was lost, or the link was passed on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from guitaronline.actor import Actor
from guitaronline.admin import forms, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.command_page import Consequences, commands
from guitaronline.admin.person_commands import PersonCommand
from guitaronline.booking import feeds
from guitaronline.db import session

HAVE_FEEDS = Ahead[UUID, bool]("have_feeds", lambda ids: dict.fromkeys(feeds.who_has_feeds(session(), list(ids)), True))


class RevokeFeed(PersonCommand):
    path = "people/<uuid:id>/revoke-feed"
    title = "End calendar feed"
    button = "End the feed"
    tone = "danger"
    form = forms.ReasonForm
    sentence = "The calendar feed of {} answers nobody any more."

    def refused_because(self, record: Any) -> str | None:
        refused = super().refused_because(record)
        return refused or (None if HAVE_FEEDS.of(record.id) else "They have no calendar feed.")

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        feed = feeds.live_feed(session(), record.id)
        if feed is None:
            return Consequences()
        return Consequences(
            [
                ("Made", show.when(feed.created_at)),
                ("Link", "Calendars that ask at it get no lessons any more. The person can make a new one."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return feeds.revoke_feed(actor, record.id, reason=form.reason.data)


commands.add(RevokeFeed)
