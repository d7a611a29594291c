"""The console: a booking says why it waits and is decided about; closures, and holidays from a file, looked at first."""

from __future__ import annotations

import io
import re

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.booking.absences import create_closure
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.scheduling.hours_models import Closure
from tests.absences.conftest import away, queue
from tests.absences.test_holidays import calendar, event
from tests.admin.browser import Browser, signed_in, words
from tests.world import World, as_actor


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


@pytest.fixture
def waiting(world: World) -> Booking:
    world.package()
    booked = world.booking(world.slot(hours=48))
    away(world)
    return booked


def page(sue: Browser, booking: Booking) -> str:
    return words(sue.get(f"/admin/bookings/details/?id={booking.id}").text)


def closures(db: Session) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(Closure)) or 0


def test_the_booking_says_why_it_needs_a_decision(sue: Browser, world: World, waiting: Booking) -> None:
    other = world.booking(world.slot(hours=60))

    assert "Needs a decision" in page(sue, waiting)
    assert "The teacher is away." in page(sue, waiting)
    assert "Needs a decision" not in page(sue, other)
    listed = sue.get("/admin/bookings/?waiting=needs_a_decision").text
    assert (waiting.reference in listed, other.reference in listed) == (True, False)
    assert "1 Bookings that need a decision" in words(sue.get("/admin/").text)


def test_every_way_is_shown_with_what_it_would_do(sue: Browser, world: World, waiting: Booking) -> None:
    free = world.slot(hours=55)
    url = f"/admin/bookings/{waiting.id}/decide"

    opened = sue.get(url).text
    looked = sue.post(url, {"decision": "move", "new_slot_id": str(free.id), "look": "1"}, opened=opened)

    assert "the lesson is back in package" in words(opened)
    assert "same teacher, 7 hours later" in words(opened)
    assert looked.status_code == 200
    assert queue(world) == {waiting.id}

    moved = sue.post(url, {"decision": "move", "new_slot_id": str(free.id), "reason": "agreed"}, opened=looked.text)
    assert moved.status_code == 303
    assert (queue(world), world.again(waiting).status) == (set(), BookingStatus.CANCELED)


def test_a_substitute_is_one_link_away(sue: Browser, world: World, waiting: Booking) -> None:
    page = sue.get(f"/admin/bookings/{waiting.id}/decide").text

    assert f'href="/admin/bookings/{waiting.id}/substitute"' in page


def test_kept_is_shown_and_can_be_decided_anew(sue: Browser, world: World, waiting: Booking) -> None:
    url = f"/admin/bookings/{waiting.id}"
    kept = sue.post(f"{url}/decide", {"decision": "keep", "reason": "by train"}, opened=sue.get(f"{url}/decide").text)

    assert kept.status_code == 303
    assert "Kept all the same" in page(sue, waiting)
    assert "Nothing stands against it" in words(sue.get(f"{url}/decide").text)

    sue.post(f"{url}/unkeep", {"reason": "no train"}, opened=sue.get(f"{url}/unkeep").text)
    assert queue(world) == {waiting.id}


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"decision": "hope"},
        {"decision": "later"},
        {"decision": "move"},
        {"decision": "move", "new_slot_id": "x\x00"},
    ],
)
def test_a_decision_that_says_nothing_is_asked_for_again(
    sue: Browser, world: World, waiting: Booking, typed: dict[str, str]
) -> None:
    url = f"/admin/bookings/{waiting.id}/decide"

    answer = sue.post(url, {**typed, "reason": "so"}, opened=sue.get(url).text)

    assert answer.status_code == 422
    assert queue(world) == {waiting.id}


def test_a_list_of_bookings_looks_once_for_all(sue: Browser, world: World, waiting: Booking) -> None:
    later = world.booking(world.slot(hours=60))

    listed = sue.get("/admin/bookings/").text

    assert f"/admin/bookings/{waiting.id}/decide" in listed
    assert f"/admin/bookings/{later.id}/decide" not in listed


