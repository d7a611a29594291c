"""The numbers through the API are those of the console."""

from __future__ import annotations

from typing import Any

import pytest

from guitaronline import clock
from guitaronline.db import session
from guitaronline.kpis import queries
from guitaronline.kpis.definitions import NUMBERS
from guitaronline.kpis.kinds import Section, Unit
from tests.api.conftest import Api
from tests.kpis.life import Life, counted
from tests.world import World


@pytest.fixture
def life(world: World) -> Life:
    made = Life(world).whole()
    counted()
    return made


def numbers(answer: Any) -> dict[tuple[str, str], Any]:
    return {(each["code"], each.get("currency", "")): each for each in answer.json["numbers"]}


def test_the_overview_is_what_the_console_reads(api: Api, life: Life) -> None:
    span = life.span(9)
    answer = api.get(f"/admin/kpi/overview?from={span.first}&to={span.last}", life.world.ada)
    reading = queries.read(session(), span, clock.read(session()))
    seen = [
        figure for section in Section for each in queries.figures_of(reading, section, money=True) for figure in each
    ]

    assert {key: (each["value"], each["before"]) for key, each in numbers(answer).items()} == {
        (each.of.code, each.currency): (each.value, each.before)
        for each in seen
        if each.currency or each.of.unit is not Unit.MONEY
    }


def test_numbers_carry_their_parts_and_words(api: Api, life: Life) -> None:
    found = numbers(api.get("/admin/kpi/overview", life.world.sue))

    delivered = found["delivered", ""]
    assert delivered["value"] == 4
    assert {each["dimension"]: each["value"] for each in delivered["parts"]} == {
        "given": 2,
        "missed by the student": 1,
        "canceled late": 1,
    }
    assert delivered["definition"] == next(each.words for each in NUMBERS if each.code == "delivered")


def test_sales_never_mix_currencies(api: Api, life: Life) -> None:
    found = numbers(api.get("/admin/kpi/sales", life.world.finn))

    assert (found["revenue_net", "USD"]["value"], found["revenue_net", "EUR"]["value"]) == (8299, 5000)
    assert {each["section"] for each in found.values()} == {"Sales and money"}


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ("from=2026-11-01", ["/to"]),
        ("from=2026-11-30&to=2026-11-01", ["/from"]),
        ("from=2026-02-30&to=2026-03-01", ["/from"]),
        ("from=2020-01-01&to=2026-03-01", ["/from"]),
        ("from=x&to=2026-03-01", ["/from"]),
    ],
)
def test_days_that_cannot_be_counted_are_refused(api: Api, world: World, query: str, pointers: list[str]) -> None:
    answer = api.get(f"/admin/kpi/overview?{query}", world.ada)

    assert answer.status == 422
    assert [pointer for pointer, _ in answer.reasons] == pointers


def test_operations_tell_of_events_and_of_the_counting(api: Api, life: Life) -> None:
    found = api.get("/admin/ops/overview", life.world.audrey).json

    assert found["events_pending"] > 0
    assert (found["events_dead"], found["days_waiting"]) == (0, 0)
    assert found["counted_until"] == life.day(1).isoformat()
    assert found["event_to_handled_p95_ms"] is None
