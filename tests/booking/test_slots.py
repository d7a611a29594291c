"""A slot is taken out only when nobody has it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from guitaronline import clock
from guitaronline.booking.models import BookingStatus
from guitaronline.booking.service import cancel_booking
from guitaronline.booking.slots import block_slot, withdraw_slot
from guitaronline.scheduling.models import SlotStatus
from guitaronline.scheduling.service import unblock_slot
from tests.booking.conftest import refused
from tests.world import World, as_actor


@pytest.mark.parametrize("take_out", [block_slot, withdraw_slot])
def test_an_occupied_slot_stays_until_its_booking_is_decided(world: World, take_out: object) -> None:
    world.package()
    slot = world.slot()
    held = world.hold(slot)

    with refused("slot_occupied"):
        take_out(as_actor(world.tom), slot.id, reason="ill")  # type: ignore[operator]
    cancel_booking(as_actor(world.ann), held.id)
    assert take_out(as_actor(world.tom), slot.id, reason="ill").status in (SlotStatus.BLOCKED, SlotStatus.WITHDRAWN)  # type: ignore[operator]


def test_a_lapsed_hold_is_in_nobodys_way(world: World) -> None:
    package = world.package(lessons=1)
    slot = world.slot()
    held = world.hold(slot)
    with clock.moved_by(timedelta(minutes=10)):
        block_slot(as_actor(world.tom), slot.id, reason="ill")

    assert world.again(held).status is BookingStatus.EXPIRED
    assert world.again(package).available == 1


def test_blocking_again_changes_nothing_and_what_is_withdrawn_stays_so(world: World) -> None:
    slot, tom = world.slot(), as_actor(world.tom)
    first = block_slot(tom, slot.id, reason="ill")
    assert block_slot(tom, slot.id, reason="still ill").version == first.version

    withdraw_slot(tom, slot.id, reason="gone")
    with refused("illegal_move"):
        block_slot(tom, slot.id, reason="again")
    with refused("illegal_move"):
        unblock_slot(tom, slot.id)


def test_a_blocked_slot_opens_again(world: World) -> None:
    slot, tom = world.slot(), as_actor(world.tom)
    block_slot(tom, slot.id, reason="ill")

    assert unblock_slot(tom, slot.id).status is SlotStatus.OPEN


def test_only_its_teacher_and_support_take_it_out_and_say_why(world: World) -> None:
    slot = world.slot()

    with refused("not_found"):
        block_slot(as_actor(world.tina), slot.id, reason="mine")
    with refused("not_allowed"):
        block_slot(as_actor(world.ann), slot.id, reason="mine")
    with refused("not_allowed"):
        withdraw_slot(as_actor(world.finn), slot.id, reason="mine")
    with refused("reason_required"):
        block_slot(as_actor(world.tom), slot.id, reason=" ")
    assert block_slot(as_actor(world.sue), slot.id, reason="he called").status is SlotStatus.BLOCKED
