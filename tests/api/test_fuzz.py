"""Whatever a client sends, in whatever role or in none: never a 5xx, and every answer is as published."""

from __future__ import annotations

import contextvars
import warnings
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from schemathesis.specs.openapi import checks as openapi

from guitaronline import policy
from tests.api.conftest import Api
from tests.api.test_permissions import Scene
from tests.world import World

EXAMPLES = {
    "student": 3,
    "admin": 3,
    "teacher": 1,
    "support": 1,
    "finance": 1,
    "auditor": 1,
}  # for each of the operations


def patient(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("role", EXAMPLES)
def test_nothing_a_client_sends_breaks_the_server(api: Api, world: World, role: str) -> None:
    scene = Scene(world)
    people = {"student": world.ann, "admin": world.ada, "teacher": world.tom, "support": world.sue}
    who = (people | {"finance": world.finn, "auditor": world.audrey})[role]
    token = {"Authorization": f"Bearer {api.token(who)}"}

    statuses = answers(api, scene, token, EXAMPLES[role])

    assert statuses[200] > 10
    assert statuses[422] > (5 if EXAMPLES[role] > 1 else 0)  # who may little is mostly refused before the body is read
    assert statuses[401] < statuses.total() / 4  # now and then a mutated header; with a bad token it were nearly all


def test_nothing_a_stranger_sends_breaks_the_server(api: Api, world: World) -> None:
    statuses = answers(api, Scene(world), {}, 1)

    assert statuses[401] > statuses.total() / 2


def answers(api: Api, scene: Scene, token: dict[str, str], examples: int) -> Counter[int]:
    """How many answers of each number there were."""
    known = {
        "booking_id": [str(scene.booking().id), str(scene.hold().id)],
        "slot_id": [str(scene.slot().id)],
        "profile_id": [scene.profile()],
        "student_id": [str(scene.world.ann.id)],
        "package_id": [str(scene.package.id)],
        "payment_id": [scene.payment(), scene.payment(paid=True)],
        "lesson_id": [scene.lesson()],
    }
    with policy.changed(LOGIN_MAX_FAILURES=1000):
        return contextvars.Context().run(fuzz, api, token, known, examples)


def fuzz(api: Api, token: dict[str, str], known: dict[str, list[str]], examples: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    schema = schemathesis.openapi.from_dict(api.documented)
    schema.app = api.app
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith("/logout"):  # the token is needed
            try_out(operation, token, known, examples, statuses)
    return statuses


def try_out(
    operation: Any, token: dict[str, str], known: dict[str, list[str]], examples: int, statuses: Counter[int]
) -> None:
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    cases = some.one_of(*[operation.as_strategy(generation_mode=mode) for mode in modes])

    @patient(examples)
    @given(case=cases, data=some.data())
    def one(case: Any, data: Any) -> None:
        for name in case.path_parameters or {}:
            if name in known and data.draw(some.booleans()):
                case.path_parameters[name] = data.draw(some.sampled_from(known[name]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = case.call(headers=token)
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        case.validate_response(answer, checks=CHECKS)

    one()


CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]
