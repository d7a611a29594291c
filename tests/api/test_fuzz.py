"""Whatever a client sends, as a student or as an admin: never a 5xx, and every answer is as published."""

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

EXAMPLES = 3  # for each of the operations and ways; raise it to look longer
PATIENT = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("role", ["student", "admin"])
def test_nothing_a_client_sends_breaks_the_server(api: Api, world: World, role: str) -> None:
    scene = Scene(world)
    known = {
        "booking_id": [str(scene.booking().id), str(scene.hold().id)],
        "slot_id": [str(scene.slot().id)],
        "profile_id": [scene.profile()],
        "student_id": [str(world.ann.id)],
        "package_id": [str(scene.package.id)],
        "payment_id": [scene.payment(), scene.payment(paid=True)],
        "lesson_id": [scene.lesson()],
    }
    who = {"student": world.ann, "admin": world.ada}[role]
    token = {"Authorization": f"Bearer {api.token(who)}"}
    with policy.changed(LOGIN_MAX_FAILURES=1000):
        statuses = contextvars.Context().run(fuzz, api, token, known)
    assert statuses[200] > 10
    assert statuses[422] > 10
    assert statuses[401] < statuses.total() / 4  # now and then a mutated header; with a bad token it were nearly all


def fuzz(api: Api, token: dict[str, str], known: dict[str, list[str]]) -> Counter[int]:
    """How many answers of each number there were."""
    statuses: Counter[int] = Counter()
    schema = schemathesis.openapi.from_dict(api.documented)
    schema.app = api.app
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith("/logout"):  # the token is needed
            try_out(operation, token, known, statuses)
    return statuses


def try_out(operation: Any, token: dict[str, str], known: dict[str, list[str]], statuses: Counter[int]) -> None:
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    cases = some.one_of(*[operation.as_strategy(generation_mode=mode) for mode in modes])

    @PATIENT
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