def test_a_closure_shows_whom_it_touches_before_and_after(sue: Browser, db: Session, world: World) -> None:
    world.package()
    booked = world.booking(world.slot(hours=48))
    day = booked.start_at.date().isoformat()
    typed = {"name": "Flood", "first_day": day, "last_day": day}

    looked = sue.post("/admin/closures/new", {**typed, "look": "1"}, opened=sue.get("/admin/closures/new").text)
    assert booked.reference in looked.text
    assert closures(db) == 0

    made = sue.post("/admin/closures/new", typed, opened=looked.text)
    assert booked.reference in sue.get(made.headers["Location"]).text
    assert queue(world) == {booked.id}


@pytest.mark.parametrize(
    "days", [("2030-01-02", "2030-01-01"), ("2020-01-01", "2020-01-01"), ("9999-12-31", "9999-12-31"), ("x", "y")]
)
def test_days_that_cannot_be_closed(sue: Browser, db: Session, days: tuple[str, str]) -> None:
    url = "/admin/closures/new"
    typed = {"name": "No", "first_day": days[0], "last_day": days[1]}

    assert sue.post(url, {**typed, "look": "1"}, opened=sue.get(url).text).status_code == 200
    assert sue.post(url, typed, opened=sue.get(url).text).status_code == 422
    assert closures(db) == 0


def upload(sue: Browser, content: bytes) -> str:
    """The page after looking at a file."""
    opened = sue.get("/admin/closures/import").text
    body = {"file": (io.BytesIO(content), "holidays.ics"), "look": "1"}
    answer = sue.post("/admin/closures/import", body, opened=opened)
    assert answer.status_code == 200
    return str(answer.text)


def held(looked: str) -> str:
    """What the page remembers of the file."""
    from html import unescape

    found = re.search(r'name="events"[^>]*value="([^"]*)"', looked)
    return unescape(found[1]) if found else ""


def test_a_file_is_looked_at_then_imported_and_known_the_next_time(sue: Browser, db: Session, world: World) -> None:
    world.package()
    day = world.slot(hours=48)
    booked = world.booking(day)
    date = f"{booked.start_at:%Y%m%d}"
    file = calendar(
        event(f"DTSTART;VALUE=DATE:{date}", name="Founders' Day"), event("DTSTART:20300101T000000Z", uid="b")
    )

    looked = upload(sue, file)
    assert "1 new, 1 not usable" in words(looked)
    assert "It is at a time of day" in words(looked)
    assert closures(db) == 0

    done = sue.post("/admin/closures/import", {"events": held(looked)}, opened=looked)
    assert done.status_code == 303
    assert (closures(db), queue(world)) == (1, {booked.id})
    assert "1 known" in words(upload(sue, file))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 100, b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"])
def test_files_that_hold_nothing_are_said_to(sue: Browser, db: Session, content: bytes) -> None:
    looked = upload(sue, content)

    assert held(looked) == ""
    assert sue.post("/admin/closures/import", {}, opened=looked).status_code == 422
    assert closures(db) == 0


@pytest.mark.parametrize(
    "events",
    ["x", "[", "{}", "[1]", '[["a","b","c","d"]]', '[["a\\u0000","b","2030-01-01","2030-01-01"]]', "[[[[" * 5000],
)
def test_what_the_page_did_not_write_is_refused(sue: Browser, db: Session, events: str) -> None:
    opened = sue.get("/admin/closures/import").text

    assert sue.post("/admin/closures/import", {"events": events, "look": "1"}, opened=opened).status_code == 200
    assert sue.post("/admin/closures/import", {"events": events}, opened=opened).status_code == 422
    assert closures(db) == 0


def test_a_closure_called_off_says_what_was_kept(sue: Browser, world: World) -> None:
    world.package()
    booked = world.booking(world.slot(hours=48))
    day = booked.start_at.date()
    closure = create_closure(as_actor(world.ada), name="Flood", first_day=day, last_day=day)
    url = f"/admin/bookings/{booked.id}/decide"
    sue.post(url, {"decision": "keep", "reason": "at home"}, opened=sue.get(url).text)

    assert "1 booking; the decision to keep means nothing any more" in words(
        sue.get(f"/admin/closures/{closure.id}/cancel").text
    )
