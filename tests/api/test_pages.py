"""Lists: the union of the pages is the whole, without doubles, also while rows are added."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from guitaronline.billing.service import adjust_lessons, create_plan, record_payment, refund_payment, set_payment_status
from tests.api.conftest import Api
from tests.world import World, as_actor


def walk(api: Api, path: str, who: Any, *, limit: int, between: Any = lambda: None) -> list[str]:
    """The ids of all pages; `between` happens after each."""
    found: list[str] = []
    mark = "&" if "?" in path else "?"
    page = api.get(f"{path}{mark}limit={limit}", who).json
    while True:
        found += [each["id"] for each in page["items"]]
        assert len(page["items"]) <= limit
        if page["next_cursor"] is None:
            return found
        assert len(page["items"]) == limit
        between()
        page = api.get(f"{path}{mark}limit={limit}&cursor={page['next_cursor']}", who).json


def in_full(api: Api, path: str, who: Any) -> list[str]:
    mark = "&" if "?" in path else "?"
    return [each["id"] for each in api.get(f"{path}{mark}limit=100", who).json["items"]]


def test_every_list_is_the_union_of_its_pages(api: Api, booked: World) -> None:
    ann, finn = booked.ann, as_actor(booked.finn)
    slots = [booked.slot(hours=30 + 2 * n) for n in range(7)] + [booked.slot(booked.tina, hours=31)]
    others = [booked.person(name, booked.ann.role) for name in ("Åsa", "Zoë", "Zoe", "🎸", "b", "Bee")]
    packages = [booked.package(student) for student in others] + [booked.package() for _ in range(3)]
    booked.booking(slots[0], package_id=packages[-1].id)
    for number, student in enumerate(others[:4], 1):
        booked.booking(slots[number], student)
    for n in range(3):
        adjust_lessons(as_actor(booked.ada), packages[-1].id, lessons=-1, reason=f"count {n}")
        create_plan(as_actor(booked.ada), name=f"Plan {n}", lessons_total=5, amount_minor=100)
        record_payment(finn, package_id=packages[-1].id, amount_minor=100 + n, currency="USD")
    paid = record_payment(finn, package_id=packages[-1].id, amount_minor=900, currency="USD")
    set_payment_status(finn, paid.id, status="succeeded", reason="cash")
    for _ in range(3):
        refund_payment(finn, paid.id, amount_minor=10, reason="a courtesy")

    lists = [
        ("/teachers/profiles", None, 2), ("/scheduling/slots/open", None, 3), (f"/scheduling/slots/open?teacher_id={booked.tom.id}", None, 2),
        ("/booking/my", booked.tom, 5), ("/booking/teacher/students", booked.tom, 5), ("/billing/plans", None, 3),
        (f"/billing/packages/students/{ann.id}", ann, 4), (f"/billing/packages/{packages[-1].id}/entries", ann, 6),
        (f"/billing/payments/students/{ann.id}", ann, 4), (f"/billing/payments/{paid.id}/refunds", booked.finn, 3),
        ("/lessons/my", booked.tom, 5), ("/audit/logs", booked.ada, 30), ("/audit/logs?action=booking.", booked.ada, 5), ("/audit/outbox/pending", booked.ada, 20),
    ]  # fmt: skip
    for path, who, least in lists:
        whole = in_full(api, path, who)
        assert len(whole) == len(set(whole)) >= least, path
        assert walk(api, path, who, limit=3) == whole, path
        mark = "&" if "?" in path else "?"
        skipped = [each["id"] for each in api.get(f"{path}{mark}limit=2&offset=1", who).json["items"]]
        assert skipped == whole[1:3], path


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=some.integers(1, 4), hours=some.lists(some.integers(1, 300), min_size=1, max_size=3, unique=True))
def test_rows_added_between_pages_neither_double_nor_hide_a_row(
    api: Api, world: World, limit: int, hours: list[int]
) -> None:
    base = world.__dict__.setdefault("base", world.now + timedelta(hours=100))
    taken: set[int] = world.__dict__.setdefault("taken", set())

    def add(number: int | None) -> None:
        if number is not None and number not in taken:
            taken.add(number)
            world.slot(start_at=base + timedelta(hours=3 * number), minutes=30)

    for number in hours:
        add(number)
    before = in_full(api, "/scheduling/slots/open", None)
    ahead, behind = iter(range(301, 306)), iter(range(-20, 0))

    found = walk(
        api,
        "/scheduling/slots/open",
        None,
        limit=limit,
        between=lambda: add(next(ahead if limit % 2 else behind, None)),
    )

    assert len(found) == len(set(found))
    assert set(before) <= set(found)


def test_a_cursor_of_another_list_is_refused(api: Api, world: World) -> None:
    for hours in (30, 32):
        world.slot(hours=hours)
    cursor = api.get("/scheduling/slots/open?limit=1").json["next_cursor"]
    refused = api.get(f"/booking/my?cursor={cursor}", world.ann)
    assert (refused.status, refused.code) == (422, "invalid_cursor")
    assert api.get(f"/scheduling/slots/open?cursor={cursor}&offset=0").status == 422


def test_the_largest_offset_is_honoured(api: Api) -> None:
    assert api.get("/scheduling/slots/open?offset=10000").json == {"items": [], "next_cursor": None}
