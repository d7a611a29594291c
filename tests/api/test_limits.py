"""How often one may call, with Redis and without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

import config
from guitaronline import create_app, policy
from tests.api.conftest import Api
from tests.world import World

LOGIN = {"email": "nobody@people.example", "password": "wrong"}
LIMITS = {
    "LIMITS": "on",
    "LIMIT_LOGIN_PER_ADDRESS": "3 per minute",
    "LIMIT_REGISTER_PER_ADDRESS": "1 per hour",
    "LIMIT_API_READ": "5 per minute",
    "LIMIT_API_WRITE": "50 per minute",
}


@pytest.fixture(params=["redis", "redis is down"])
def limited(
    request: Any, settings: config.Settings, documented: dict[str, Any], components: str, db: Session
) -> Iterator[Api]:
    address = settings.REDIS_URL if request.param == "redis" else "redis://127.0.0.1:9/0"
    changed = replace(settings, REDIS_URL=address, **LIMITS)
    try:
        made = create_app(changed)
        made.extensions["api_limits"].limiter.storage.reset() if request.param == "redis" else None
        with made.app_context():
            yield Api(made, documented, components)
    finally:
        policy.set_current(settings)


def test_sign_ins_are_limited_by_address(limited: Api) -> None:
    answers = [limited.post("/identity/auth/login", LOGIN) for _ in range(5)]
    assert [each.status for each in answers] == [401, 401, 401, 429, 429]
    assert answers[-1].code == "too_many_requests"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61


def test_registrations_are_limited_by_address(limited: Api) -> None:
    new = [{"email": f"n{n}@people.example", "password": "a quiet evening song"} for n in range(2)]
    assert [limited.post("/identity/auth/register", each).status for each in new] == [201, 429]


def test_reads_are_limited_by_person_over_all_addresses_of_the_api(limited: Api, world: World) -> None:
    answers = [limited.get(path, world.ann).status for path in ["/booking/my", "/lessons/my", "/identity/users/me"] * 2]
    assert answers == [200] * 5 + [429]
    assert limited.get("/booking/my", world.ben).status == 200
    assert limited.post("/booking/hold", {}, world.ann).status == 422


def test_bad_tokens_are_counted_too(limited: Api) -> None:
    bad = {"Authorization": "Bearer gol_at_guess"}
    assert [limited.get("/booking/my", headers=bad).status for _ in range(6)] == [401] * 5 + [429]


def test_a_limit_that_cannot_be_read_stops_the_start(settings: config.Settings) -> None:
    try:
        with pytest.raises(config.BadConfig, match="LIMIT_API_READ"):
            create_app(replace(settings, LIMIT_API_READ="often"))
    finally:
        policy.set_current(settings)
