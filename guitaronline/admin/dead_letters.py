"""Dead letters by their cause: what stopped them, how many, and the way to drive one or all of them again."""

from __future__ import annotations

import json
from typing import Any

import flask

from guitaronline.admin import show
from guitaronline.admin.base import ConsolePage, Selection
from guitaronline.admin.command_page import Button, button_of, commands
from guitaronline.admin.message_words import MEANINGS, channel_words, kind_words
from guitaronline.admin.messages import NO_CAUSE
from guitaronline.admin.writing import BulkRedrive
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.notifications import desk
from guitaronline.notifications.desk import Cause
from guitaronline.notifications.redriving import said
from guitaronline.office.bulk import ROWS_MOST

HEADINGS = ("Cause", "State", "What", "By", "Messages", "First", "Last", "")


class DeadLetters(ConsolePage):
    path = "dead-letters"
    title = "Dead letters"
    permission = Permission.READ_MESSAGES

    def page(self) -> Any:
        causes = desk.dead_causes(session())
        return self.render(
            "admin/dead_letters.html",
            headings=HEADINGS,
            rows=[_row(each) for each in causes],
            number=sum(each.number for each in causes),
        )


def _row(cause: Cause) -> list[Any]:
    asked: dict[str, Any] = filters_of(cause)
    listed = flask.url_for("desk_messages.index_view", **asked)
    return [
        show.html('<a href="{}">{}</a>', listed, said(cause.error) if cause.error else "no cause written down"),
        show.chip(cause.status, MEANINGS[cause.status]),
        kind_words(cause.kind),
        channel_words(cause.channel),
        f"{cause.number:,}",
        show.stamp(cause.first_at),
        show.stamp(cause.last_at),
        _all_of_them(cause),
    ]


def filters_of(cause: Cause) -> dict[str, str]:
    """What the list of messages is asked, to show just these."""
    return {
        "state": str(cause.status),
        "why": cause.error or NO_CAUSE,
        "kind": cause.kind,
        "channel": str(cause.channel),
    }


def _all_of_them(cause: Cause) -> Any:
    """To the page that asks of each whether it is still true, before anything is done."""
    if cause.number > ROWS_MOST:
        return show.html('<span class="muted">{}</span>', f"more than {ROWS_MOST:,}: take a day at a time in the list")
    selection = json.dumps(Selection(filters=filters_of(cause)).as_json())
    button: Button = button_of(commands.named(BulkRedrive), all="1", selection=selection)
    words = "Re-drive it" if cause.number == 1 else f"Re-drive all {cause.number:,}"
    return show.html('<a href="{}">{}</a>', button.url, words) if not button.why_not else ""
