"""A refusal says every reason, what would fix it, and keeps what was typed; a stale page shows what changed."""

from __future__ import annotations

import re

from flask import Flask

from guitaronline.actor import Role
from guitaronline.booking.models import BookingStatus
from guitaronline.identity.service import edit_person
from tests.admin.browser import signed_in, words
from tests.admin.conftest import actions, booking_again
from tests.world import World, as_actor


def test_every_reason_is_shown_and_the_text_is_kept(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    typed = {
        "full_name": "Eve",
        "email": "not an address",
        "phone": "call me",
        "timezone": "UTC",
        "role": "student",
        "reason": "sister of Ann",
    }

    answer = browser.post("/admin/people/new", typed)

    page = words(answer.text)
    assert answer.status_code == 422
    assert "This is not a telephone number." in page
    assert "Write it like ann@people.example." in page
    assert "sister of Ann" in page
    assert 'value="call me"' in answer.text


def test_a_refused_command_leaves_nothing(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    world.package()
    booking = world.booking(world.slot(hours=30))
    before = actions()

    answer = browser.post(f"/admin/bookings/{booking.id}/cancel", {"cause": "student", "reason": ""})

    assert answer.status_code == 422
    assert "people will ask" in words(answer.text)
    assert (actions(), booking_again(booking).status) == (before, BookingStatus.CONFIRMED)


def test_a_refused_form_can_be_sent_again_when_it_is_put_right(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    opened = browser.get("/admin/people/new").text
    typed = {"full_name": "Eve", "email": world.ann.email, "timezone": "UTC", "role": "student"}

    taken = browser.post("/admin/people/new", typed, opened=opened)
    mended = browser.post("/admin/people/new", {**typed, "email": "eve@people.example"}, opened=opened)

    assert (taken.status_code, mended.status_code) == (409, 303)
    assert "registered with this e-mail address already" in words(taken.text)


def test_a_used_form_with_other_text_is_refused(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    opened = browser.get("/admin/people/new").text
    typed = {"full_name": "Eve", "timezone": "UTC", "role": "student"}
    browser.post("/admin/people/new", typed, opened=opened)
    before = actions("person.create")

    answer = browser.post("/admin/people/new", {**typed, "full_name": "Adam"}, opened=opened)

    assert answer.status_code == 422
    assert actions("person.create") == before


def test_a_stale_page_shows_what_changed_and_keeps_what_was_typed(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    url = f"/admin/people/{world.ann.id}/edit"
    opened = browser.get(url).text
    edit_person(as_actor(world.sue), world.ann.id, changes={"level": "advanced"}, reason="she told me")

    answer = browser.post(
        url, {"full_name": "Ann", "email": "ann@people.example", "timezone": "UTC", "level": "beginner"}, opened=opened
    )

    page = words(answer.text)
    assert answer.status_code == 409
    assert "Sue" in page
    assert "she told me" in page
    assert "Level advanced beginner" in page
    assert world.again(world.ann).level == "advanced"


def test_the_stale_page_sent_again_acts_on_the_record_as_it_is_now(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    url = f"/admin/people/{world.ann.id}/edit"
    opened = browser.get(url).text
    typed = {"full_name": "Ann", "email": "ann@people.example", "timezone": "UTC", "level": "beginner"}
    edit_person(as_actor(world.sue), world.ann.id, changes={"level": "advanced"})
    conflict = browser.post(url, typed, opened=opened).text

    answer = browser.post(url, typed, opened=conflict)

    assert answer.status_code == 303
    assert world.again(world.ann).level == "beginner"


def test_what_will_happen_is_what_happens(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    world.package()
    booking = world.booking(world.slot(hours=5))
    url = f"/admin/bookings/{booking.id}/cancel"
    shown = words(browser.get(url).text)

    browser.post(url, {"cause": "student", "reason": "asked by phone"})

    decided = (booking_again(booking).decision or {})["sentence"]
    assert "counts as used" in decided
    assert decided in shown


def test_the_history_says_who_did_what_and_why(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)
    world.package()
    booking = world.booking(world.slot(hours=30))
    browser.post(f"/admin/bookings/{booking.id}/cancel", {"cause": "teacher", "reason": "Tom is ill"})

    page = words(browser.get(f"/admin/bookings/details/?id={booking.id}").text)

    assert "Booking: cancel by Sue" in page
    assert "“Tom is ill”" in page
    assert "booking changed confirmed → canceled" in page
    assert "the lesson is back in package" in page


def test_buttons_follow_the_state_and_the_role(app: Flask, world: World) -> None:
    world.package()
    booking = world.booking(world.slot(hours=30))
    url = f"/admin/bookings/details/?id={booking.id}"

    support, auditor = (signed_in(app, person).get(url).text for person in (world.sue, world.audrey))

    assert f"/admin/bookings/{booking.id}/cancel" in support
    assert f"/admin/bookings/{booking.id}/confirm" not in support
    assert "Confirm — It is confirmed: a lesson will be given." in words(support)
    assert f"/admin/bookings/{booking.id}/cancel" not in auditor
    assert re.search(r"Cancel,[^—]* — Your role does not allow this; support and admin may\.", words(auditor))


def test_looking_does_nothing(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)
    slot = world.slot(hours=30)
    assert world.ann
    before = actions()

    answer = browser.post("/admin/bookings/new", {"find": "Ann", "slot_id": str(slot.id), "look": "1"})

    assert answer.status_code == 200
    assert "Ann · USR-" in words(answer.text)
    assert "There is no package with lessons" in words(answer.text)
    assert actions() == before


def test_a_child_who_is_new_is_booked_on_one_page(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    slot = world.slot(hours=30)
    typed = {
        "student_id": "new", "full_name": "Zoe", "timezone": "Europe/Berlin", "package_id": "new", "lessons_total": "1", "is_trial": "y",
        "currency": "USD", "slot_id": str(slot.id), "clock": "mine", "confirm": "yes", "reason": "her mother called",
    }  # fmt: skip

    answer = browser.post("/admin/bookings/new", typed)

    page = words(browser.get(answer.headers["Location"]).text)
    assert "confirmed" in page
    assert "Zoe" in page


def test_support_may_not_grant_on_the_way_and_nothing_of_it_happens(app: Flask, world: World) -> None:
    browser = signed_in(app, world.sue)
    slot = world.slot(hours=30)
    typed = {"student_id": "new", "full_name": "Zoe", "timezone": "UTC", "package_id": "new", "lessons_total": "1", "currency": "USD", "slot_id": str(slot.id), "clock": "mine", "confirm": "yes"}  # fmt: skip
    before = actions()

    answer = browser.post("/admin/bookings/new", typed)

    assert answer.status_code in (403, 422)
    assert actions() == before


def test_a_time_that_the_clocks_jump_over_is_refused_in_words(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    berliner = world.person("Bruno", Role.TEACHER, timezone="Europe/Berlin")
    typed = {"teacher_id": str(berliner.id), "day": "2027-03-28", "start": "02:30", "minutes": "60", "clock": "teacher"}

    answer = browser.post("/admin/slots/new", typed)

    assert answer.status_code == 422
    assert "The clocks jump over 02:30 on that day in Europe/Berlin." in words(answer.text)


def test_a_slot_stands_on_the_teachers_clock(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    berliner = world.person("Bruno", Role.TEACHER, timezone="Europe/Berlin")
    typed = {"teacher_id": str(berliner.id), "day": "2027-07-01", "start": "09:00", "minutes": "60", "clock": "teacher"}

    answer = browser.post("/admin/slots/new", typed)

    assert "Thu 1 Jul 2027, 07:00 UTC" in words(browser.get(answer.headers["Location"]).text)
