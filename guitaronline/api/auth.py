"""Who is calling: the bearer token of a person or the service key of a program, and nothing else. Cookies mean nothing here."""

from __future__ import annotations

import re

from flask import Flask, Request, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from guitaronline import logs
from guitaronline.actor import ANONYMOUS, Actor
from guitaronline.errors import NotSignedIn
from guitaronline.identity import service_keys, tokens
from guitaronline.identity.refusals import StepUpRequired, TotpNotSetUp

PREFIX = "/api/"
BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{1,200})", re.ASCII | re.IGNORECASE)


class InvalidToken(NotSignedIn):
    detail = "The access token is not valid, or its time is over. Refresh it or sign in again; for a service key, ask the school."


class SignInRequired(NotSignedIn):
    detail = "Send an access token: Authorization: Bearer …"


class SessionOutsideApi(SecureCookieSessionInterface):
    """Below /api/ no cookie is read or written."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith(PREFIX) else super().open_session(app, request)


def signed_in() -> Actor:
    """Whose token or service key came with the request. One SQL statement. Raises NotSignedIn."""
    given = request.headers.get("Authorization")
    if not given:
        raise SignInRequired()
    token = BEARER.fullmatch(given)
    found = _holder(token[1]) if token else None
    if found is None:
        raise InvalidToken()
    g.caller = found
    logs.bind_actor(found.id)
    return found


def _holder(token: str) -> Actor | None:
    if token.startswith(service_keys.BEGINS):
        return service_keys.actor_of_key(token)
    found = tokens.actor_of_token(token)
    if found is None:
        return None
    if found.must_enroll:
        raise TotpNotSetUp()
    g.signed = found  # the device too, for those who sign out
    return found.actor


def require_confirmed() -> None:
    """Raises StepUpRequired when the caller uses a second factor and their device signed in too long ago."""
    found: tokens.Signed | None = g.get("signed")
    if found is None or not found.is_confirmed:
        raise StepUpRequired("Sign in again with your code: this needs a sign-in of the last 10 minutes.")


def caller() -> Actor:
    """Who was found to be calling this request; a stranger before `signed_in` was asked."""
    found: Actor | None = g.get("caller")
    return found or ANONYMOUS
