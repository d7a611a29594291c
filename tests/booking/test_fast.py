"""The one-statement twins of hold and confirm leave exactly what the commands leave, and decline everything else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock, errors, policy
from guitaronline.actor import SYSTEM
from guitaronline.billing.service import freeze_package
from guitaronline.booking import fast
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.service import confirm_booking, hold_slot
from guitaronline.identity.service import deactivate_person
from guitaronline.unit_of_work import Request, request
from tests.world import World, as_actor

LEFT_BEHIND = {
    "bookings": "SELECT to_jsonb(t) FROM bookings t ORDER BY start_at",
    "packages": "SELECT to_jsonb(t) FROM packages t ORDER BY id",
    "credit_entries": "SELECT to_jsonb(t) FROM credit_entries t ORDER BY package_id, sequence",
    "lessons": "SELECT to_jsonb(t) FROM lessons t ORDER BY scheduled_start_at",
    "outbox_events": "SELECT to_jsonb(t) FROM outbox_events t WHERE record_type IN ('bookings', 'lessons') ORDER BY topic, id",
    "audit_actions": "SELECT to_jsonb(t) FROM audit_actions t WHERE name LIKE 'booking.%' ORDER BY id",
}
CHANCE = ("id", "reference", "booking_id", "record_id", "action_id", "op_key", "recorded_at", "xid")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the shortcuts that did the work."""
    seen: list[str] = []
    real = fast._one

    def watched(work: Any, *more: Any) -> Any:
        booking = real(work, *more)
        if booking is not None:
            seen.append(work.name)
        return booking

    monkeypatch.setattr(fast, "_one", watched)
    return seen


def left_behind(db: Session, since: set[str]) -> dict[str, list[dict[str, Any]]]:
    db.rollback()
    rows = {table: [row for (row,) in db.execute(text(query))] for table, query in LEFT_BEHIND.items()}
    return {
        table: [
            {key: value for key, value in row.items() if key not in CHANCE} for row in found if row["id"] not in since
        ]
        for table, found in rows.items()
    }


def ids(db: Session) -> set[str]:
    db.rollback()
    return {row["id"] for query in LEFT_BEHIND.values() for (row,) in db.execute(text(query))}


def book(world: World, how: str, student: Any, slot: Any) -> Booking:
    """Hold and confirm by one of the two ways."""
    token = request.set(Request(expected=(slot.id, slot.version)) if how == "command" else Request())
    try:
        held = hold_slot(as_actor(student), slot.id)
        return confirm_booking(as_actor(student), held.id)
    finally:
        request.reset(token)


def test_both_ways_leave_the_same(db: Session, world: World, taken: list[str]) -> None:
    start = world.now + timedelta(hours=48)
    left = []
    with clock.standing_at(world.now):
        for how, student, teacher in (("shortcut", world.ann, world.tom), ("command", world.ben, world.tina)):
            world.package(student, expires_at=start + timedelta(days=3))
            slot = world.slot(teacher, start_at=start)
            before = ids(db)
            book(world, how, student, slot)
            names = {str(student.id): "student", str(teacher.id): "teacher", str(slot.id): "slot"}
            rows = left_behind(db, before)
            left.append(_renamed(rows, names, db))

    assert taken == ["booking.hold", "booking.confirm"]
    assert left[0] == left[1]


def _renamed(rows: Any, names: dict[str, str], db: Session) -> Any:
    query = "SELECT id, 'package' FROM packages UNION ALL SELECT id, 'booking' FROM bookings"
    records = {str(row): kind for row, kind in db.execute(text(query))}

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rename(each) for key, each in value.items()}
        if isinstance(value, list):
            return [rename(each) for each in value]
        return {**records, **names}.get(value, value) if isinstance(value, str) else value

    return rename(rows)


def lapsed_hold(world: World) -> None:
    with clock.moved_by(timedelta(minutes=-30)):
        world.hold(world.slot(hours=60))


def test_a_lapsed_hold_is_left_to_the_command(db: Session, world: World, taken: list[str]) -> None:
    world.package()
    slot = world.slot()
    lapsed_hold(world)
    taken.clear()

    booking = hold_slot(as_actor(world.ann), slot.id)

    assert taken == []
    assert booking.status is BookingStatus.HOLD


@pytest.mark.parametrize(
    "why", ["student inactive", "package frozen", "slot gone", "too late", "too many holds", "busy", "no lesson"]
)
def test_whatever_is_refused_is_refused_by_the_command(db: Session, world: World, taken: list[str], why: str) -> None:
    package = world.package(lessons=4)
    slot = world.slot()
    match why:
        case "student inactive":
            deactivate_person(SYSTEM, world.ann.id, reason="gone")
        case "package frozen":
            freeze_package(as_actor(world.ada), package.id, reason="ill")
        case "slot gone":
            world.package(world.ben)
            world.hold(slot, world.ben)
        case "too late":
            slot = world.slot(hours=0.5)
        case "too many holds":
            for hours in (70, 72, 74):
                world.hold(world.slot(hours=hours))
        case "busy":
            world.hold(world.slot(world.tina, start_at=slot.start_at))
        case "no lesson":
            for hours in (70, 72, 74, 76):
                world.booking(world.slot(hours=hours))
    taken.clear()

    with pytest.raises(errors.DomainError):
        hold_slot(as_actor(world.ann), slot.id)
    assert taken == []


def test_the_last_lesson_of_a_package_is_confirmed_by_the_command(db: Session, world: World, taken: list[str]) -> None:
    package = world.package(lessons=1)
    world.booking()

    assert taken == ["booking.hold"]
    assert world.again(package).status == "depleted"


def test_limits_that_only_the_command_knows_turn_the_shortcut_off(db: Session, world: World, taken: list[str]) -> None:
    world.package()
    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=5):
        world.hold()

    assert taken == []


def test_the_package_that_expires_first_pays_in_both_ways(db: Session, world: World, taken: list[str]) -> None:
    slot = world.slot()
    world.package(expires_at=None)
    world.package(expires_at=slot.start_at + timedelta(days=9))
    first = world.package(expires_at=slot.start_at)
    world.package(expires_at=slot.start_at - timedelta(seconds=1))

    booking = world.hold(slot)

    assert (booking.package_id, taken) == (first.id, ["booking.hold"])
