"""What holds for every call: media type, strict JSON, problem documents, tokens, request ids."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from guitaronline.api import booking as booking_resource
from guitaronline.db import session
from tests.api.conftest import Api
from tests.world import World

LOGIN = {"email": "ann@people.example", "password": "x"}
HOLD = "/booking/hold"


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/vnd.api+json",
        "",
    ],
)
def test_only_json_in_utf8_is_read(api: Api, media: str) -> None:
    refused = api.post("/identity/auth/login", raw=b'{"email": "a", "password": "b"}', headers={"Content-Type": media})
    assert (refused.status, refused.code) == (415, "unsupported_media_type")


def test_a_compressed_body_is_not_read(api: Api) -> None:
    refused = api.post("/identity/auth/login", LOGIN, headers={"Content-Encoding": "gzip"})
    assert refused.status == 415


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff\xfe{}", b'{"email": "a" "b"}'])
def test_what_is_no_json_is_400(api: Api, body: bytes) -> None:
    refused = api.post("/identity/auth/login", raw=body)
    assert (refused.status, refused.code) == (400, "not_json")


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"null", b'"text"', b"5", b'{"email": "a", "email": "b", "password": "c"}', b'{"email": NaN, "password": "c"}',
        b'{"email": "a\\u0000", "password": "c"}', b'{"email": "\\ud800", "password": "c"}', b"[" * 30 + b"]" * 30,
        b'{"email": 5, "password": "c"}', b'{"email": true, "password": "c"}', b'{"email": null, "password": "c"}',
        b'{"email": "a"}', b'{"email": "a", "password": "c", "admin": true}',
    ],
)  # fmt: skip
def test_json_that_does_not_fit_is_422(api: Api, body: bytes) -> None:
    refused = api.post("/identity/auth/login", raw=body)
    assert refused.status == 422
    assert refused.json["errors"]


@pytest.mark.parametrize("amount_minor", [True, "5", 5.0, 0, -1, 10**13, 10**19])
def test_a_number_is_a_number_within_its_limits(api: Api, world: World, amount_minor: Any) -> None:
    path = f"/billing/payments/{world.ann.id}/refunds"
    refused = api.post(path, {"amount_minor": amount_minor, "reason": "x"}, world.finn)
    assert refused.status == 422
    assert refused.reasons[0][0] == "/amount_minor"


def test_a_body_above_one_megabyte_is_413(api: Api) -> None:
    refused = api.post("/identity/auth/login", raw=b'{"email": "' + b"a" * 1_000_000 + b'"}')
    assert (refused.status, refused.code) == (413, "too_large")


def test_a_call_without_required_fields_needs_no_body(api: Api, booked: World) -> None:
    path = f"/booking/{booked.hold().id}/confirm"
    assert api.post(path, who=booked.ann).status == 200
    assert api.post(path, {}, booked.ann).status == 200
    assert api.post(path, raw=b"", who=booked.ann, headers={"Content-Type": "text/plain"}).status == 200
    assert api.post(path, {"more": 1}, booked.ann).status == 422


@pytest.mark.parametrize(
    "path", ["/nothing", "/booking/not-an-id", "/booking/my/", "/booking/٣", "/%00", "/identity/auth/password/remember"]
)
def test_unknown_addresses_are_problem_documents(api: Api, path: str) -> None:
    missing = api.get(path, documented=False)
    assert (missing.status, missing.code) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "OPTIONS", "TRACE"])
def test_unknown_methods_are_problem_documents(api: Api, method: str) -> None:
    refused = api.call(method, "/booking/my", documented=False)
    assert (refused.status, refused.code) == (405, "method_not_allowed")
    assert "GET" in refused.headers["Allow"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=ten",
        "limit=1_0",
        "limit=",
        "offset=-1",
        "offset=10001",
        "cursor=x",
        "cursor=",
        "page=2",
        "limit=5&limit=5",
        "limit=%EF%BC%95",
    ],
)
def test_a_query_that_does_not_fit_is_422(api: Api, world: World, query: str) -> None:
    assert api.get(f"/booking/my?{query}", world.ann).status == 422


@pytest.mark.parametrize(
    "query",
    ["teacher_id=5", "from=2026-11-23", "from=yesterday", "to=9999-12-31T00:00:00Z", "from=2026-11-23T10:00:00"],
)
def test_a_search_that_does_not_fit_is_422(api: Api, query: str) -> None:
    assert api.get(f"/scheduling/slots/open?{query}").status == 422


@pytest.mark.parametrize("q", ["%00", "a%00b", "%ff", "%25", "_", "\\", "'", "%F0%9F%8E%B8", "a" * 100])
def test_no_search_text_is_a_server_error(api: Api, q: str) -> None:
    assert api.get(f"/teachers/profiles?q={q}&tag=x").status in (200, 422)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic YTpi",
        "Bearer gol_at_x y",
        "bearer\tx",
        "Bearer ä",
        "Token x",
        "Bearer " + "a" * 300,
    ],
)
def test_a_bad_token_is_401_with_a_challenge(api: Api, given: str) -> None:
    refused = api.get("/booking/my", headers={"Authorization": given})
    assert refused.status == 401
    assert refused.code in ("invalid_token", "sign_in_required")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_cookies_mean_nothing(api: Api, world: World) -> None:
    cookie = "; ".join(
        f"{name}={api.token(world.ann)}" for name in ("session", "gol-session", "__Host-gol", "access_token")
    )
    assert api.get("/booking/my", headers={"Cookie": cookie}).status == 401


def test_no_answer_sets_a_cookie(api: Api, world: World) -> None:
    assert "Set-Cookie" not in api.get("/booking/my", world.ann).headers
    assert "Set-Cookie" not in api.post("/identity/auth/login", LOGIN).headers


def test_a_given_request_id_comes_back_and_stands_in_the_audit(api: Api, booked: World) -> None:
    held = api.post(HOLD, {"slot_id": str(booked.slot().id)}, booked.ann, headers={"X-Request-ID": "c-7.of_ann"})
    assert held.headers["X-Request-ID"] == "c-7.of_ann"
    row = session().execute(text("SELECT name, actor_id FROM audit_actions WHERE request_id = 'c-7.of_ann'")).one()
    assert (row.name, row.actor_id) == ("booking.hold", booked.ann.id)


@pytest.mark.parametrize("given", ["with space", "a" * 65, "naïve", "<script>", ""])
def test_an_unfit_request_id_is_replaced(api: Api, given: str) -> None:
    refused = api.get("/booking/my", headers={"X-Request-ID": given})
    assert refused.headers["X-Request-ID"] != given
    assert refused.json["request_id"] == refused.headers["X-Request-ID"]


def test_a_mistake_of_ours_is_a_500_that_tells_nothing(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        session().execute(text("SELECT secret_column FROM users WHERE email = 'ann@people.example'"))

    monkeypatch.setattr(booking_resource.queries, "bookings_of_person", broken)
    token = api.token(world.ann)
    with api.app.test_client() as client:
        answer = client.get("/api/v1/booking/my", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert answer.get_json()["code"] == "internal_error"
    assert "secret_column" not in answer.text
    assert "ann@people" not in answer.text


def test_pages_keep_their_own_errors(app: Any) -> None:
    with app.test_client() as client:
        assert "text/html" in client.get("/nothing-of-the-api").headers["Content-Type"]


def test_answers_are_not_kept_by_caches(api: Api, world: World) -> None:
    assert api.get("/identity/users/me", world.ann).headers["Cache-Control"] == "no-store"


def test_times_are_utc(api: Api, world: World) -> None:
    me = api.get("/identity/users/me", world.ann).json
    assert me["created_at"].endswith("Z")
