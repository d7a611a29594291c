"""A client of the API for tests. Each answer it gets is compared with the published description."""

from __future__ import annotations

import contextvars
import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from guitaronline import clock, db, policy
from guitaronline.actor import Actor
from guitaronline.api import openapi
from guitaronline.identity import credentials, tokens
from guitaronline.identity.models import TokenFamily, User
from tests.world import World

ROOT = "/api/v1"


@dataclass
class Answer:
    status: int
    headers: Any
    text: str

    @cached_property
    def json(self) -> Any:
        return json.loads(self.text) if self.text else None

    @property
    def code(self) -> str:
        """The problem's code; empty when it is none."""
        return str(self.json["code"]) if self.status >= 400 else ""

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return [(each["pointer"], each["code"]) for each in self.json.get("errors", [])]


@dataclass(repr=False)
class Api:
    """Calls as somebody: `api.get("/booking/my", who=world.ann)`; `who` None is a stranger."""

    app: Flask
    documented: dict[str, Any]
    components: str  # `closed(documented)`
    given: dict[Any, str] = field(default_factory=dict)

    def get(self, path: str, who: User | Actor | None = None, **more: Any) -> Answer:
        return self.call("GET", path, who, **more)

    def post(self, path: str, body: Any = None, who: User | Actor | None = None, **more: Any) -> Answer:
        return self.call("POST", path, who, body=body, **more)

    def patch(self, path: str, body: Any = None, who: User | Actor | None = None, **more: Any) -> Answer:
        return self.call("PATCH", path, who, body=body, **more)

    def call(
        self,
        method: str,
        path: str,
        who: User | Actor | None = None,
        *,
        body: Any = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = None,
        documented: bool = True,
    ) -> Answer:
        sent = dict(headers or {})
        if who is not None:
            sent.setdefault("Authorization", f"Bearer {self.token(who)}")
        if key is not None:
            sent["Idempotency-Key"] = key
        if body is not None or raw is not None:
            sent.setdefault("Content-Type", "application/json")
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        answer = contextvars.Context().run(self._send, method, ROOT + path, data, sent)
        check(self, method, ROOT + path, answer, documented=documented)
        return answer

    def token(self, who: User | Actor) -> str:
        """An access token of theirs; one for each moment the clock was shifted to."""
        slot = (who.id, clock.seam())
        if slot not in self.given:
            self.given[slot] = contextvars.Context().run(self._token, who)
        return self.given[slot]

    def _token(self, who: User | Actor) -> str:
        with self.app.app_context(), credentials.short_transaction() as session:
            now = clock.read(session)
            ends = now + timedelta(days=policy.current().REFRESH_TOKEN_MAX_DAYS)
            family = TokenFamily(id=db.new_id(), user_id=who.id, created_at=now, last_used_at=now, expires_at=ends)
            session.add(family)
            session.flush()
            return tokens._new_pair(session, family, now)[1].access_token

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        """In an empty context, so that nothing of the test or of another request is seen."""
        found = self.app.test_client(use_cookies=False).open(path, method=method, data=data, headers=headers)
        return Answer(found.status_code, found.headers, found.get_data().decode(errors="replace"))


def check(api: Api, method: str, path: str, answer: Answer, *, documented: bool) -> None:
    """Never a 5xx; a refusal is a problem document; number and body are as published."""
    assert answer.status < 500, answer.text
    assert answer.headers["X-Request-ID"]
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["status"] == answer.status
    if documented:
        responses = operation(api, method, path)["responses"]
        assert str(answer.status) in responses, f"{method} {path}: {answer.status} is not documented: {answer.text}"
        response = responses[str(answer.status)]
        if "content" not in response:
            assert answer.text == ""
            return
        (media, content), *_ = response["content"].items()
        assert answer.headers["Content-Type"] == media
        if media.startswith(("text/calendar", "application/pdf")):
            return
        validator(json.dumps(content["schema"]), api.components).validate(answer.json)
        if answer.status >= 400:
            assert f"`{answer.code}`" in response["description"], f"{method} {path}: {answer.code} is not documented"


def operation(api: Api, method: str, path: str) -> dict[str, Any]:
    """What is published about the address."""
    with api.app.test_request_context(path, method=method) as context:
        routing = context.request.routing_exception
        if isinstance(routing, HTTPException) or context.request.url_rule is None:
            raise AssertionError(f"{method} {path} is no address of the API; say documented=False")
        rule = context.request.url_rule.rule
    template = rule.replace("<uuid:", "{").replace("<", "{").replace(">", "}")
    found: dict[str, Any] = api.documented["paths"][template][method.lower()]
    return found


def closed(documented: dict[str, Any]) -> str:
    """The published schemas: a field that is not published is a mistake."""
    schemas = copy.deepcopy(documented["components"]["schemas"])
    for schema in schemas.values():
        schema["additionalProperties"] = False
    return json.dumps({"schemas": schemas})


@cache
def validator(schema: str, components: str) -> Any:
    whole = {**json.loads(schema), "components": json.loads(components)}
    return jsonschema_rs.validator_for(whole, validate_formats=True)


@pytest.fixture(scope="session")
def documented(app: Flask) -> dict[str, Any]:
    with app.app_context():
        return openapi.document()


@pytest.fixture(scope="session")
def components(documented: dict[str, Any]) -> str:
    return closed(documented)


@pytest.fixture
def api(app: Flask, documented: dict[str, Any], components: str, db: Session) -> Api:
    return Api(app, documented, components)


@pytest.fixture
def booked(world: World) -> Iterator[World]:
    """The world with a package of Ann's, and room for many holds."""
    world.package(lessons=50)
    with policy.changed(BOOKING_MAX_LIVE_HOLDS=100):
        yield world
