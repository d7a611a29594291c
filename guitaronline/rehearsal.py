"""What would happen if SECRET_KEY were replaced now: tried on the data of this instance, without changing any of it.

A second application stands beside this one, with a new random SECRET_KEY and the present ones as its fallbacks. It must read
everything that was made before: browsers, open forms, pages of lists, links in mails, sealed values. Then every sealed value
is sealed again in memory, and must open with the new secret alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

import flask
from flask import Flask, current_app
from flask_wtf.csrf import generate_csrf, validate_csrf
from sqlalchemy.orm import Session
from wtforms import ValidationError

import config
from guitaronline import create_app, policy, sealed, secret_keys
from guitaronline.admin import cursor
from guitaronline.admin.listing import Order, Place
from guitaronline.identity import links
from guitaronline.identity.models import User
from guitaronline.notifications import unsubscribing
from guitaronline.notifications.models import Preference

SOMEBODY = UUID(int=7)
A_LIST = Order(User.full_name, User.id)


@dataclass(frozen=True)
class Step:
    """One thing that was tried: `tried` so many, of which `failed` did not work."""

    what: str
    tried: int
    failed: int


def rehearse(session: Session) -> list[Step]:
    """Every step; the rotation may be done when none has failed."""
    before: config.Settings = current_app.config["SETTINGS"]
    made = _make(current_app)
    after = replace(
        before, SECRET_KEY=secrets.token_urlsafe(48), SECRET_KEY_FALLBACKS=",".join(before.secrets_believed)
    )
    with _application(after, back_to=before) as newer:
        return [
            Step("a browser's cookie and the form that is open in it", 1, _fails(lambda: _post(newer, made))),
            Step("a page of a list", 1, _fails(lambda: cursor.read(A_LIST, made.cursor))),
            Step("the link that switches messages off", 1, int(unsubscribing.read(made.unsubscribe) is None)),
            _links(session),
            *(_sealed(session, column, after) for column in sealed.SEALED),
        ]


@dataclass(frozen=True)
class _Made:
    """What the present application gave out."""

    cookie: str
    form: str
    cursor: str
    unsubscribe: str


def _make(app: Flask) -> _Made:
    with app.test_request_context():
        form = generate_csrf()
        signer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        cookie = signer.dumps(dict(flask.session))
    place = Place("guitar", SOMEBODY, 1)
    unsubscribe = unsubscribing.url_of(SOMEBODY, Preference.REMINDERS).rpartition("/")[2]
    return _Made(cookie, form, cursor.write(A_LIST, place), unsubscribe)


def _post(app: Flask, made: _Made) -> None:
    """Raises ValidationError when the form would be refused."""
    name = app.config["SESSION_COOKIE_NAME"]
    with app.test_request_context(headers={"Cookie": f"{name}={made.cookie}"}):
        validate_csrf(made.form)


def _links(session: Session) -> Step:
    unread = [links.url_of(each) for each in sealed.open_links(session)]
    return Step("mails with a link that is still good, to be written again", len(unread), unread.count(None))


def _sealed(session: Session, column: sealed.Column, after: config.Settings) -> Step:
    """With the fallbacks each value opens; sealed again, it opens without them."""
    tried = failed = 0
    for _, value in sealed.values_of(session, column):
        if sealed.key_of(value, column.purpose) is not sealed.Key.NONE:
            tried += 1
            failed += _fails(partial(_seal_again, value, column.purpose, after))
    return Step(f"sealed values of {column}, opened, sealed again, and opened without the fallbacks", tried, failed)


def _seal_again(value: str, purpose: str, after: config.Settings) -> None:
    plain = secret_keys.unseal(value, purpose)
    again = secret_keys.seal(plain, purpose)
    with policy.changed(SECRET_KEY=after.SECRET_KEY, SECRET_KEY_FALLBACKS=""):
        if secret_keys.unseal(again, purpose) != plain:
            raise secret_keys.Unsealable


def _fails(step: Callable[[], object]) -> int:
    try:
        step()
    except (secret_keys.Unsealable, ValidationError, ValueError):
        return 1
    return 0


@contextmanager
def _application(settings: config.Settings, *, back_to: config.Settings) -> Iterator[Flask]:
    """Another application of this process, for a while."""
    try:
        yield create_app(settings)
    finally:
        policy.set_current(back_to)
