"""The published description of the API (OpenAPI 3.1), made from what the endpoints declare."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app
from flask_smorest import Api
from marshmallow import Schema, fields

from guitaronline import errors
from guitaronline.api import json
from guitaronline.api.auth import InvalidToken, SignInRequired
from guitaronline.api.errors import (
    FRAMEWORK,
    PROBLEM,
    InvalidCursor,
    InvalidRequest,
    QueryTooHeavy,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    status_of,
)
from guitaronline.api.fields import Output
from guitaronline.api.idempotency import InvalidIdempotencyKey
from guitaronline.api.json import NotJson, UnfitJson
from guitaronline.identity.refusals import StepUpRequired, TotpNotSetUp
from guitaronline.unit_of_work import IdempotencyKeyReused, StaleVersion, StillRunning
from guitaronline.verdict import OutcomeUnknown

if TYPE_CHECKING:
    from guitaronline.api.endpoint import Answer, Endpoint

JSON = "application/json"
ABOUT = """\
For student and teacher apps; staff may use it for operations.

JSON in UTF-8 only. Times are RFC 3339 with an offset; answers are in UTC. Ids are UUIDs. Money is whole minor units with
a currency. Lists take `limit` and `cursor` and answer `{items, next_cursor}`. Every refusal is a problem document
(RFC 9457) whose `code` is stable; when several rules say no, `errors` lists all of them.

Sign in with `POST /identity/auth/login` and send `Authorization: Bearer <access_token>`. A partner's program sends the service key
that the school made for it in the same way: `Authorization: Bearer gok_…`; `x-who` says which calls its scopes reach. Every POST that changes something
takes an `Idempotency-Key`: the same call again gets the first answer, marked `Idempotency-Replayed: true`, for 7 days.
"""


class Mistake(Output):
    pointer = fields.String(
        required=True, metadata={"description": "JSON pointer to the field to blame; empty when it is none"}
    )
    code = fields.String(required=True)
    detail = fields.String(required=True)
    fix = fields.String(metadata={"description": "what would make it possible"})
    booking_id = fields.UUID(metadata={"description": "where it is about one booking among several"})


class Problem(Output):
    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True, metadata={"example": 409})
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "stable; decide by this", "example": "slot_taken"})
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(Mistake), metadata={"description": "every rule that said no"})


class PublishedApi(Api):
    """flask-smorest's registry of endpoints; answers and errors are our own."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """None: `web.answer_error` hands over what goes wrong below /api/, and only that."""

    def _register_responses(self) -> None:
        """None: each endpoint names its own; headers likewise."""

    _register_etag_headers = _register_pagination_header = _register_responses


HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "the record's version; send it back as If-Match", "schema": {"type": "string"}},
    "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "how to sign in", "schema": {"type": "string"}},
    "X-Request-ID": {"description": "the request's id, yours if you sent one", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` when this is the answer of an earlier call with the same key",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The ETag you saw; 412 when the record has changed since.",
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "The same key and body again get the first answer.",
}


def operation(endpoint: Endpoint, *, has_path: bool) -> dict[str, Any]:
    """The description of one endpoint."""
    described: dict[str, Any] = {
        "security": [{"bearer": []}] if endpoint.who.signed_in else [],
        "parameters": _parameters(endpoint),
        "responses": {str(each.status): _success(endpoint, each) for each in endpoint.answers},
        "x-who": endpoint.who.words,
    }
    if endpoint.body is not None and endpoint.body.fields:
        required = any(each.required for each in endpoint.body.fields.values())
        described["requestBody"] = {"required": required, "content": {JSON: {"schema": type(endpoint.body)}}}
    for status, kinds in _refusals(endpoint, has_path=has_path).items():
        described["responses"][str(status)] = _refusal(status, kinds)
    return described


def init_openapi(app: Flask) -> PublishedApi:
    app.config.update(API_TITLE="GuitarOnline", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    api = PublishedApi(app, spec_kwargs={"info": {"description": ABOUT}})
    api.spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "description": "an access token, or a service key"}
    )
    for name, header in HEADERS.items():
        api.spec.components.header(name, header)
    app.extensions["published_api"] = api
    app.add_url_rule("/api/v1/openapi.json", "openapi", published)
    return api


def document() -> dict[str, Any]:
    """The whole description."""
    found: dict[str, Any] = json.loads(json.dumps(current_app.extensions["published_api"].spec.to_dict()).encode())
    return found


def published() -> Response:
    """GET /api/v1/openapi.json"""
    text: str = current_app.extensions.setdefault("openapi_text", "") or json.dumps(document())
    current_app.extensions["openapi_text"] = text
    return Response(text, content_type=JSON)


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if endpoint.query.fields:
        found.append({"in": "query", "schema": type(endpoint.query)})
    if endpoint.edits:
        found.append(IF_MATCH)
    if endpoint.keyed:
        found.append(IDEMPOTENCY_KEY)
    return found


def _success(endpoint: Endpoint, answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": answer.words or HTTPStatus(answer.status).phrase,
        "headers": _headers("X-Request-ID"),
    }
    if isinstance(answer.schema, str):
        described["content"] = {answer.media: {"schema": {"type": answer.schema}}}
    elif answer.schema is not None:
        described["content"] = {JSON: {"schema": _page(answer.schema) if endpoint.order else answer.schema}}
    if endpoint.tagged:
        described["headers"] |= _headers("ETag")
    if endpoint.keyed:
        described["headers"] |= _headers("Idempotency-Replayed")
    return described


@cache
def _page(item: type[Schema]) -> type[Schema]:
    page: dict[str, fields.Field[Any]] = {
        "items": fields.List(fields.Nested(item), required=True),
        "next_cursor": fields.String(required=True, allow_none=True, metadata={"description": "null on the last page"}),
    }
    return Output.from_dict(page, name=f"{item.__name__}Page")


def _refusals(endpoint: Endpoint, *, has_path: bool) -> dict[int, list[str]]:
    """What may go wrong, by HTTP number: the codes."""
    kinds: list[type[errors.DomainError]] = [*endpoint.refuses, TooManyRequests, Unavailable]
    found: dict[int, list[str]] = {500: [FRAMEWORK[500][0]]}
    if endpoint.who.signed_in:
        kinds += [SignInRequired, InvalidToken, TotpNotSetUp]
    if endpoint.who.limited:
        kinds.append(errors.NotAllowed)
    if endpoint.needs_step_up:
        kinds.append(StepUpRequired)
    if has_path:
        kinds.append(errors.NotFound)
    if endpoint.method == "GET":
        kinds += [InvalidRequest, QueryTooHeavy] + ([InvalidCursor] if endpoint.order else [])
    else:
        kinds += [NotJson, UnsupportedMediaType, UnfitJson, InvalidRequest, errors.Busy, OutcomeUnknown]
        found[413] = [FRAMEWORK[413][0]]
    if endpoint.edits:
        kinds.append(StaleVersion)
    if endpoint.keyed:
        kinds += [IdempotencyKeyReused, StillRunning, InvalidIdempotencyKey]
    for kind in kinds:
        codes = found.setdefault(status_of(kind), [])
        codes += [code for code in [errors.code_of(kind)] if code not in codes]
    return dict(sorted(found.items()))


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    names = {401: ["WWW-Authenticate"], 409: ["Retry-After"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(
        status, []
    )
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": _headers("X-Request-ID", *names),
        "content": {PROBLEM: {"schema": Problem}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
