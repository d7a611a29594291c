"""A zone whose rules change between booking and lesson: who would stand before a closed door is told."""

from __future__ import annotations

import struct
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.booking.moved import moved_bookings
from guitaronline.booking.rolling import extend_due
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot
from tests.hours.conftest import MONDAY, give_hours, standing
from tests.hours.planning import window
from tests.world import World

pytestmark = pytest.mark.usefixtures("monday")
LIMA = "America/Lima"  # no change of the clocks, five hours behind


def compiled(hours_ahead: int) -> bytes:
    """A zone file (TZif, RFC 9636) of one offset for ever."""
    kind = struct.pack(">lbb", hours_ahead * 3600, 0, 0) + b"NEW\0"
    block = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + kind
    return block * 2 + f"\n<NEW>{-hours_ahead}\n".encode()


@pytest.fixture
def new_rule(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """`new_rule(-3)`: from now on Lima is three hours behind."""
    before = zoneinfo.TZPATH
    file = tmp_path / LIMA
    file.parent.mkdir(parents=True)

    def change(hours_ahead: int) -> None:
        file.write_bytes(compiled(hours_ahead))
        zoneinfo.reset_tzpath([tmp_path, *before])
        zoneinfo.ZoneInfo.clear_cache()

    yield change
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


@pytest.fixture
def luz(monday: None, world: World) -> User:
    """Teaches in Lima, on Monday afternoons."""
    luz = world.person("Luz", Role.TEACHER, timezone=LIMA)
    give_hours(world, window(0, "15:00", "17:00"), teacher=luz)
    return luz


def run(app: Flask, *args: str) -> Any:
    return app.test_cli_runner().invoke(args=["schedule", *args])


@pytest.mark.usefixtures("luz")
def test_a_lesson_that_a_new_rule_moves_is_listed_with_both_times(
    app: Flask, db: Session, world: World, new_rule: Callable[[int], None]
) -> None:
    world.package()
    booked = world.booking(standing(db)[0])
    assert list(moved_bookings(db, MONDAY)) == []

    new_rule(-4)

    (found,) = moved_bookings(db, MONDAY)
    assert (found.reference, found.wall_zone) == (booked.reference, LIMA)
    assert (found.start_at.hour, found.by_the_clock) == (20, datetime(2026, 3, 2, 19, tzinfo=UTC))
    said = run(app, "moved")
    assert said.exit_code == 1
    assert f"{booked.reference}  " in said.output
    assert (
        f"promised 2026-03-02 15:00 {LIMA}  stored 2026-03-02 20:00 UTC  by the clock 2026-03-02 19:00 UTC"
        in said.output
    )


@pytest.mark.usefixtures("luz")
def test_free_slots_follow_the_new_rule_and_booked_ones_stay(
    app: Flask, db: Session, world: World, new_rule: Callable[[int], None]
) -> None:
    world.package()
    booked = world.booking(standing(db)[0])
    new_rule(-4)

    said = run(app, "extend", "--all")

    assert said.output == "1 teachers looked at, 1 changed: 17 slots made, 17 taken away\n"
    new, second, third, *_ = standing(db)
    assert [(each.start_at.day, each.start_at.hour) for each in (new, second, third)] == [(2, 19), (2, 20), (9, 19)]
    assert (second.id, new.wall_start, third.wall_start) == (
        booked.slot_id,
        datetime(2026, 3, 2, 15),  # noqa: DTZ001  # what a wall clock shows has no zone
        datetime(2026, 3, 9, 15),  # noqa: DTZ001
    )


@pytest.mark.usefixtures("luz")
def test_a_slot_that_stands_at_the_hour_of_another_promises_the_new_clock(
    db: Session, world: World, new_rule: Callable[[int], None]
) -> None:
    """15:00 of the new rule is 20:00 UTC less an hour; what was 15:00 is 16:00 now, and must not be told as moved once it is booked."""
    new_rule(-4)
    run_all(world)
    world.package()
    world.booking(at_hour(db, 20))

    assert list(moved_bookings(db, MONDAY)) == []


def run_all(world: World) -> None:
    from guitaronline.booking.horizon import look_again
    from guitaronline.db import technical_transaction

    with technical_transaction() as session:
        look_again(session, MONDAY)
    extend_due(seconds=60)


def at_hour(db: Session, hour: int) -> Slot:
    return next(each for each in standing(db) if each.start_at.hour == hour)


def test_with_the_rules_as_they_were_nothing_is_told(app: Flask, db: Session, world: World, luz: User) -> None:
    world.package()
    world.booking(standing(db)[0])

    said = run(app, "moved")

    assert (said.exit_code, said.output) == (0, "every lesson ahead is at the hour that was promised\n")


def test_the_second_of_an_hour_that_comes_twice_is_where_it_was(db: Session, world: World) -> None:
    nora = world.person("Nora", Role.TEACHER, timezone="Europe/Berlin")
    with clock.standing_at(datetime(2027, 10, 20, tzinfo=UTC)):
        world.package()
        world.booking(world.slot(nora, start_at=datetime(2027, 10, 31, 1, 30, tzinfo=UTC)))

        assert list(moved_bookings(db, datetime(2027, 10, 20, tzinfo=UTC))) == []


def test_due_teachers_are_extended_from_the_command_line(app: Flask, db: Session, luz: User) -> None:
    assert run(app, "extend").output == "0 teachers looked at, 0 changed: 0 slots made, 0 taken away\n"
