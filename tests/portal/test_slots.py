"""One slot of the teacher's, and the profile."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from guitaronline.booking.feeds import live_feed
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.teachers.models import TeacherProfile
from tests.admin.browser import Browser, words
from tests.portal.conftest import actions
from tests.world import World


def test_a_slot_is_kept_back_and_opened_again(tom: Browser, world: World) -> None:
    slot = world.slot()
    page = f"/teacher/slots/{slot.id}"

    kept = tom.post(f"{page}/block", {"reason": "dentist"}, opened=tom.get(page).text)
    was = world.again(slot).status
    tom.post(f"{page}/unblock", {}, opened=tom.get(page).text)

    assert kept.status_code == 303
    assert (was, world.again(slot).status) == (SlotStatus.BLOCKED, SlotStatus.OPEN)
    assert (actions("slot.block"), actions("slot.unblock")) == (1, 1)


def test_a_slot_is_taken_away_for_good(tom: Browser, world: World) -> None:
    slot = world.slot()
    page = f"/teacher/slots/{slot.id}"

    tom.post(f"{page}/withdraw", {"reason": "school run"}, opened=tom.get(page).text)

    assert world.again(slot).status is SlotStatus.WITHDRAWN
    assert actions("slot.withdraw") == 1


def test_a_slot_is_not_kept_back_without_a_reason(tom: Browser, world: World) -> None:
    slot = world.slot()
    page = f"/teacher/slots/{slot.id}"

    answer = tom.post(f"{page}/block", {"reason": " "}, opened=tom.get(page).text)

    assert answer.status_code == 422
    assert "Say why" in words(answer.text)
    assert world.again(slot).status is SlotStatus.OPEN


def test_a_booked_slot_stays_until_its_booking_is_decided(tom: Browser, booked: Booking) -> None:
    page = f"/teacher/slots/{booked.slot_id}"
    opened = tom.get("/teacher/slots/new").text

    answer = tom.post(f"{page}/block", {"reason": "dentist"}, opened=opened)

    assert answer.status_code == 409
    assert "Cancel or move the booking first" in words(answer.text)


def test_a_slot_is_added_on_the_teachers_clock(tom: Browser, world: World) -> None:
    day = world.now + timedelta(days=5)

    answer = tom.post("/teacher/slots/new", {"day": f"{day:%Y-%m-%d}", "start": "17:30", "minutes": "45"})

    slot = session().scalars(select(Slot).where(Slot.teacher_id == world.tom.id)).one()
    assert answer.status_code == 303
    assert f"{slot.start_at:%Y-%m-%d %H:%M}" == f"{day:%Y-%m-%d} 17:30"
    assert actions("slot.create") == 1


def test_a_slot_on_another_one_is_refused_in_words(tom: Browser, world: World) -> None:
    slot = world.slot(start_at=(world.now + timedelta(days=5)).replace(minute=0, second=0))

    typed = {"day": f"{slot.start_at:%Y-%m-%d}", "start": f"{slot.start_at:%H:%M}", "minutes": "60"}
    answer = tom.post("/teacher/slots/new", typed)

    assert answer.status_code == 409
    assert "another slot at this time" in words(answer.text)


def test_a_day_that_no_calendar_has_stands_at_its_field(tom: Browser) -> None:
    answer = tom.post("/teacher/slots/new", {"day": "2026-02-31", "start": "25:00", "minutes": "a"})
    late = tom.post("/teacher/slots/new", {"day": "9999-12-31", "start": "23:59", "minutes": "60"})

    assert (answer.status_code, late.status_code) == (422, 422)
    assert 'value="2026-02-31"' in answer.text


def test_the_profile_is_saved(tom: Browser, world: World) -> None:
    typed = {"display_name": "Tom A.", "bio": "Folk songs.", "meeting_url": "https://meet.example/tom"}

    answer = tom.post("/teacher/profile", typed)

    profile = session().scalars(select(TeacherProfile).where(TeacherProfile.user_id == world.tom.id)).one()
    assert answer.status_code == 303
    assert (profile.display_name, profile.bio, profile.meeting_url) == tuple(typed.values())
    assert actions("teacher.edit_profile") == 1


def test_a_meeting_link_that_is_none_stands_at_its_field(tom: Browser) -> None:
    answer = tom.post("/teacher/profile", {"display_name": "Tom", "bio": "", "meeting_url": "javascript:alert(1)"})

    assert answer.status_code == 422
    assert "The meeting address starts with https://" in words(answer.text)


def test_characters_that_cannot_be_stored_are_refused(tom: Browser) -> None:
    answer = tom.post("/teacher/profile", {"display_name": "Tom\x00", "bio": "x" * 100_000, "meeting_url": ""})

    assert answer.status_code == 422


def test_a_calendar_feed_is_made_shown_once_and_ended(tom: Browser, world: World) -> None:
    made = tom.post("/teacher/profile/feed", {}, opened=tom.get("/teacher/profile").text)
    later = tom.get("/teacher/profile").text
    is_live = live_feed(session(), world.tom.id) is not None
    tom.post("/teacher/profile/feed/end", {}, opened=later)

    session().rollback()
    assert "/api/v1/calendar/gol_cf_" in made.text
    assert "gol_cf_" not in later
    assert (is_live, live_feed(session(), world.tom.id)) == (True, None)
    assert (actions("feed.create"), actions("feed.revoke")) == (1, 1)
