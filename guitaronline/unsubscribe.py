"""The page behind the link that stands under messages: one press and such messages come no more. Public; the link says whose.

Mail programs post to it by themselves when somebody presses their button (RFC 8058); they bring no cookie and no token of a
form, so the signed link is all that is asked for. To look changes nothing."""

from __future__ import annotations

import flask
from flask import Flask
from flask.typing import ResponseReturnValue

from guitaronline.actor import Actor
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.extensions import csrf
from guitaronline.identity.models import User
from guitaronline.notifications import preferences, unsubscribing
from guitaronline.notifications.models import Preference
from guitaronline.notifications.unsubscribing import Unsubscription

WORDS = {
    Preference.REMINDERS: "reminders of lessons",
    Preference.PACKAGES: "messages about lessons that run low or expire",
    Preference.OFFERS: "offers of free times and news from the school",
}


def init_unsubscribe(app: Flask) -> None:
    app.add_url_rule("/unsubscribe/<token>", "unsubscribe", unsubscribe, methods=["GET", "POST"])
    csrf.exempt(unsubscribe)


def unsubscribe(token: str) -> ResponseReturnValue:
    """Asks first; a post switches them off, or with `again` on."""
    asked, person = _found(token)
    if flask.request.method == "POST":
        wanted = {asked.preference: "again" in flask.request.form}
        preferences.set_preferences(
            Actor(person.id, person.role), person.id, wanted=wanted, reason="by the link in a message"
        )
    is_on = preferences.preferences_of(session(), person.id)[asked.preference]
    return flask.render_template("unsubscribe.html", what=WORDS[asked.preference], is_on=is_on)


def _found(token: str) -> tuple[Unsubscription, User]:
    asked = unsubscribing.read(token)
    person = session().get(User, asked.person_id) if asked is not None else None
    if asked is None or person is None:
        raise NotFound("There is no such link. Use the one in the newest message.")
    return asked, person
