"""Pages by place: together they are the whole, whatever is added meanwhile, and no address leads astray."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from guitaronline.actor import Role
from guitaronline.admin import cursor, listing
from guitaronline.admin.base import Desk
from guitaronline.admin.listing import Order, Place, Stretch
from guitaronline.db import session
from guitaronline.identity import service as identity
from guitaronline.identity.models import Task, User
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School
from tests.world import World, as_actor

DUE = [date(2026, 12, 1), None, date(2026, 12, 1), date(2026, 11, 30), None, None, date(2027, 1, 1)]
CHOICES = [(column, is_descending) for column in (Task.due_on, Task.id) for is_descending in (True, False)]
BAD = ["x", "", "%00", "e30.x", "x" * 3000, "WyJ4Il0.abcdefg", "%F0%9F%8E%B8"]


@pytest.fixture
def tasks(world: World) -> World:
    """Seven tasks, three of them without a day, two on the same day."""
    about = {"record_type": "users", "record_id": world.ann.id}
    for number, day in enumerate(DUE):
        identity.create_task(as_actor(world.ada), title=f"T{number}", owner_id=world.ada.id, due_on=day, **about)
    return world


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


@pytest.fixture
def crowd(world: World) -> set[str]:
    """60 students."""
    return {world.person(f"Student {number:02}", Role.STUDENT, email=None).full_name for number in range(60)}


@pytest.mark.parametrize(("column", "is_descending"), CHOICES)
def test_reading_on_by_place_gives_the_whole_in_its_order(tasks: World, column: Any, is_descending: bool) -> None:
    order = Order(column, Task.id, is_descending)

    assert forward(order) == whole(order)


@pytest.mark.parametrize(("column", "is_descending"), CHOICES)
def test_reading_back_from_the_end_gives_the_whole_too(tasks: World, column: Any, is_descending: bool) -> None:
    order = Order(column, Task.id, is_descending)

    assert backward(order) == whole(order)


@pytest.mark.parametrize(("column", "is_descending"), CHOICES)
def test_rows_that_are_added_meanwhile_shift_nothing(tasks: World, column: Any, is_descending: bool) -> None:
    order = Order(column, Task.id, is_descending)
    before = whole(order)
    first = page(order, Stretch())

    about = {"record_type": "users", "record_id": tasks.ann.id}
    identity.create_task(as_actor(tasks.ada), title="new", owner_id=tasks.ada.id, due_on=DUE[3], **about)
    seen = ids(first) + [each for each in forward(order, first.last) if each in before]

    assert seen == before


def test_the_last_page_holds_what_next_would_come_to(tasks: World) -> None:
    order = Order(Task.id, Task.id)

    assert ids(page(order, Stretch(is_end=True))) == whole(order)[-1:]


def test_rows_have_their_numbers_in_the_whole_list(tasks: World) -> None:
    order = Order(Task.due_on, Task.id)
    second = page(order, Stretch(after=page(order, Stretch()).last))

    assert (second.first.number, second.last.number) == (4, 6)  # type: ignore[union-attr]
    assert page(order, Stretch(before=second.first)).first.number == 1  # type: ignore[union-attr]
    assert page(order, Stretch(is_end=True)).last.number == 7  # type: ignore[union-attr]


def test_the_first_and_the_last_page_say_where_the_list_ends(tasks: World) -> None:
    order = Order(Task.due_on, Task.id)
    first, last = page(order, Stretch()), page(order, Stretch(is_end=True))

    assert (first.has_previous, first.has_next, last.has_previous, last.has_next) == (False, True, True, False)


@pytest.mark.parametrize("value", [None, date(2026, 11, 30), datetime(2026, 11, 30, 9, 30, 0, 5, tzinfo=UTC), "Ann", 7])
def test_a_cursor_is_read_as_it_was_written(app: Flask, value: Any) -> None:
    order, place = Order(Task.due_on, Task.id), Place(value, as_id(1), 26)

    with app.app_context():
        assert cursor.read(order, cursor.write(order, place)) == place


def test_a_cursor_is_good_for_its_own_order_only(app: Flask) -> None:
    up, down = Order(Task.due_on, Task.id), Order(Task.due_on, Task.id, is_descending=True)

    with app.app_context(), pytest.raises(ValueError, match="not a cursor of this list"):
        cursor.read(down, cursor.write(up, Place(None, as_id(1))))


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("way", ["after", "before"])
def test_a_bad_cursor_is_told_and_the_list_begins_anew(sue: Browser, crowd: set[str], way: str, bad: str) -> None:
    answer = sue.get(f"/admin/people/?sort=full_name&{way}={bad}")

    assert answer.status_code == 200
    assert "Student 00" in answer.text
    assert ("is not a page of this list" in words(answer.text)) is bool(bad)


def test_next_leads_through_the_whole_list_and_last_to_its_end(sue: Browser, crowd: set[str]) -> None:
    first = sue.get("/admin/people/?role=student&sort=full_name").text
    second = sue.get(link(first, "next")).text
    third = sue.get(link(second, "next")).text
    last = sue.get(link(first, "last")).text

    assert names(first) + names(second) + names(third) == sorted(crowd)
    assert names(last) == names(third)
    assert names(sue.get(link(third, "prev")).text) == names(second)
    assert names(sue.get(link(third, "first")).text) == names(first)


def test_a_list_ordered_by_time_goes_on(app: Flask, school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [school.booked, school.held, school.waiting]
    monkeypatch.setattr(Desk, "page_size", 2)
    browser = signed_in(app, school.world.sue)

    first = browser.get("/admin/bookings/").text
    second = browser.get(link(first, "next")).text

    assert len(set(references(first) + references(second))) == 3
    assert references(browser.get(link(second, "prev")).text) == references(first)


def test_the_pages_say_which_rows_they_hold(sue: Browser, crowd: set[str]) -> None:
    first = sue.get("/admin/people/?role=student").text
    last = sue.get(link(first, "last")).text

    assert "1–25 of 60" in words(first)
    assert "51–60 of 60" in words(last)


def test_a_page_beyond_the_end_leads_back(sue: Browser, crowd: set[str]) -> None:
    assert "nothing further here" in words(sue.get("/admin/people/?page=199").text)


def test_a_deep_page_is_read_from_the_index_like_the_first(tasks: World) -> None:
    """Planned without a sequential scan, the row comparison is the index's own condition and nothing is sorted."""
    order = Order(Task.due_on, Task.id)
    here = order.beyond(Place(DUE[0], as_id(0)))[0]
    query = select(Task.id).where(here).order_by(*order.keys()).limit(26)
    sql = str(query.compile(session().get_bind(), compile_kwargs={"literal_binds": True}))

    session().execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(session().scalars(text(f"EXPLAIN {sql}")))
    session().rollback()

    assert "Index Cond: (ROW(due_on, id) > ROW(" in plan
    assert "Sort" not in plan


