"""A person's calendar feed ends: the phone was lost, or the link was passed on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import flask

from guitaronline.actor import Actor
from guitaronline.admin import forms, show
from guitaronline.admin.command_page import Consequences, commands
from guitaronline.admin.person_commands import PersonCommand
from guitaronline.booking import feeds
from guitaronline.db import session
from guitaronline.identity.models import User


class RevokeFeed(PersonCommand):
    path = "people/<uuid:id>/revoke-feed"
    title = "End calendar feed"
    button = "End the feed"
    tone = "danger"
    form = forms.ReasonForm
    sentence = "The calendar feed of {} answers nobody any more."

    def refused_because(self, record: Any) -> str | None:
        refused = super().refused_because(record)
        return refused or (None if _has_feed(record) else "They have no calendar feed.")

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


def look_at(people: Iterable[User]) -> None:
    """Who of them has a feed is read in one statement, for the buttons of a list."""
    flask.g.have_feeds = feeds.who_has_feeds(session(), [each.id for each in people])


def _has_feed(person: User) -> bool:
    known: set[UUID] | None = flask.g.get("have_feeds")
    return feeds.live_feed(session(), person.id) is not None if known is None else person.id in known


commands.add(RevokeFeed)
