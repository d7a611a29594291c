"""One endpoint, always the same way: token → actor → may this role? → input → one command or query → answer.

A resource file declares what an endpoint takes and gives; this file does it, and `openapi.py` tells it to the world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field
from sqlalchemy.orm import Session

from guitaronline import db, unit_of_work
from guitaronline.actor import ANONYMOUS, Actor, Role
from guitaronline.api import auth, etag, json, limits, openapi, pagination
from guitaronline.api.errors import InvalidRequest, UnsupportedMediaType
from guitaronline.api.fields import Input, reasons
from guitaronline.api.idempotency import claim_of
from guitaronline.errors import DomainError, NotAllowed, Reason
from guitaronline.identity import access

MAX_BODY_BYTES = 1_000_000
JSON = "application/json"


@dataclass(frozen=True)
class Who:
    """Who may call an endpoint at all; whether a record is theirs is the command's or query's question."""

    words: str
    admits: Callable[[Actor], bool]
    signed_in: bool = True
    limited: bool = True  # some of those signed in may not


PUBLIC = Who("anybody", lambda actor: True, signed_in=False, limited=False)
SIGNED_IN = Who("everybody signed in", lambda actor: not actor.is_service)  # it is about a person, and a key is none


def may(permission: access.Permission) -> Who:
    def reached(actor: Actor) -> bool:
        return access.scope(actor, permission) is not access.Scope.NO

    roles = ", ".join(f"{role} ({reach.name.lower()})" for role, reach in access.TABLE[permission].items() if reach)
    keys = ", ".join(access.scopes_that_give(permission))
    return Who(f"{roles}; service keys with {keys}" if keys else roles, reached)


def only(*roles: Role) -> Who:
    return Who(", ".join(roles), lambda actor: actor.role in roles)


@dataclass(frozen=True)
class Answer:
    """An answer with success: its number, its documented shape, and the function that makes it from a result."""

    status: int
    schema: type[Schema] | str | None = None  # a class, or the name of a plain JSON type
    to_json: Callable[[Any], Any] | None = None
    of: type = object  # results of this class are answered so
    words: str = ""
    media: str = JSON

    def render(self, result: Any) -> str:
        return json.dumps(self.to_json(result)) if self.to_json else ""


@dataclass(frozen=True)
class Endpoint:
    view: Callable[..., Any]
    method: str
    who: Who
    answers: tuple[Answer, ...]
    body: Schema | None = None
    query: Schema = field(default_factory=Input)
    asks: bool = False  # the view takes parameters of the query string
    order: pagination.Order | None = None  # of a list
    refuses: tuple[type[DomainError], ...] = ()
    edits: str | None = None  # the path parameter (or "me") whose record If-Match is about
    sees: Callable[[Session, Actor, UUID], Any] | None = None  # raises NotFound when that record is not the caller's
    tagged: bool = False  # its answer carries an ETag
    keyed: bool = False  # it takes an Idempotency-Key
    limit: str | None = None  # counted against a limit of its own, besides
    needs_step_up: bool = False  # the device has to have signed in a moment ago, where a second factor is used
    raw: bool = False  # the view reads the body itself, byte for byte; a machine sends it, and is not counted

    def __call__(self, **path: Any) -> Response:
        actor = self.admitted()
        asked = self.searched()
        body = read_body(self.body) if self.body is not None else {}
        if self.body is not None:
            loaded = _loaded(self.body, body)
            asked |= {"body": loaded} if self.body.fields else {}
        claim, expected = self.claim(actor, body), self.expected(actor, path)
        try:
            with _asked(replace(unit_of_work.request.get(), claim=claim, expected=expected)):
                result = self.view(actor, **path, **asked)
        except unit_of_work.AlreadyAnswered as before:
            return Response(before.answer, before.status, {"Idempotency-Replayed": "true"}, content_type=JSON)
        return self.answer(result, asked.get("page"))

    def admitted(self) -> Actor:
        """The caller, counted against the limits. Raises NotSignedIn, NotAllowed, StepUpRequired, TooManyRequests."""
        if not self.who.signed_in:
            if not self.raw:
                limits.count(self.limit)
            return ANONYMOUS
        try:
            actor = auth.signed_in()
        finally:
            limits.count(self.limit)  # a bad token is counted too, on its address
        if not self.who.admits(actor):
            raise NotAllowed()
        if self.needs_step_up:
            auth.require_confirmed()
        return actor

    def searched(self) -> dict[str, Any]:
        """What the query string asks for: the page of a list, and the view's own parameters."""
        query = read_query(self.query)
        page = {"page": pagination.page_of(query, self.order)} if self.order is not None else {}
        return {**page, "query": query} if self.asks else page

    def claim(self, actor: Actor, body: Any) -> unit_of_work.Claim | None:
        return claim_of(actor, body, self.render) if self.keyed else None

    def expected(self, actor: Actor, path: dict[str, Any]) -> tuple[UUID, int] | None:
        """What If-Match demands. A record that the caller may not see is refused first: its version is nobody's business."""
        record_id: UUID | None = path.get(self.edits or "", actor.id)
        found = etag.expected(record_id) if self.edits and record_id else None
        if found is not None and self.sees is not None:
            self.sees(db.session(), actor, found[0])
        return found

    def render(self, result: Any) -> tuple[int, str]:
        found = next(each for each in self.answers if isinstance(result, each.of))
        return found.status, found.render(result)

    def answer(self, result: Any, page: pagination.Page | None) -> Response:
        if isinstance(result, Response):  # a file: the view made the answer itself
            return result
        status, text = self.render(result) if page is None else (200, self.listed(result, page))
        said = Response(text, status, content_type=JSON)
        if not text:
            said.headers.remove("Content-Type")
        if self.tagged:
            said.headers["ETag"] = etag.etag_of(result)
        return said

    def listed(self, found: Any, page: pagination.Page) -> str:
        to_json = self.answers[0].to_json
        assert self.order is not None
        assert to_json is not None
        rows, following = pagination.cut(found, page, self.order)
        return json.dumps({"items": [to_json(row) for row in rows], "next_cursor": following})


