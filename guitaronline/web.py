"""What every HTTP answer has, whichever door gave it: a request id, security headers, and errors in words.

`/api/` speaks problem documents: its own handler is put into `app.extensions["error_answers"]["/api/"]`; every other
path gets a page.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import flask
from flask import Flask, g, render_template
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

import config
from guitaronline import db, errors, unit_of_work
from guitaronline.extensions import csrf
from guitaronline.verdict import OutcomeUnknown

MAX_BODY_BYTES = 1_000_000
A_YEAR = 365 * 24 * 3600
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
QUERY_CANCELED = "57014"  # statement_timeout
ONLY_READING = "25006"  # a standby was asked to write
TYPED_KEPT = 20  # fields of a refused form that are shown again
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
OWN_STYLES = "; style-src 'self' 'nonce-{nonce}'"
API_POLICY = "default-src 'none'; frame-ancestors 'none'"  # nothing there is a page
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
STATUS_OF = {
    "NotSignedIn": HTTPStatus.UNAUTHORIZED,
    "NotFound": HTTPStatus.NOT_FOUND,
    "NotAllowed": HTTPStatus.FORBIDDEN,
    "Invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "Conflict": HTTPStatus.CONFLICT,
    "Busy": HTTPStatus.CONFLICT,
    "TooManyAttempts": HTTPStatus.TOO_MANY_REQUESTS,
    "OutcomeUnknown": HTTPStatus.SERVICE_UNAVAILABLE,
    "ProviderFailed": HTTPStatus.BAD_GATEWAY,
}
WORDS = {
    400: ("This request cannot be read", "Go back, reload the page and try again."),
    401: ("You are not signed in", "Sign in and try again."),
    403: ("Your role does not allow this", "Ask an administrator if you need it."),
    404: ("There is no such page", "Check the address, or start again from the list. It may also not be yours to see."),
    405: ("This page cannot be used that way", "Open it from the menu."),
    409: ("The record's present state does not allow this", "Go back, reload the page and look at what changed."),
    413: ("That is too much at once", "Send less than 1 MB."),
    414: ("The address is too long", "Use a shorter search."),
    422: ("Something in the request is not valid", "Go back and correct it."),
    429: ("Too many attempts", "Wait a few minutes and try again."),
    500: (
        "Something went wrong on our side",
        "Nothing was changed. Try again, and tell us the request number if it stays.",
    ),
    503: ("The database does not answer", "Nothing was changed. Try again in a minute."),
}

ErrorAnswer = Callable[[Exception], ResponseReturnValue]


def init_web(app: Flask) -> None:
    settings: config.Settings = app.config["SETTINGS"]
    name = "__Host-gol-form" if settings.COOKIE_SECURE else "gol-form"
    app.config.update(
        TRUSTED_HOSTS=settings.hosts_answered,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SESSION_COOKIE_NAME=name,  # carries the CSRF token and flashed sentences only; who is signed in is another cookie
        SESSION_COOKIE_SECURE=settings.COOKIE_SECURE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SEND_FILE_MAX_AGE_DEFAULT=A_YEAR,  # addresses of static files carry a version
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SECRET_KEY=settings.secrets_believed[
            ::-1
        ],  # the last one signs, so that forms open now still post later
        WTF_CSRF_SSL_STRICT=settings.COOKIE_SECURE,
    )
    if settings.PROXY_COUNT:
        count = settings.PROXY_COUNT
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    csrf.init_app(app)
    app.extensions.setdefault("error_answers", {})
    app.before_request_funcs.setdefault(None, []).insert(0, begin_request)  # before whatever may refuse
    app.teardown_request(end_request)
    app.after_request(finish_headers)
    app.register_error_handler(Exception, answer_error)
    app.register_error_handler(HTTPException, answer_error)
    app.jinja_env.globals["csp_nonce"] = csp_nonce


def begin_request() -> None:
    """The request has an id (its own, when it brought a usable one) and the unit of work knows it."""
    given = flask.request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else db.new_id().hex
    unit_of_work.request.set(unit_of_work.Request(request_id=g.request_id, address=flask.request.remote_addr))


def end_request(error: BaseException | None) -> None:
    unit_of_work.request.set(unit_of_work.Request())


def csp_nonce() -> str:
    """The nonce of this answer; one a request."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def allow_own_styles() -> None:
    """Scripts of this page may write a style element, if it carries the page's nonce."""
    g.own_styles = True


