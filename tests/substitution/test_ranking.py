"""Who is offered as a substitute, in which order, and why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.booking.absences import create_closure, create_time_off
from guitaronline.booking.models import Booking
from guitaronline.booking.slots import block_slot
from guitaronline.booking.substitutes import Substitute, substitutes_for, substitutes_for_each
from guitaronline.db import new_id
from guitaronline.identity.service import deactivate_person
from tests.statements import statements
from tests.substitution.conftest import describe, same_time
from tests.world import World, as_actor


def offered(db: Session, booking: Booking, limit: int = 5) -> list[str]:
    now = clock.read(db)
    return [each.name for each in substitutes_for(db, booking, now, limit=limit)]


def one(name: str, *, has_slot: bool = False, taught: int = 0, shared: int = 0, that_day: int = 0) -> Substitute:
    return Substitute(new_id(), name, has_slot, taught, tuple("abc"[:shared]), that_day)


def test_an_open_slot_counts_most_then_acquaintance_then_tags_then_the_shortest_day() -> None:
    ranked = [
        one("slot", has_slot=True, that_day=8),
        one("known", taught=1, that_day=8),
        one("two tags", shared=2, that_day=8),
        one("one tag", shared=1, that_day=8),
        one("free day"),
        one("busy day", that_day=3),
    ]

    assert sorted([*ranked[3:], *ranked[:3]], key=lambda each: each.rank) == ranked


def test_the_words_say_what_speaks_for_somebody() -> None:
    assert one("T", has_slot=True, taught=1, shared=2, that_day=1).because() == (
        "has an open slot exactly then; gave this student 1 lesson before; teaches a, b too; 1 other lesson that day"
    )
    assert one("T").because() == "is free then; a slot is made; no other lesson that day"


def test_whoever_is_free_is_offered_and_the_booked_teacher_is_not(db: Session, world: World, booked: Booking) -> None:
    assert [world.tom.full_name, world.tina.full_name] == ["Tom", "Tina"]
    assert offered(db, booked) == ["Tina"]


def test_who_has_an_open_slot_exactly_then_comes_first(db: Session, world: World, booked: Booking) -> None:
    world.person("Tad", world.tom.role)
    same_time(world, booked, world.tina)

    assert offered(db, booked) == ["Tina", "Tad"]


def test_who_taught_the_student_before_comes_first(db: Session, world: World) -> None:
    world.package()
    world.person("Tad", world.tom.role)
    earlier = world.booking(world.slot(world.tina, hours=48))
    later = world.booking(world.slot(hours=72))

    with clock.standing_at(earlier.end_at):
        found = substitutes_for(db, later, earlier.end_at)

    assert [(each.name, each.taught) for each in found] == [("Tina", 1), ("Tad", 0)]


def test_who_teaches_the_same_comes_first(db: Session, world: World, booked: Booking) -> None:
    world.person("Tad", world.tom.role)
    describe(world, db, world.tom, tags=["blues", "slide"])
    describe(world, db, world.tina, tags=["slide"])

    assert offered(db, booked) == ["Tina", "Tad"]


def test_the_students_instrument_counts_like_a_tag(db: Session, world: World) -> None:
    uma = world.person("Uma", world.ann.role, instrument="Ukulele")
    world.package(uma)
    booking = world.booking(world.slot(hours=48), uma)
    world.person("Tad", world.tom.role)
    describe(world, db, world.tina, tags=["ukulele"])

    assert offered(db, booking) == ["Tina", "Tad"]


def test_the_shorter_day_comes_first(db: Session, world: World, booked: Booking) -> None:
    world.package(world.ben)
    world.person("Zoe", world.tom.role)
    world.booking(world.slot(world.tina, start_at=booked.end_at), world.ben)

    found = substitutes_for(db, booked, clock.read(db))
    assert [(each.name, each.that_day) for each in found] == [("Zoe", 0), ("Tina", 1)]


@pytest.mark.parametrize("hindrance", ["away", "closed", "blocked", "held", "across", "inactive", "day full"])
def test_whom_the_rule_refuses_is_not_offered(db: Session, world: World, booked: Booking, hindrance: str) -> None:
    assert world.tina
    HINDER[hindrance](world, booked)

    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=1):
        assert offered(db, booked) == []


def _away(world: World, booked: Booking) -> None:
    create_time_off(
        as_actor(world.ada), teacher_id=world.tina.id, start_at=booked.start_at, end_at=booked.start_at + timedelta(1)
    )


def _closed(world: World, booked: Booking) -> None:
    day = booked.start_at.date()
    create_closure(as_actor(world.ada), name="Holiday", first_day=day, last_day=day)


def _blocked(world: World, booked: Booking) -> None:
    block_slot(as_actor(world.tina), same_time(world, booked, world.tina).id, reason="the dentist")


def _held(world: World, booked: Booking) -> None:
    world.package(world.ben)
    world.hold(same_time(world, booked, world.tina), world.ben)


def _across(world: World, booked: Booking) -> None:
    world.slot(world.tina, start_at=booked.start_at - timedelta(minutes=1))


def _inactive(world: World, booked: Booking) -> None:
    deactivate_person(as_actor(world.ada), world.tina.id, reason="gone")


def _day_full(world: World, booked: Booking) -> None:
    world.package(world.ben)
    world.booking(world.slot(world.tina, start_at=booked.end_at), world.ben)


HINDER = {
    "away": _away,
    "closed": _closed,
    "blocked": _blocked,
    "held": _held,
    "across": _across,
    "inactive": _inactive,
    "day full": _day_full,
}


def test_a_lapsed_hold_is_in_nobodys_way(db: Session, world: World, booked: Booking) -> None:
    _held(world, booked)

    with clock.moved_by(timedelta(minutes=11)):
        assert offered(db, booked) == ["Tina"]


def test_at_most_as_many_as_asked_for(db: Session, world: World, booked: Booking) -> None:
    world.person("Tad", world.tom.role)
    assert world.tina

    assert offered(db, booked, limit=1) == ["Tad"]


def test_many_bookings_take_no_more_statements_than_one(db: Session, world: World, booked: Booking) -> None:
    assert world.tina
    other = world.booking(world.slot(hours=72))
    now = clock.read(db)

    with statements() as for_one:
        substitutes_for_each(db, [booked], now)
    with statements() as for_two:
        found = substitutes_for_each(db, [booked, other], now)

    assert [len(found[each.id]) for each in (booked, other)] == [1, 1]
    assert len(for_two) == len(for_one) <= 9
