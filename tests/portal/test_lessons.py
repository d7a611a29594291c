"""Outcome and report in two clicks, calling off and moving: each by the command that staff and the API use."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.lessons.models import Lesson, LessonStatus
from tests.admin.browser import Browser, words
from tests.portal.conftest import actions, lesson_that_began
from tests.world import World


def test_outcome_and_report_take_two_clicks(tom: Browser, world: World, begun: Lesson) -> None:
    today = tom.get("/teacher/").text

    first = tom.post(f"/teacher/bookings/{begun.booking_id}/taken", {}, opened=today)
    second = tom.post(first.headers["Location"], {"topic": "The blues in A", "homework": "Ten minutes a day."})

    lesson = world.again(begun)
    assert (lesson.status, lesson.topic, lesson.homework) == (
        LessonStatus.COMPLETED,
        "The blues in A",
        "Ten minutes a day.",
    )
    assert second.headers["Location"] == "/teacher/"
    assert (actions("lesson.complete"), actions("lesson.edit_report")) == (1, 1)


def test_a_second_tap_changes_nothing(tom: Browser, begun: Lesson) -> None:
    today = tom.get("/teacher/").text
    tom.post(f"/teacher/bookings/{begun.booking_id}/taken", {}, opened=today)

    again = tom.post(f"/teacher/bookings/{begun.booking_id}/taken", {}, opened=today)

    assert again.status_code == 303
    assert actions("lesson.complete") == 1


@pytest.mark.parametrize(("side", "returned"), [("student", False), ("technical", True), ("teacher", True)])
def test_a_lesson_that_was_not_taken_costs_what_the_page_says(
    tom: Browser, world: World, begun: Lesson, side: str, returned: bool
) -> None:
    answer = tom.post(f"/teacher/bookings/{begun.booking_id}/not-taken", {"side": side})

    lesson = world.again(begun)
    assert answer.status_code == 303
    assert (lesson.no_show_side, lesson.is_returned) == (side, returned)
    assert actions("lesson.no_show") == 1


def test_an_unknown_side_is_refused_in_words(tom: Browser, world: World, begun: Lesson) -> None:
    answer = tom.post(f"/teacher/bookings/{begun.booking_id}/not-taken", {"side": "dog"})

    assert answer.status_code == 422
    assert "One of student, teacher, technical." in words(answer.text)
    assert world.again(begun).status is LessonStatus.SCHEDULED


def test_a_lesson_that_has_not_begun_has_no_outcome(tom: Browser, booked: Booking) -> None:
    answer = tom.post(
        f"/teacher/bookings/{booked.id}/taken", {}, opened=tom.get(f"/teacher/bookings/{booked.id}/report").text
    )

    assert answer.status_code in (409, 422)
    assert "has not started" in words(answer.text)


def test_lessons_of_the_days_before_wait_for_their_outcome(tom: Browser, world: World) -> None:
    lesson_that_began(world, minutes_ago=50 * 60)

    assert "Outcome missing" in words(tom.get("/teacher/").text)


def test_a_report_that_cannot_be_stored_keeps_what_was_typed(tom: Browser, begun: Lesson) -> None:
    typed = {"topic": "Scales", "links": "ftp://old.example"}

    answer = tom.post(f"/teacher/bookings/{begun.booking_id}/report", typed)

    assert answer.status_code == 422
    assert 'value="Scales"' in answer.text
    assert "A link starts with https://" in words(answer.text)


def test_somebody_elses_report_in_between_is_not_overwritten(tom: Browser, begun: Lesson) -> None:
    path = f"/teacher/bookings/{begun.booking_id}/report"
    opened = tom.get(path).text
    tom.post(path, {"topic": "First"})

    answer = tom.post(path, {"topic": "Second"}, opened=opened)

    assert answer.status_code == 409
    assert 'value="Second"' in answer.text
    assert "Somebody changed this record" in words(answer.text)


def test_a_lesson_is_called_off_for_the_teachers_cause(tom: Browser, world: World, booked: Booking) -> None:
    path = f"/teacher/bookings/{booked.id}/cancel"
    shown = tom.get(path).text

    answer = tom.post(path, {"cause": "teacher", "reason": "ill"}, opened=shown)

    booking = world.again(booked)
    assert "the lesson is back in package" in words(shown)
    assert answer.status_code == 303
    assert (booking.status, booking.cancel_cause, booking.refund_returned) == (BookingStatus.CANCELED, "teacher", True)
    assert actions("booking.cancel") == 1


def test_a_cause_that_teachers_cannot_name_is_refused(tom: Browser, world: World, booked: Booking) -> None:
    answer = tom.post(f"/teacher/bookings/{booked.id}/cancel", {"cause": "student", "reason": "they said so"})

    assert answer.status_code == 422
    assert world.again(booked).status is BookingStatus.CONFIRMED


def test_a_lesson_moves_to_another_free_time(tom: Browser, world: World, booked: Booking) -> None:
    free = world.slot(hours=100)
    path = f"/teacher/bookings/{booked.id}/move"

    looked = tom.post(path, {"new_slot_id": str(free.id), "cause": "technical", "look": "1"})
    answer = tom.post(path, {"new_slot_id": str(free.id), "cause": "technical"}, opened=looked.text)

    successor = session().scalars(select(Booking).where(Booking.rescheduled_from_booking_id == booked.id)).one()
    assert "The move is possible" in words(looked.text)
    assert answer.headers["Location"] == f"/teacher/bookings/{successor.id}"
    assert successor.slot_id == free.id
    assert actions("booking.reschedule") == 1


def test_a_move_to_what_is_no_slot_is_refused_in_words(tom: Browser, world: World, booked: Booking) -> None:
    answer = tom.post(f"/teacher/bookings/{booked.id}/move", {"new_slot_id": "nowhere", "cause": "teacher"})

    assert answer.status_code in (404, 409, 422)
    assert world.again(booked).status is BookingStatus.CONFIRMED


def test_the_month_lists_and_counts_what_was_taught(tom: Browser, begun: Lesson) -> None:
    tom.post(f"/teacher/bookings/{begun.booking_id}/taken", {}, opened=tom.get("/teacher/").text)

    page = words(tom.get(f"/teacher/lessons?month={begun.scheduled_start_at:%Y-%m}").text)

    assert "Ann taken" in page


def test_a_students_page_shows_lessons_and_reports_and_no_address(tom: Browser, world: World, begun: Lesson) -> None:
    tom.post(f"/teacher/bookings/{begun.booking_id}/report", {"topic": "The blues in A"})

    page = tom.get(f"/teacher/students/{world.ann.id}").text

    assert "The blues in A" in page
    assert "ann@people.example" not in page


def test_the_calendar_shows_who_comes_and_what_is_free(tom: Browser, world: World) -> None:
    noon = world.now.replace(hour=12, minute=0, second=0) + timedelta(days=2)
    world.package()
    booked, free = world.booking(world.slot(start_at=noon)), world.slot(start_at=noon + timedelta(hours=2))

    page = tom.get(f"/teacher/calendar?day={noon:%Y-%m-%d}").text

    assert f"/teacher/bookings/{booked.id}" in page
    assert f"/teacher/slots/{free.id}" in page
