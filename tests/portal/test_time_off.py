"""Time off: what it does is shown first, and each lesson inside gets its decision with it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff
from tests.admin.browser import Browser, words
from tests.portal.conftest import actions
from tests.world import World

NEW = "/teacher/time-off/new"


def day_of(moment: datetime) -> dict[str, str]:
    """The whole day; Tom lives by UTC."""
    return {"first_day": f"{moment:%Y-%m-%d}", "last_day": f"{moment:%Y-%m-%d}"}


def send(browser: Browser, typed: dict[str, Any], *, opened: str | None = None) -> Any:
    page = opened or browser.get(NEW).text
    seen = re.search(r'name="seen" type="hidden" value="([^"]*)"', page)
    return browser.post(NEW, {"seen": seen[1] if seen else "", **typed}, opened=page)


def planned() -> list[TimeOff]:
    session().rollback()
    return list(session().scalars(select(TimeOff)))


def test_free_days_are_taken_at_once(tom: Browser, world: World) -> None:
    answer = send(tom, day_of(world.now + timedelta(days=9)) | {"reason": "mountains"})

    assert answer.status_code == 303
    assert [(each.teacher_id, each.reason) for each in planned()] == [(world.tom.id, "mountains")]
    assert actions("time_off.create") == 1


def test_lessons_inside_are_shown_before_anything_is_saved(tom: Browser, booked: Booking) -> None:
    answer = send(tom, day_of(booked.start_at))

    assert answer.status_code == 200
    assert "1 lesson is booked then" in words(answer.text)
    assert planned() == []


def test_a_lesson_inside_is_called_off_with_it(tom: Browser, world: World, booked: Booking) -> None:
    shown = send(tom, day_of(booked.start_at)).text

    answer = send(tom, day_of(booked.start_at) | {f"decision-{booked.id}": "cancel"}, opened=shown)

    assert answer.status_code == 303
    assert world.again(booked).status is BookingStatus.CANCELED
    assert len(planned()) == 1


def test_a_lesson_inside_moves_with_it(tom: Browser, world: World, booked: Booking) -> None:
    free = world.slot(start_at=booked.start_at + timedelta(days=3))
    shown = send(tom, day_of(booked.start_at)).text

    answer = send(tom, day_of(booked.start_at) | {f"decision-{booked.id}": f"move:{free.id}"}, opened=shown)

    successor = select(Booking).where(Booking.rescheduled_from_booking_id == booked.id)
    assert f"move:{free.id}" in shown
    assert answer.status_code == 303
    assert session().scalars(successor).one().slot_id == free.id


def test_a_lesson_may_wait_for_a_decision(tom: Browser, world: World, booked: Booking) -> None:
    shown = send(tom, day_of(booked.start_at)).text

    answer = send(tom, day_of(booked.start_at), opened=shown)

    assert answer.status_code == 303
    assert world.again(booked).status is BookingStatus.CONFIRMED
    assert len(planned()) == 1


def test_a_choice_that_no_form_offers_is_refused(tom: Browser, booked: Booking) -> None:
    shown = send(tom, day_of(booked.start_at)).text

    answer = send(tom, day_of(booked.start_at) | {f"decision-{booked.id}": "forget"}, opened=shown)

    assert answer.status_code == 422
    assert planned() == []


def test_a_refused_move_is_named_at_its_lesson_and_nothing_is_done(tom: Browser, world: World, booked: Booking) -> None:
    taken = world.booking(world.slot(start_at=booked.start_at + timedelta(days=3)))
    shown = send(tom, day_of(booked.start_at)).text

    answer = send(tom, day_of(booked.start_at) | {f"decision-{booked.id}": f"move:{taken.slot_id}"}, opened=shown)

    assert answer.status_code in (409, 422)
    assert f'id="decision-{booked.id}-error"' in answer.text
    assert planned() == []


def test_an_end_before_the_start_stands_at_its_field(tom: Browser) -> None:
    answer = send(tom, {"first_day": "2099-05-05", "last_day": "2099-05-01"})

    assert answer.status_code == 422
    assert "It ends before it starts." in words(answer.text)


def test_years_that_no_clock_shows_are_refused_in_words(tom: Browser) -> None:
    late = send(tom, {"first_day": "9999-12-31", "last_day": "9999-12-31"})
    early = send(tom, {"first_day": "0001-01-01", "last_day": "0001-01-01", "look": "1"})

    assert (late.status_code, early.status_code) == (422, 422)
    assert "Days lie between the years" in words(late.text)


def test_time_off_is_called_off(tom: Browser, world: World) -> None:
    send(tom, day_of(world.now + timedelta(days=9)))
    (off,) = planned()

    answer = tom.post(f"/teacher/time-off/{off.id}/cancel", {})

    assert answer.status_code == 303
    assert [each.status for each in planned()] == [AbsenceStatus.CANCELED]
    assert actions("time_off.cancel") == 1
