"""Who is calling: the bearer token, and nothing else. Cookies mean nothing here."""

from __future__ import annotations

import re

from flask import Flask, Request, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from guitaronline import logs
from guitaronline.actor import ANONYMOUS, Actor
from guitaronline.errors import NotSignedIn
from guitaronline.identity import tokens
from guitaronline.identity.refusals import StepUpRequired, TotpNotSetUp

PREFIX = "/api/"
BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{1,200})", re.ASCII | re.IGNORECASE)


class InvalidToken(NotSignedIn):
    detail = "The access token is not valid, or its time is over. Refresh it or sign in again."


class SignInRequired(NotSignedIn):
    detail = "Send an access token: Authorization: Bearer …"


class SessionOutsideApi(SecureCookieSessionInterface):
    """Below /api/ no cookie is read or written."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith(PREFIX) else super().open_session(app, request)


def signed_in() -> tokens.Signed:
    """The person whose token came with the request. One SQL statement. Raises NotSignedIn."""
    given = request.headers.get("Authorization")
    if not given:
        raise SignInRequired()
    token = BEARER.fullmatch(given)
    found = tokens.actor_of_token(token[1]) if token else None
    if found is None:
        raise InvalidToken()
    if found.must_enroll:
        raise TotpNotSetUp()
    g.signed = found
    logs.bind_actor(found.actor.id)
    return found


def require_confirmed() -> None:
    """Raises StepUpRequired when the caller uses a second factor and their device signed in too long ago."""
    found: tokens.Signed | None = g.get("signed")
    if found is None or not found.is_confirmed:
        raise StepUpRequired("Sign in again with your code: this needs a sign-in of the last 10 minutes.")


def caller() -> Actor:
    """Who was found to be calling this request; a stranger before `signed_in` was asked."""
    found: tokens.Signed | None = g.get("signed")
    return found.actor if found else ANONYMOUS
