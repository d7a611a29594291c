"""Whose bookings are whose."""

from __future__ import annotations

from sqlalchemy.orm import Session

from guitaronline.booking.queries import bookings_of_person, visible_booking
from guitaronline.db import new_id
from tests.booking.conftest import refused
from tests.world import World, as_actor


def test_own_bookings_come_latest_first_page_by_page(db: Session, world: World) -> None:
    world.package()
    for hours in (60, 50, 70):
        world.booking(world.slot(hours=hours))
    found = bookings_of_person(db, world.ann.id)

    assert [each.start_at for each in found] == sorted((each.start_at for each in found), reverse=True)
    assert len(found) == 3
    first = found[0]
    assert bookings_of_person(db, world.ann.id, after=(first.start_at, first.id), limit=1) == found[1:2]
    assert bookings_of_person(db, world.ann.id, offset=2) == found[2:]
    assert bookings_of_person(db, world.tom.id) == found
    assert bookings_of_person(db, world.tina.id) == []


def test_who_sees_a_booking(db: Session, world: World) -> None:
    world.package()
    booking_id = world.booking().id

    for name in ("ann", "tom", "sue", "finn", "audrey", "ada"):
        assert visible_booking(db, as_actor(getattr(world, name)), booking_id).id == booking_id
    for stranger in (world.ben, world.tina):
        with refused("not_found"):
            visible_booking(db, as_actor(stranger), booking_id)
    with refused("not_found"):
        visible_booking(db, as_actor(world.sue), new_id())
