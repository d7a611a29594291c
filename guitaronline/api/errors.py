"""Refusals become problem documents (RFC 9457). The one table from kinds of refusal to HTTP numbers stands here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, current_app, g
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from guitaronline import db, errors
from guitaronline.api.json import NotJson, dumps
from guitaronline.billing.providers.base import BadSignature
from guitaronline.errors import DomainError, Reason
from guitaronline.unit_of_work import StaleVersion
from guitaronline.verdict import OutcomeUnknown

PROBLEM = "application/problem+json"
QUERY_CANCELED = "57014"


class UnsupportedMediaType(errors.Invalid):
    detail = "Send JSON in UTF-8, with Content-Type: application/json."


class InvalidRequest(errors.Invalid):
    detail = "The request is not valid."


class InvalidCursor(errors.Invalid):
    detail = "This cursor is not one of this list."


class QueryTooHeavy(errors.Invalid):
    detail = "This search takes too long. Narrow it."


class TooManyRequests(errors.TooManyAttempts):
    detail = "Too many requests. Wait a little."


class Unavailable(errors.ProviderFailed):
    detail = "The database does not answer. Nothing was changed."
    retry_after_seconds = 5


# The nearest class in a refusal's family decides.
STATUS: dict[type[DomainError], int] = {
    NotJson: 400,
    BadSignature: 400,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Busy: 409,
    StaleVersion: 412,
    UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.TooManyAttempts: 429,
    errors.ProviderFailed: 502,
    Unavailable: 503,
    OutcomeUnknown: 503,
}
# What the framework refuses by itself: code and sentence by HTTP number.
FRAMEWORK = {
    400: ("bad_request", "The request cannot be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know that method."),
    413: ("too_large", "The body is larger than 1 MB."),
    500: ("internal_error", "Something went wrong on our side. Say the request id when you ask about it."),
}


def status_of(kind: type[DomainError]) -> int:
    return next(STATUS[each] for each in kind.__mro__ if each in STATUS)


def problem(status: int, code: str, detail: str, reasons: Iterable[Reason] = ()) -> Response:
    body: dict[str, Any] = {
        "type": f"/docs#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": g.get("request_id", ""),
    }
    if listed := [_listed(each) for each in reasons]:
        body["errors"] = listed
    return Response(dumps(body), status, content_type=PROBLEM)


def answer(error: Exception) -> Response:
    """The answer to whatever went wrong below /api/."""
    if isinstance(error, DomainError):
        return refusal(error)
    if isinstance(error, HTTPException):
        return _of_framework(error)
    if isinstance(error, DBAPIError) and getattr(error.orig, "pgcode", None) == QUERY_CANCELED:
        return refusal(QueryTooHeavy())
    current_app.logger.error("request failed", exc_info=error)
    return refusal(Unavailable()) if db.is_away(error) else problem(500, *FRAMEWORK[500])


def refusal(error: DomainError) -> Response:
    """A rule said no."""
    status = status_of(type(error))
    said = problem(status, error.code, error.text, error.reasons)
    if status == 401:
        said.headers["WWW-Authenticate"] = 'Bearer realm="guitaronline"'
    if error.retry_after_seconds:
        said.headers["Retry-After"] = str(error.retry_after_seconds)
    return said


def init_errors(app: Flask) -> None:
    app.extensions.setdefault("error_answers", {})["/api/"] = answer


def _of_framework(error: HTTPException) -> Response:
    status = error.code or 500
    code, detail = FRAMEWORK.get(status, (re.sub(r"\W+", "_", error.name.lower()), error.name + "."))
    said = problem(status, code, detail)
    said.headers.extend([(name, value) for name, value in error.get_headers() if name == "Allow"])
    return said


def _listed(reason: Reason) -> dict[str, str]:
    listed = {"pointer": reason.pointer, "code": reason.code, "detail": reason.detail}
    about = {"booking_id": reason.facts["booking_id"]} if "booking_id" in reason.facts else {}
    return {**listed, **about, "fix": reason.fix} if reason.fix else {**listed, **about}
