"""A teacher's weekly hours through the API: what they did to the slots, and what is wrong, field by field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import AuditAction
from guitaronline.identity.service import edit_person
from guitaronline.scheduling.hours_models import WeeklyHours
from guitaronline.scheduling.models import Slot
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher
from tests.api.conftest import Answer, Api
from tests.world import World, as_actor

PATH = "/scheduling/teachers/me/schedule"
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def monday() -> Any:
    with clock.standing_at(MONDAY):
        yield


def window(weekday: int = 0, start: str = "15:00", end: str = "18:00", minutes: int = 60, **more: Any) -> Any:
    return {"weekday": weekday, "start_local": start, "end_local": end, "lesson_minutes": minutes, **more}


def put(api: Api, world: World, *windows: Any) -> Answer:
    return api.call("PUT", PATH, world.tom, body={"windows": list(windows)})


def rows(db: Session, *models: Any) -> list[int | None]:
    db.rollback()
    return [db.scalar(select(func.count()).select_from(model)) for model in models]


def test_a_teacher_without_hours_has_none(api: Api, world: World) -> None:
    assert api.get(PATH, world.tom).json == {"zone": "UTC", "until": None, "windows": []}


def test_hours_are_answered_as_they_were_sent_with_what_was_made(api: Api, world: World) -> None:
    sent = [
        window(buffer_minutes=15, valid_from="2026-03-01", valid_until=None),
        window(6, "22:00", "24:00", 45, buffer_minutes=0, valid_from=None, valid_until="2026-03-08"),
    ]

    answer = put(api, world, *sent)

    assert answer.status == 200
    assert answer.json["windows"] == sent == api.get(PATH, world.tom).json["windows"]
    assert (answer.json["zone"], answer.json["until"]) == ("UTC", "2026-04-28")
    assert answer.json["generated"]["count"] == 9 * 2 + 2
    assert answer.json["generated"]["slots"][0] == {
        "start_at": "2026-03-02T15:00:00Z",
        "end_at": "2026-03-02T16:00:00Z",
    }
    assert (answer.json["replaced"]["count"], answer.json["kept"]["count"], answer.json["unchanged"]) == (0, 0, 0)


def test_a_change_says_what_was_replaced_kept_and_skipped_and_why(api: Api, world: World) -> None:
    put(api, world, window(0, "15:00", "17:00"))
    world.package()
    booked = world.booking(world.reloaded(Slot, first_slot(api)))
    by_hand = world.slot(start_at=datetime(2026, 3, 3, 10, 30, tzinfo=UTC))

    said = put(api, world, window(1, "10:00", "12:00")).json

    assert (said["generated"]["count"], said["replaced"]["count"], said["unchanged"]) == (8 * 2, 9 * 2 - 1, 0)
    assert [(each["id"], each["code"]) for each in said["kept"]["slots"]] == [
        (str(booked.slot_id), "occupied"),
        (str(by_hand.id), "made_by_hand"),
    ]
    assert [(each["local"], each["code"]) for each in said["skipped"]["places"]] == [
        ("2026-03-03T10:00:00", "overlaps_slot"),
        ("2026-03-03T11:00:00", "overlaps_slot"),
    ]


def first_slot(api: Api) -> Any:
    return api.get("/scheduling/slots/open?limit=1").json["items"][0]["id"]


def test_long_lists_are_cut_and_counted_in_full(api: Api, world: World) -> None:
    said = put(api, world, window(0, "00:00", "24:00", 30)).json["generated"]

    assert (said["count"], len(said["slots"])) == (8 * 48 + 31, 100)


def test_the_same_again_changes_nothing(api: Api, world: World) -> None:
    put(api, world, window())

    said = put(api, world, window()).json

    assert (said["generated"]["count"], said["replaced"]["count"], said["unchanged"]) == (0, 0, 27)


def test_no_windows_mean_no_slots(api: Api, world: World) -> None:
    put(api, world, window())

    assert put(api, world).json["replaced"]["count"] == 27
    assert api.get(PATH, world.tom).json["windows"] == []


def test_an_hour_that_the_clocks_leave_out_is_skipped_and_said(api: Api, world: World) -> None:
    edit_person(as_actor(world.tom), world.tom.id, changes={"timezone": "Europe/Berlin"})

    said = put(api, world, window(6, "01:00", "04:00")).json

    assert [(each["local"], each["code"]) for each in said["skipped"]["places"]] == [
        ("2026-03-29T02:00:00", "no_such_local_time")
    ]


WRONG: list[tuple[Any, list[tuple[str, str]]]] = [
    ([window(minutes=0)], [("/windows/0/lesson_minutes", "invalid")]),
    ([window(), window(1, "08:00", "20:00", 540)], [("/windows/1/lesson_minutes", "invalid")]),
    ([window(buffer_minutes=-1)], [("/windows/0/buffer_minutes", "invalid")]),
    ([window(7)], [("/windows/0/weekday", "invalid")]),
    ([window(start="24:00")], [("/windows/0/start_local", "no_such_local_time")]),
    ([window(end="24:30")], [("/windows/0/end_local", "no_such_local_time")]),
    ([window(start="3 pm"), window(end="٠٩:٠٠")], [("/windows/0/start_local", "no_such_local_time"), ("/windows/1/end_local", "no_such_local_time")]),
    ([window(start=15)], [("/windows/0/start_local", "no_such_local_time")]),
    ([window(end="15:00")], [("/windows/0/end_local", "empty_window")]),
    ([window(end="15:30")], [("/windows/0/end_local", "window_too_short")]),
    ([window(), window(start="17:00", end="19:00")], [("/windows/1/start_local", "windows_overlap")]),
    ([window(6, "22:00", "02:00"), window(0, "01:00", "03:00")], [("/windows/1/start_local", "windows_overlap")]),
    ([window(buffer_minutes=30, end="16:00"), window(start="16:00")], [("/windows/0/buffer_minutes", "pause_overlaps")]),
    ([window(valid_from="9999-01-01")], [("/windows/0/valid_from", "time_out_of_range")]),
    ([window(valid_from="2026-02-30")], [("/windows/0/valid_from", "no_such_day")]),
    ([window(valid_until="10000-01-01")], [("/windows/0/valid_until", "wrong_type")]),
    ([window(valid_from="2026-03-09", valid_until="2026-03-02")], [("/windows/0/valid_until", "days_reversed")]),
    ([window(valid_from="2026-03-03", valid_until="2026-03-08")], [("/windows/0/valid_until", "never_holds")]),
    ([window(zone="Mars/Olympus")], [("/windows/0/zone", "unknown_field")]),
    ([window()] * 10_000, [("/windows", "too_many")]),
    ([3], [("/windows/0", "wrong_type")]),
    ("all week", [("/windows", "wrong_type")]),
    (None, [("/windows", "null")]),
]  # fmt: skip


@pytest.mark.parametrize(("windows", "reasons"), WRONG)
def test_what_is_wrong_is_said_field_by_field_and_nothing_changes(
    db: Session, api: Api, world: World, windows: Any, reasons: list[tuple[str, str]]
) -> None:
    put(api, world, window(2))
    before = rows(db, WeeklyHours, Slot, AuditAction)

    answer = api.call("PUT", PATH, world.tom, body={"windows": windows})

    assert (answer.status, answer.reasons) == (422, reasons)
    assert rows(db, WeeklyHours, Slot, AuditAction) == before


def test_a_disabled_teacher_sets_no_hours(api: Api, db: Session, world: World) -> None:
    profile = profile_of(db, world.tom.id)
    assert profile
    disable_teacher(as_actor(world.ada), profile.id, reason="on leave")

    assert (put(api, world, window()).code, rows(db, WeeklyHours, Slot)) == ("teacher_not_active", [0, 0])


def test_a_person_without_a_zone_that_exists_cannot_be(api: Api, world: World) -> None:
    assert api.patch("/identity/users/me", {"timezone": "Mars/Olympus"}, world.tom).reasons == [
        ("/timezone", "timezone_unknown")
    ]