class Resource(Blueprint):
    """The endpoints of one file: `/api/v1/<name>/…`."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, url_prefix=f"/api/v1/{name}", description=description)
        self.declared: list[Endpoint] = []

    def endpoint(
        self,
        method: str,
        rule: str,
        *answers: Answer,
        who: Who,
        body: type[Schema] | None = None,
        query: Mapping[str, Field[Any]] | None = None,
        order: pagination.Order | None = None,
        **facts: Any,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare `view(actor, …path, body=…, query=…, page=…)` as an endpoint."""
        fields = {**(query or {}), **(pagination.PAGE_FIELDS if order else {})}
        asked = body or (Input if method != "GET" and not facts.get("raw") else None)

        def declare(view: Callable[..., Any]) -> Callable[..., Any]:
            made = Endpoint(
                view,
                method,
                who,
                answers,
                body=asked() if asked else None,
                query=Input.from_dict(fields, name=f"{self.name}_{view.__name__}_query")(),
                asks=bool(query),
                order=order,
                **facts,
            )
            self.declared.append(made)

            def run(**path: Any) -> Response:
                return made(**path)

            run.__name__, run.__doc__ = view.__name__, view.__doc__
            run.who = who  # type: ignore[attr-defined]  # rights.py asks every route
            run.provide_automatic_options = False  # type: ignore[attr-defined]
            run = self.doc(**openapi.operation(made, has_path="<" in rule))(run)
            self.route(rule, methods=[method], endpoint=view.__name__)(run)
            return view

        return declare

    def listing(
        self, rule: str, schema: type[Schema], to_json: Callable[[Any], Any], *, order: pagination.Order, **facts: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare `view(actor, …, page, query)`, which returns `page.rows` rows after `page.after`, as a list."""
        return self.endpoint("GET", rule, Answer(200, schema, to_json), order=order, **facts)


def read_body(schema: Schema) -> Any:
    """The JSON value of the body; an empty body is an empty object where nothing is required."""
    request.max_content_length = MAX_BODY_BYTES
    raw = request.get_data(cache=False)
    if not raw and not any(each.required for each in schema.fields.values()):
        return {}
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if request.mimetype != JSON or charset not in ("utf-8", "utf8") or encoding != "identity":
        raise UnsupportedMediaType()
    return json.loads(raw)


def read_query(schema: Schema) -> dict[str, Any]:
    given = request.args.to_dict(flat=False)
    if twice := [name for name, values in given.items() if len(values) > 1]:
        raise InvalidRequest(
            reasons=[Reason("duplicate_key", "This stands twice.", pointer=f"/{name}") for name in twice]
        )
    return _loaded(schema, {name: values[0] for name, values in given.items()})


def _loaded(schema: Schema, given: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        raise InvalidRequest(reasons=reasons(error.messages)) from None
    return found


@dataclass
class _asked:  # reads as a phrase: with _asked(…)
    """The unit of work knows, for a while, what was asked."""

    facts: unit_of_work.Request
    before: Any = field(default=None, init=False)

    def __enter__(self) -> None:
        self.before = unit_of_work.request.set(self.facts)

    def __exit__(self, *_: object) -> None:
        unit_of_work.request.reset(self.before)
