"""Many slots at once: the teacher's zone, what is skipped, all or none, and two at once."""

# ruff: noqa: DTZ001  # what a wall clock shows has no zone

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from threading import Barrier, get_ident
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.models import User
from guitaronline.scheduling import rules
from guitaronline.scheduling.models import Slot
from guitaronline.scheduling.service import SlotsMade, WindowInvalid, create_slots
from guitaronline.teachers.service import NotATeacher
from tests.concurrency import at_once, done, refused
from tests.world import World, as_actor

MONDAY = date(2027, 1, 4)
EVERY_DAY = set(range(7))


@pytest.fixture(autouse=True)
def _standing_clock() -> Iterator[None]:
    with clock.standing_at(datetime(2026, 12, 1, 12, tzinfo=UTC)):
        yield


def many(world: World, teacher: User | None = None, **more: Any) -> SlotsMade:
    asked: dict[str, Any] = {
        "teacher_id": (teacher or world.tom).id,
        "first_day": MONDAY,
        "last_day": MONDAY + timedelta(days=6),
        "weekdays": {0, 2},
        "start_local": time(9),
        "end_local": time(11),
        "lesson_minutes": 45,
        "buffer_minutes": 15,
    }
    return create_slots(as_actor(world.ada), **{**asked, **more})


def test_the_window_is_read_on_the_teachers_clock(world: World) -> None:
    kim = world.person("Kim", world.tom.role, timezone="Asia/Tokyo")

    made = many(world, kim).made

    assert [f"{slot.start_at:%a %H:%M}-{slot.end_at:%H:%M}" for slot in made] == [
        "Mon 00:00-00:45",
        "Mon 01:00-01:45",
        "Wed 00:00-00:45",
        "Wed 01:00-01:45",
    ]


def test_one_action_names_the_teacher_and_every_slot_is_in_the_audit(world: World, db: Session) -> None:
    many(world)

    action = db.scalars(select(AuditAction).where(AuditAction.name == "slot.create_many")).one()
    changes = db.scalar(
        select(func.count()).where(AuditChange.action_id == action.id, AuditChange.table_name == "availability_slots")
    )
    assert (action.record_type, action.record_id, changes) == ("users", world.tom.id, 4)


def test_places_that_are_taken_are_skipped_and_reported(world: World) -> None:
    taken = world.slot(start_at=datetime(2027, 1, 4, 9, 30, tzinfo=UTC), minutes=60)

    result = many(world)

    assert [(each.local, each.code) for each in result.skipped] == [
        (datetime(2027, 1, 4, 9), "overlaps_slot"),
        (datetime(2027, 1, 4, 10), "overlaps_slot"),
    ]
    assert taken.reference in result.skipped[0].detail
    assert len(result.made) == 2


def test_asking_again_makes_nothing_twice(world: World) -> None:
    many(world)

    again = many(world)

    assert (again.made, len(again.skipped)) == ([], 4)


def test_a_slot_that_began_the_evening_before_is_seen(world: World) -> None:
    world.slot(start_at=datetime(2027, 1, 3, 22, tzinfo=UTC), minutes=240)

    result = many(world, start_local=time(0), end_local=time(4), lesson_minutes=60, buffer_minutes=0, weekdays={0})

    assert [each.local.hour for each in result.skipped] == [0, 1]
    assert len(result.made) == 2


def test_places_that_have_passed_are_skipped_and_reported(world: World) -> None:
    result = many(
        world,
        first_day=date(2026, 12, 1),
        last_day=date(2026, 12, 1),
        weekdays={1},
        end_local=time(15),
        lesson_minutes=60,
        buffer_minutes=0,
    )

    assert [(each.local.hour, each.code) for each in result.skipped] == [
        (hour, "in_the_past") for hour in (9, 10, 11, 12)
    ]
    assert [slot.start_at.hour for slot in result.made] == [13, 14]


def test_the_night_the_clocks_go_forward_is_reported(world: World) -> None:
    eva = world.person("Eva", world.tom.role, timezone="Europe/Berlin")

    result = many(world, eva, first_day=date(2027, 3, 27), last_day=date(2027, 3, 28), weekdays=EVERY_DAY, start_local=time(23), end_local=time(4), lesson_minutes=60, buffer_minutes=0)  # fmt: skip

    assert [(each.local, each.code) for each in result.skipped] == [(datetime(2027, 3, 28, 2), "no_such_local_time")]
    assert [f"{slot.start_at:%d %H}" for slot in result.made[:4]] == ["27 22", "27 23", "28 00", "28 01"]


def test_a_thousand_slots_are_made_and_one_more_is_refused(world: World, db: Session) -> None:
    asked = {
        "weekdays": EVERY_DAY,
        "start_local": time(0),
        "end_local": time(0),
        "lesson_minutes": 60,
        "buffer_minutes": 0,
    }

    with pytest.raises(WindowInvalid) as refusal:
        many(world, last_day=MONDAY + timedelta(days=41), **asked)  # 42 days × 24
    assert [(reason.code, reason.facts["asked"]) for reason in refusal.value.reasons] == [("too_many_slots", 1008)]
    assert db.scalar(select(func.count(Slot.id))) == 0

    assert (
        len(
            many(
                world,
                last_day=MONDAY + timedelta(days=39),
                **{**asked, "end_local": time(23, 59), "start_local": time(0)},
            ).made
        )
        == 40 * 23
    )
    assert rules.BULK_SLOTS_MAX == 1000


def test_only_the_teacher_and_staff_for_slots_may(world: World) -> None:
    asked = {"teacher_id": world.tom.id, "first_day": MONDAY, "last_day": MONDAY, "weekdays": {0}, "start_local": time(9), "end_local": time(10), "lesson_minutes": 60}  # fmt: skip
    create_slots(as_actor(world.tom), **asked)

    with pytest.raises(NotFound):
        create_slots(as_actor(world.tina), **asked)
    with pytest.raises(NotAllowed):
        create_slots(as_actor(world.finn), **asked)
    with pytest.raises(NotATeacher):
        create_slots(as_actor(world.sue), **{**asked, "teacher_id": world.ann.id})


def test_two_bulk_calls_at_once_share_the_places(world: World, app: Flask, db: Session) -> None:
    _ = world.tom, world.ada

    with clock.standing_at(datetime(2026, 12, 1, 12, tzinfo=UTC)):
        results = at_once(app, *[lambda: many(world)] * 4)

    assert refused(results) == []
    assert sorted(len(result.made) for result in done(results)) == [0, 0, 0, 4]


def test_without_the_teachers_lock_two_bulk_calls_collide(
    world: World, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the lock both see free places, and the database refuses one of them as a whole."""
    from guitaronline.scheduling import service

    tom, _ = world.tom, world.ada
    monkeypatch.setattr(service, "require_active_teacher", lambda work, teacher_id: tom)
    looked = service._free_places
    both, seen = Barrier(2, timeout=10), set()

    def look_and_wait(*arguments: Any) -> Any:
        found = looked(*arguments)
        if get_ident() not in seen:
            seen.add(get_ident())
            both.wait()
        return found

    monkeypatch.setattr(service, "_free_places", look_and_wait)

    results = at_once(app, *[lambda: many(world)] * 2)

    assert refused(results) == ["slot_overlap"]
    assert [len(result.made) for result in done(results)] == [4]
