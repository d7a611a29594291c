"""Today: what waits, for whom, since when; each number is the number of rows in its list."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from guitaronline import clock
from guitaronline.admin import queues
from guitaronline.admin.day_axis import axis_of
from guitaronline.admin.queues import QUEUES
from guitaronline.booking.models import Booking
from guitaronline.identity.models import User
from guitaronline.identity.service import edit_person
from tests.admin.browser import Browser, signed_in, words
from tests.admin.busy import busy_day
from tests.admin.conftest import School
from tests.world import World, as_actor

CARD = re.compile(r'<li class="card queue-card(.*?)</li>', re.DOTALL)
PARTS = re.compile(r'number-big">([^<]+)</span> <a class="queue-link" href="([^"]+)">([^<]+)</a>')
COUNT = re.compile(r'<h1>[^<]*</h1><span class="muted">(\d+)</span>')


def cards(browser: Browser) -> dict[str, tuple[str, str, str]]:
    """Of each queue with something in it: its number, its address, and the card as it is read."""
    found = [(PARTS.search(card), words(card.partition(">")[2])) for card in CARD.findall(browser.get("/admin/").text)]
    return {unescape(parts[3]): (parts[1], unescape(parts[2]), read) for parts, read in found if parts}


def listed(browser: Browser, url: str) -> str:
    found = COUNT.search(browser.get(url).text)
    return found[1] if found else ""


def test_every_queue_counts_exactly_the_rows_of_its_list(app: Flask, world: World) -> None:
    busy_day(world)
    browser = signed_in(app, world.ada)

    shown = cards(browser)

    assert set(shown) == {queue.title for queue in QUEUES} | {"Failed checks"}
    assert {title: listed(browser, url) for title, (_, url, _) in shown.items() if title != "Failed checks"} == {
        title: number for title, (number, _, _) in shown.items() if title != "Failed checks"
    }


def test_every_queue_says_whose_it_is_and_how_old(app: Flask, world: World) -> None:
    busy_day(world)

    shown = cards(signed_in(app, world.ada))

    assert [title for title, (_, _, read) in shown.items() if "oldest waits" not in read] == []
    assert "support first in 2 days" in shown["Packages that expire within 7 days"][2]
    assert "finance oldest waits 2 days" in shown["Payments pending too long"][2]
    assert "yours" in shown["Your tasks"][2]


def test_what_the_last_check_found_is_a_queue_that_leads_to_the_findings(app: Flask, world: World) -> None:
    busy_day(world)
    browser = signed_in(app, world.ada)

    number, url, _ = cards(browser)["Failed checks"]

    assert number == "2"
    assert words(browser.get(url).text).count("I1 buckets") == 2


@pytest.mark.parametrize(
    ("who", "first", "hidden"),
    [
        ("sue", "Holds about to lapse", {"Failed checks", "Jobs that failed", "Events that could not be handled"}),
        ("finn", "Approvals waiting", {"Events that could not be handled"}),
        ("audrey", "Failed checks", set()),
        ("ada", "Failed checks", set()),
    ],
)
def test_each_role_sees_its_own_queues_first_and_none_that_it_may_not_read(
    app: Flask, world: World, who: str, first: str, hidden: set[str]
) -> None:
    busy_day(world)

    shown = cards(signed_in(app, getattr(world, who)))

    assert next(iter(shown)) == first
    assert {queue.title for queue in QUEUES} - {"Your tasks", "Exceptions given to you"} - set(shown) == hidden - {
        "Failed checks"
    }
    assert ("Failed checks" in shown) == ("Failed checks" not in hidden)


def test_what_is_empty_is_one_quiet_line(app: Flask, world: World) -> None:
    page = words(signed_in(app, world.sue).get("/admin/").text)

    assert "Nothing waits for anybody." in page
    assert "Nothing waits in: Holds about to lapse · " in page


def test_a_queue_that_is_too_long_to_count_says_so(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.package(world.ann, lessons=1)
    world.package(world.ben, lessons=1)
    monkeypatch.setattr(queues, "COUNT_UP_TO", 1)

    shown = cards(signed_in(app, world.sue))

    assert shown["Packages running out"][0] == "1+"


def test_lessons_without_an_outcome_offer_to_mark_them_all(app: Flask, school: School) -> None:
    assert school.waiting

    read = cards(signed_in(app, school.world.sue))["Lessons without an outcome"][2]

    assert "Mark all as taken" in read


def test_the_day_is_shown_on_an_axis_and_as_a_table(app: Flask, world: World) -> None:
    edit_person(as_actor(world.ada), world.sue.id, changes={"timezone": "UTC"})
    noon = world.now.replace(hour=12, minute=0, second=0)
    with clock.moved_by(timedelta(days=-2)):
        world.package()
        booking = world.booking(world.slot(start_at=noon))

    page = signed_in(app, world.sue).get("/admin/").text

    assert page.count(f"/admin/bookings/details/?id={booking.id}") == 2
    assert "12:00 Ann, confirmed" in words(page)
    assert "As a table (1)" in words(page)


def test_the_axis_places_lessons_by_the_clock_also_in_the_night_in_which_it_goes_back() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00, an hour that comes twice
    tom, ann = User(full_name="Tom"), User(full_name="Ann")

    axis = axis_of([lesson(tom, ann, start), lesson(tom, ann, start + timedelta(hours=4))], now=start, zone=berlin)

    assert axis is not None
    assert [hour.label for hour in axis.hours][:4] == ["02", "02", "03", "04"]
    assert [(bar.at, bar.width) for bar in axis.rows[0].bars] == [("0.00%", "12.50%"), ("50.00%", "12.50%")]
    assert axis.now is not None
    assert axis.now.at == "0.00%"


def test_a_day_without_lessons_has_no_axis() -> None:
    assert axis_of([], now=datetime.now(UTC), zone=ZoneInfo("UTC")) is None


def lesson(teacher: User, student: User, start: datetime) -> Booking:
    shown: Any = Booking(start_at=start, end_at=start + timedelta(hours=1), teacher_id=teacher.id)
    shown.__dict__ |= {"teacher": teacher, "student": student}
    return shown  # type: ignore[no-any-return]
