"""Time off, blocked stretches and slots with exclusions: what staff see before they act is what happens."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.admin.slots import days_in
from guitaronline.booking import blocking
from guitaronline.booking.absences import create_closure, create_time_off
from guitaronline.booking.utilization import utilization
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.service import create_slots
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School, actions
from tests.concurrency import at_once
from tests.world import World, as_actor

FEED = "/admin/calendar/events"
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def away(school: School, days: int, length: int = 1) -> Any:
    start = (school.world.now + timedelta(days=days)).replace(hour=0, minute=0, second=0)
    off = {"teacher_id": school.world.tom.id, "start_at": start, "end_at": start + timedelta(days=length)}
    return create_time_off(school.admin, reason="a festival", **off)


def stretch(school: School, first: int, last: int) -> dict[str, str]:
    days = [(school.world.now + timedelta(days=each)).date().isoformat() for each in (first, last)]
    return {"teacher_id": str(school.world.tom.id), "first_day": days[0], "last_day": days[1], "clock": "teacher"}


def test_the_page_lists_the_bookings_it_touches_and_leads_to_their_queue(ada: Browser, school: School) -> None:
    booked, free = school.booked, school.open_slot
    before = actions()

    page = ada.post("/admin/time-off/new", {**stretch(school, 1, 6), "look": "1"}).text

    assert actions() == before
    assert booked.reference in page
    assert free.reference not in page
    assert "1 wait for a decision" in words(page)
    assert "1 are not offered any more" in words(page)
    assert "/admin/bookings/?waiting=needs_a_decision" in page


def test_time_off_is_entered_and_called_off(ada: Browser, school: School) -> None:
    made = ada.post("/admin/time-off/new", stretch(school, 2, 3))
    page = ada.get(made.headers["Location"]).text
    off_id = made.headers["Location"].rpartition("=")[2]

    canceled = ada.post(f"/admin/time-off/{off_id}/cancel", {"reason": "the festival is off"})

    assert made.status_code == 303
    assert "upcoming" in words(page)
    assert canceled.status_code == 303
    assert "canceled" in words(ada.get(canceled.headers["Location"]).text)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"last_day": "2000-01-01"}, "Days lie between the years"),
        ({"first_day": "9999-12-31", "last_day": "9999-12-31"}, "Days lie between the years"),
        ({"last_day": ""}, "A day is needed."),
        ({"first_time": "99:99"}, "Not a valid time value."),
        ({"teacher_id": "nobody"}, "Choose from what was found"),
        ({"teacher_id": "00000000-0000-0000-0000-000000000000"}, "There is no such"),
        ({"last_day": "2031-01-01"}, "At most 366 days at a time."),
    ],
)
def test_times_that_cannot_be_are_refused_in_words(
    ada: Browser, school: School, typed: dict[str, str], said: str
) -> None:
    body = {**stretch(school, 2, 3), **typed}
    before = actions()

    answer = ada.post("/admin/time-off/new", body)
    looked = ada.post("/admin/time-off/new", {**body, "look": "1"})

    assert answer.status_code in (404, 422)
    assert looked.status_code < 500
    assert said in words(answer.text)
    assert actions() == before


def test_the_list_tells_current_from_upcoming(ada: Browser, school: School) -> None:
    now, later = away(school, 0, 2), away(school, 10)

    pages = {state: ada.get(f"/admin/time-off/?state={state}").text for state in ("current", "upcoming", "over")}

    found = {state: [each.reference in page for each in (now, later)] for state, page in pages.items()}
    assert found == {"current": [True, False], "upcoming": [False, True], "over": [False, False]}


def test_the_teachers_own_words_are_for_those_who_look_after_slots(app: Flask, school: School) -> None:
    away(school, 10)
    url = "/admin/time-off/?columns=reference,reason"

    read = ["a festival" in signed_in(app, who).get(url).text for who in (school.world.sue, school.world.audrey)]

    assert read == [True, False]


def test_a_stretch_is_blocked_but_for_what_is_taken(ada: Browser, school: School, db: Session) -> None:
    booked, held, free = school.booked, school.held, school.open_slot
    typed = {**stretch(school, 1, 6), "reason": "a studio day"}

    looked = words(ada.post("/admin/slots/block-range", {**typed, "look": "1"}).text)
    done = ada.post("/admin/slots/block-range", typed)

    assert "Blocked 1 open slots Left as they are 2 held or booked" in looked
    assert done.status_code == 303
    db.rollback()
    states = {each.id: each.status for each in db.scalars(select(Slot))}
    assert [states[each] for each in (booked.slot_id, held.slot_id, free.id)] == ["open", "open", "blocked"]


def test_a_lapsed_hold_is_in_nobodys_way(db: Session, school: School) -> None:
    held = school.held
    world = school.world

    with clock.moved_by(timedelta(minutes=15)):
        found = blocking.block_range(
            school.admin, world.tom.id, start_at=world.now, end_at=world.now + timedelta(days=6), reason="studio"
        )

    assert [each.id for each in found.free] == [held.slot_id]
    assert world.again(held).status == "expired"


def test_a_hold_at_the_same_moment_gets_the_slot_or_finds_it_blocked(app: Flask, db: Session, world: World) -> None:
    world.package()
    slot, tom, ann, ada = world.slot(), world.tom.id, as_actor(world.ann), as_actor(world.ada)
    now = world.now
    from guitaronline.booking.service import hold_slot

    held, blocked = at_once(
        app,
        lambda: hold_slot(ann, slot.id),
        lambda: blocking.block_range(ada, tom, start_at=now, end_at=now + timedelta(days=5), reason="studio"),
    )

    is_blocked = world.again(slot).status is SlotStatus.BLOCKED
    assert is_blocked == (len(blocked.free) == 1) == (getattr(held, "code", "") == "slot_blocked")


def test_a_teacher_blocks_only_their_own_time(db: Session, world: World) -> None:
    from guitaronline.errors import NotFound

    slot = world.slot()
    times = {"start_at": world.now, "end_at": world.now + timedelta(days=5)}

    with pytest.raises(NotFound):
        blocking.block_range(as_actor(world.tina), world.tom.id, reason="mine", **times)
    blocking.block_range(as_actor(world.tom), world.tom.id, reason="mine", **times)

    assert world.again(slot).status is SlotStatus.BLOCKED


def test_many_slots_leave_out_days_time_off_and_closures(db: Session, world: World) -> None:
    with clock.standing_at(MONDAY):
        tuesday = MONDAY + timedelta(days=1)
        create_time_off(
            as_actor(world.ada), teacher_id=world.tom.id, start_at=tuesday, end_at=tuesday + timedelta(days=1)
        )
        create_closure(as_actor(world.ada), name="Carnival", first_day=date(2026, 3, 5), last_day=date(2026, 3, 5))

        made = create_slots(
            as_actor(world.ada), teacher_id=world.tom.id, first_day=date(2026, 3, 3), last_day=date(2026, 3, 7),
            weekdays=set(range(7)), start_local=time(10), end_local=time(11), lesson_minutes=60, without={date(2026, 3, 6)},
        )  # fmt: skip

    assert [each.start_at.date() for each in made.made] == [date(2026, 3, 4), date(2026, 3, 7)]
    assert [each.code for each in made.skipped] == ["time_off", "closure"]


def test_days_to_leave_out_are_typed_as_days_and_stretches() -> None:
    found = days_in("2026-12-24, 2026-12-30..2027-01-01")

    assert sorted(found) == [date(2026, 12, 24), date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 1)]


@pytest.mark.parametrize(
    "typed", ["christmas", "2026-12-24..", "2026-12-24..2026-12-20", "0001-01-01..9999-12-31", "2026-13-01"]
)
def test_other_words_are_no_days(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whichever way it is wrong
        days_in(typed)


def test_many_slots_are_shown_before_they_are_made(ada: Browser, school: School) -> None:
    world = school.world
    start = (world.now + timedelta(days=2)).date()
    typed = {
        "teacher_id": str(world.tina.id), "first_day": str(start), "last_day": str(start + timedelta(days=2)),
        "weekdays": list("0123456"), "start_local": "10:00", "end_local": "12:00", "lesson_minutes": "60", "buffer_minutes": "0",
        "without": str(start),
    }  # fmt: skip
    before = actions()

    page = words(ada.post("/admin/slots/many", {**typed, "look": "1"}).text)
    refused = ada.post("/admin/slots/many", {**typed, "without": "soon"})

    assert "Made 4 slots on Tina's clock" in page
    assert refused.status_code == 422
    assert "Write days like" in words(refused.text)
    assert actions() == before


def test_utilization_counts_booked_of_offered_week_by_week(db: Session, world: World) -> None:
    from zoneinfo import ZoneInfo

    with clock.standing_at(MONDAY):
        world.package()
        world.booking(world.slot(start_at=MONDAY + timedelta(days=1)))
        world.slot(start_at=MONDAY + timedelta(days=2))
        world.slot(start_at=MONDAY + timedelta(days=9), minutes=30)
        hidden = world.slot(start_at=MONDAY + timedelta(days=3))
        create_time_off(as_actor(world.ada), teacher_id=world.tom.id, start_at=hidden.start_at, end_at=hidden.end_at)

        weeks = utilization(db, world.tom.id, zone=ZoneInfo("UTC"), now=MONDAY, weeks=1)

    assert [(each.first_day.day, each.offered, each.booked) for each in weeks] == [(23, 0, 0), (2, 120, 60), (9, 30, 0)]
    assert [each.share for each in weeks] == [None, 0.5, 0.0]


def test_the_calendar_shows_time_off_and_not_what_it_hides(ada: Browser, school: School) -> None:
    hidden, tom = school.open_slot, school.world.tom
    booked = school.booked
    off = create_time_off(
        school.admin, teacher_id=tom.id, start_at=booked.start_at, end_at=hidden.end_at + timedelta(hours=1)
    )
    days = {"start": str(school.world.now.date()), "end": str(school.world.now.date() + timedelta(days=8))}

    toms = ada.get(FEED, query_string={**days, "teacher": str(tom.id)}).json
    everybodys = ada.get(FEED, query_string=days).json
    page = words(
        ada.get("/admin/calendar/", query_string={"teacher": str(tom.id), "day": str(booked.start_at.date())}).text
    )

    assert toms is not None
    assert everybodys is not None
    assert [each["id"] for each in toms["events"]] == [str(booked.slot_id)]
    assert [(each["id"], each["kind"]) for each in toms["away"]] == [(str(off.id), "time_off")]
    assert everybodys["away"] == []
    assert off.reference in page


def test_the_calendar_shows_closures_to_everybody(ada: Browser, school: School) -> None:
    day = school.open_slot.start_at.date()
    closure = create_closure(school.admin, name="Carnival", first_day=day, last_day=day)

    found = ada.get(FEED, query_string={"start": str(day), "end": str(day + timedelta(days=1))}).json

    assert found is not None
    assert found["events"] == []
    assert [(each["id"], each["title"]) for each in found["away"]] == [(str(closure.id), "closed: Carnival")]


@pytest.mark.parametrize("page", ["time-off/new", "slots/block-range"])
def test_a_link_with_days_is_as_one_without(ada: Browser, school: School, page: str) -> None:
    url = f"/admin/{page}?teacher_id={school.world.tom.id}&first_day=2026-12-01&last_day=x&clock=nobody"

    assert ada.get(url).status_code == 200