def finish_headers(answer: flask.Response) -> flask.Response:
    """What every answer carries, unless its view said otherwise."""
    given = {name.lower() for name, _ in answer.headers}
    answer.headers.extend([(name, value) for name, value in _always() if name.lower() not in given])
    return answer


def _always() -> list[tuple[str, str]]:
    is_api = flask.request.path.startswith("/api/")
    policy = API_POLICY if is_api else (POLICY + (OWN_STYLES if "own_styles" in g else "")).format(nonce=csp_nonce())
    headers = [("X-Request-ID", g.get("request_id", "")), ("Content-Security-Policy", policy), *HEADERS]
    if flask.current_app.config["SETTINGS"].is_production:
        headers.append(("Strict-Transport-Security", f"max-age={A_YEAR}; includeSubDomains"))
    if flask.request.endpoint != "static":
        headers.append(("Cache-Control", "no-store"))
    return headers


def answer_error(error: Exception) -> ResponseReturnValue:
    """A refusal in the language of the door that was used."""
    if isinstance(error, HTTPException) and error.code is not None and error.code < 400:
        return error  # a redirect
    for prefix, answer in flask.current_app.extensions["error_answers"].items():
        if flask.request.path.startswith(prefix):
            return answer(error)  # type: ignore[no-any-return]
    return error_page(error)


def error_page(error: Exception) -> ResponseReturnValue:
    status = status_of(error)
    if status >= 500:
        flask.current_app.logger.error("request failed", exc_info=error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        g.database_is_away = True  # so the page does not ask who is looking at it
    title, advice = WORDS.get(status, (HTTPStatus(status).phrase, "Go back and try again."))
    refusal = error if isinstance(error, errors.DomainError) else None
    if _is_unknown(error):
        advice = "It is not known whether your change was made: look at the record before you do it again."
    page = render_template(
        "error.html",
        status=status,
        title=_csrf_title(error) or (refusal.text if refusal else title),
        advice=advice,
        reasons=refusal.reasons if refusal else [],
        typed=_typed(error),
    )
    return page, status, dict(_headers_of(error))


def _is_unknown(error: BaseException | None) -> bool:
    """Nobody knows what came of the command; also when its page could not be shown again for the same cause."""
    while error is not None and not isinstance(error, OutcomeUnknown):
        error = error.__context__
    return error is not None


def status_of(error: Exception) -> int:
    """The HTTP number of a refusal or failure, for pages."""
    if isinstance(error, HTTPException):
        return error.code or 500
    if isinstance(error, errors.DomainError):
        names = (kind.__name__ for kind in type(error).__mro__)
        return next((STATUS_OF[name] for name in names if name in STATUS_OF), HTTPStatus.CONFLICT)
    if isinstance(error, DBAPIError) and getattr(error.orig, "pgcode", None) == QUERY_CANCELED:
        return HTTPStatus.UNPROCESSABLE_ENTITY  # asked for too much
    if isinstance(error, DBAPIError) and getattr(error.orig, "pgcode", None) == ONLY_READING:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.SERVICE_UNAVAILABLE if db.is_away(error) else HTTPStatus.INTERNAL_SERVER_ERROR


def _headers_of(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.DomainError) and error.retry_after_seconds:
        return {"Retry-After": str(error.retry_after_seconds)}
    kept = {"Allow", "Retry-After"}
    return {k: v for k, v in error.get_headers() if k in kept} if isinstance(error, HTTPException) else {}


def _csrf_title(error: Exception) -> str:
    return "This form is out of date: you signed in again, or were signed out" if isinstance(error, CSRFError) else ""


def _typed(error: Exception) -> list[tuple[str, str]]:
    """What the person had typed into a form that came too late, so that it is not lost."""
    if not isinstance(error, CSRFError) or any("password" in name for name in flask.request.form):
        return []
    hidden = {"csrf_token", "key", "version", "next"}
    return [(k, v) for k, v in flask.request.form.items() if v.strip() and k not in hidden][:TYPED_KEPT]


def safe_next(target: str | None, default: str) -> str:
    """`target` when it is a path of this site, else `default`; never another host."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return default
    parts: Any = urlsplit(target)
    return target if not parts.netloc and not parts.scheme and "\\" not in target else default