def test_a_count_that_takes_too_long_is_not_waited_for_and_harms_nothing(tasks: World) -> None:
    slow = select(User.id).where(text("pg_sleep(2) IS NOT NULL"))
    limit = text("SHOW statement_timeout")
    before = session().scalar(limit)

    assert listing.glance(session(), slow, milliseconds=10) is None
    assert str(listing.glance(session(), select(Task.id), milliseconds=1000)) == "7"
    assert session().scalar(limit) == before


def test_a_count_says_when_there_are_more(tasks: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "GLANCE_UP_TO", 3)

    assert str(listing.glance(session(), select(Task.id), milliseconds=1000)) == "more than 3"


def page(order: Order, wanted: Stretch) -> listing.Page:
    query = select(Task.id)
    return listing.load_page(session(), Task, query, order, wanted, is_whole=False, size=3, options=())


def ids(found: listing.Page) -> list[Any]:
    return [row.id for row in found.rows]


def whole(order: Order) -> list[Any]:
    session().rollback()
    return list(session().scalars(select(Task.id).order_by(*order.keys())))


def forward(order: Order, after: Place | None = None) -> list[Any]:
    found = page(order, Stretch(after=after))
    return ids(found) + (forward(order, found.last) if found.has_next else [])


def backward(order: Order, before: Place | None = None) -> list[Any]:
    found = page(order, Stretch(before=before, is_end=before is None))
    return (backward(order, found.first) if found.has_previous else []) + ids(found)


def as_id(number: int) -> Any:
    from uuid import UUID

    return UUID(int=number)


def link(of: str, rel: str) -> str:
    found = re.search(rf'href="([^"]*)" rel="{rel}"', of)
    assert found
    return unescape(found[1])


def names(of: str) -> list[str]:
    return re.findall(r">(Student \d\d)</a></span></td>", of)


def references(of: str) -> list[str]:
    return re.findall(r">(BK-[0-9A-Z]+)</a>", of)
