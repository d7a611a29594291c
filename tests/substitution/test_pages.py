"""The console's pages for a substitute and for an ill teacher: what they say, and that they do what they said."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import TimeOff
from jobs import bulk as job
from tests.admin.browser import Browser, signed_in, words
from tests.substitution.conftest import give, profile_id
from tests.world import World

WHY = {"reason": "Tom has a fever"}
SELECT = re.compile(r'<select[^>]*name="(row-[^"]+)".*?</select>', re.DOTALL)
CHOSEN = re.compile(r'<option value="([^"]+)" selected>')


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


def chosen(page: str) -> dict[str, str]:
    """What stands in the list of each lesson."""
    return {each[1]: unescape(CHOSEN.findall(each[0])[0]) for each in SELECT.finditer(page)}


def page_of(db: Session, teacher: User) -> str:
    return f"/admin/teachers/{profile_id(db, teacher)}/ill"


def tomorrow(world: World) -> dict[str, str]:
    first, last = (world.now + timedelta(days=days) for days in (0, 4))
    return {
        "from_day": first.date().isoformat(),
        "from_time": "00:00",
        "until_day": last.date().isoformat(),
        "until_time": "00:00",
    }


def test_the_page_offers_who_is_free_and_says_why(world: World, sue: Browser, booked: Booking) -> None:
    assert world.tina
    page = words(sue.get(f"/admin/bookings/{booked.id}/substitute").text)

    assert "Tina: is free then; a slot is made; no other lesson that day" in page
    looked = words(sue.get(f"/admin/bookings/{booked.id}/substitute?teacher_id={world.tina.id}").text)
    assert "Tina gives it. A slot is made for it." in looked
    assert "Free again at once." in looked
    assert "May decline until the start" in looked


def test_somebody_who_is_looked_for_by_name_is_told_why_not(world: World, sue: Browser, booked: Booking) -> None:
    world.slot(world.tina, start_at=booked.start_at + timedelta(minutes=30))
    url = f"/admin/bookings/{booked.id}/substitute"
    assert "Tina" not in words(sue.get(url).text)

    page = words(sue.post(url, {"find": "Tina", "teacher_id": str(world.tina.id), "look": "1"}).text)

    assert "As things stand this will be refused: Tina has slot" in page


@pytest.mark.parametrize("teacher_id", ["", "nobody", "01a21d6b-c61e-7052-bd49-673cfbb95a2e", "\x00"])
def test_a_teacher_that_is_none_is_refused_in_words(sue: Browser, booked: Booking, teacher_id: str) -> None:
    answer = sue.post(f"/admin/bookings/{booked.id}/substitute", {"teacher_id": teacher_id, **WHY})

    assert answer.status_code in (404, 422)


def test_the_booking_says_for_whom_somebody_stands_in(world: World, sue: Browser, booked: Booking) -> None:
    give(world, booked, world.tina)

    page = words(sue.get(f"/admin/bookings/details/?id={booked.id}").text)

    assert "Tina , stands in for Tom" in page


def test_the_page_of_the_students_no_says_what_becomes_of_the_lesson(
    world: World, sue: Browser, booked: Booking
) -> None:
    give(world, booked, world.tina)

    page = words(sue.get(f"/admin/bookings/{booked.id}/decline").text)

    assert "The substitute was declined: the lesson is back in package" in page


def test_an_ill_teacher_in_one_go(db: Session, world: World, sue: Browser, booked: Booking) -> None:
    assert world.tina
    other = world.booking(world.slot(hours=60))
    url, times = page_of(db, world.tom), tomorrow(world)
    looked = sue.post(url, {**times, "look": "1"}).text
    proposed = chosen(looked)
    assert set(proposed.values()) == {f"substitute:{world.tina.id}"}

    mine = proposed | {f"row-{other.id}": "cancel"}
    again = sue.post(url, {**times, **mine, "look": "1"}, opened=looked).text
    assert chosen(again) == mine
    saved = sue.post(url, {**times, **mine, **WHY}, opened=again)
    job.carry_out()

    assert saved.status_code == 303
    assert "/bulk-runs/" in saved.headers["Location"]
    assert world.again(booked).teacher_id == world.tina.id
    assert world.again(other).status == "canceled"
    run = words(sue.get(saved.headers["Location"]).text)
    assert "Decide about the lessons of an absence" in run
    assert "1 given to a substitute, 1 canceled with credit" in run


def test_what_was_not_looked_at_is_not_done(db: Session, world: World, sue: Browser, booked: Booking) -> None:
    assert world.tina
    url, times = page_of(db, world.tom), tomorrow(world)
    looked = sue.post(url, {**times, "look": "1"}).text

    answer = sue.post(url, {**times, f"row-{booked.id}": "cancel", **WHY}, opened=looked)

    assert answer.status_code == 409
    assert chosen(answer.text) == {f"row-{booked.id}": "cancel"}
    assert db.scalars(select(TimeOff.id)).all() == []


def test_without_lessons_only_the_time_off_is_saved(db: Session, world: World, sue: Browser) -> None:
    answer = sue.post(page_of(db, world.tom), {**tomorrow(world), **WHY})

    assert answer.status_code == 303
    assert "/teachers/" in answer.headers["Location"]
    assert len(db.scalars(select(TimeOff.id)).all()) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"until_day": "2020-01-01"}, "It ends before it starts."),
        ({"until_day": "9999-12-31"}, "Times lie between the years"),
        ({"from_day": "someday"}, "Say from when until when."),
        ({"row-x": "cancel", "row-\x00": "keep"}, "Lessons inside 1"),
        ({"reason": "\x00"}, "characters that cannot be stored"),
    ],
)
def test_bad_input_is_answered_in_words(
    db: Session, world: World, sue: Browser, booked: Booking, typed: dict[str, str], said: str
) -> None:
    answer = sue.post(page_of(db, world.tom), {**tomorrow(world), **WHY, **typed})

    assert answer.status_code in (409, 422)
    assert said in words(answer.text)


def test_today_leads_to_the_teachers_with_lessons_soon(world: World, sue: Browser) -> None:
    world.package()
    world.booking(world.slot(hours=3))

    page = sue.get("/admin/ill/")

    assert "/admin/ill/" in sue.get("/admin/").text
    assert page.status_code == 200
    assert "Tom 1" in words(page.text)
