"""What a teacher sees: their own, in their zone, and nothing is changed by looking."""

from __future__ import annotations

from datetime import time

import pytest

from guitaronline.booking.horizon import set_hours
from guitaronline.booking.models import Booking
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.rules import Window
from tests.admin.browser import Browser, words
from tests.portal.conftest import actions
from tests.world import World, as_actor

PAGES = (
    "/teacher/",
    "/teacher/calendar",
    "/teacher/hours",
    "/teacher/students",
    "/teacher/time-off",
    "/teacher/time-off/new",
    "/teacher/lessons",
    "/teacher/profile",
    "/teacher/password",
    "/teacher/slots/new",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_and_changes_nothing(tom: Browser, booked: Booking, begun: Lesson, path: str) -> None:
    before = actions()

    page = tom.get(path)

    assert page.status_code == 200
    assert actions() == before


def test_today_shows_the_lesson_with_its_outcome_missing(tom: Browser, begun: Lesson) -> None:
    page = words(tom.get("/teacher/").text)

    assert "Ann" in page
    assert "Taken" in page


def test_records_open(tom: Browser, world: World, booked: Booking, begun: Lesson) -> None:
    slot = world.slot(hours=60)
    paths = (
        f"/teacher/bookings/{booked.id}",
        f"/teacher/bookings/{booked.id}/cancel",
        f"/teacher/bookings/{booked.id}/move",
        f"/teacher/bookings/{begun.booking_id}",
        f"/teacher/bookings/{begun.booking_id}/not-taken",
        f"/teacher/bookings/{begun.booking_id}/report",
        f"/teacher/slots/{slot.id}",
        f"/teacher/students/{world.ann.id}",
    )

    assert {path: tom.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


def test_hours_stand_in_the_editor(tom: Browser, world: World) -> None:
    window = Window(frozenset([0]), time(14), time(19), 60)
    set_hours(as_actor(world.tom), world.tom.id, windows=[window])

    page = tom.get("/teacher/hours").text

    assert 'value="14:00"' in page
    assert 'value="19:00"' in page
