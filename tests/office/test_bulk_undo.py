"""A bulk action is taken back within ten minutes, as far as the domain allows, and says what could not be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing.service import freeze_package, unfreeze_package
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.slots import block_slot
from guitaronline.identity.service import create_task
from guitaronline.office import bulk
from guitaronline.office.bulk_actions import ALL
from guitaronline.office.bulk_models import RunStatus
from guitaronline.scheduling.models import SlotStatus
from guitaronline.scheduling.service import unblock_slot
from tests.office.bulk import SCHOOL, Class, ask, carried_out, rows, states, undo
from tests.world import World, as_actor

LATE = {"cause": "student", "waive": False}


def successor(db: Session, booking: Booking) -> Booking:
    db.rollback()
    return db.scalars(select(Booking).where(Booking.restored_from_booking_id == booking.id)).one()


def test_a_mistaken_cancellation_is_undone_booking_by_booking(world: World, db: Session) -> None:
    ada, school = as_actor(world.ada), Class(world)
    confirmed, late, held = school.confirmed(), school.late(), school.hold()
    run = carried_out(ask(ada, "bookings.cancel", [confirmed, late, held], LATE))

    undone = carried_out(undo(ada, run))

    assert (undone.status, states(undone), undone.undoes_run_id) == (RunStatus.DONE, ["done"] * 3, run.id)
    stands = [successor(db, each) for each in (confirmed, late, held)]
    assert [each.status for each in stands] == [BookingStatus.CONFIRMED, BookingStatus.CONFIRMED, BookingStatus.HOLD]
    assert [(each.package.available, each.package.reserved, each.package.consumed) for each in stands] == [
        (1, 0, 1),
        (1, 0, 1),
        (1, 1, 0),
    ]


def test_what_cannot_be_restored_is_named_with_the_reason(world: World, db: Session) -> None:
    ada, school = as_actor(world.ada), Class(world)
    blocked, taken, frozen, free = (school.confirmed() for _ in range(4))
    run = carried_out(ask(ada, "bookings.cancel", [blocked, taken, frozen, free], SCHOOL))
    block_slot(ada, blocked.slot_id, reason="dentist")
    world.package(world.ben)
    world.booking(world.again(taken).slot, world.ben)
    freeze_package(ada, frozen.package_id, reason="ill")

    undone = carried_out(undo(ada, run))

    assert [(row.label, row.status.value, row.sentence) for row in rows(undone)[:3]] == [
        (blocked.reference, "refused", "The teacher keeps this time back."),
        (taken.reference, "refused", "Somebody else has this time."),
        (frozen.reference, "refused", "The package is frozen."),
    ]
    assert successor(db, free).status is BookingStatus.CONFIRMED
    assert (undone.succeeded, undone.refused) == (1, 3)


def test_the_slot_that_somebody_takes_between_preview_and_undo_is_a_refused_row(world: World) -> None:
    ada, school = as_actor(world.ada), Class(world)
    booking, other = school.confirmed(), school.confirmed()
    run = carried_out(ask(ada, "bookings.cancel", [booking, other], SCHOOL))
    asked = undo(ada, run)
    world.package(world.ben)
    world.booking(world.again(booking).slot, world.ben)

    undone = carried_out(asked)

    assert [(row.status.value, row.code) for row in rows(undone)] == [("refused", "slot_taken"), ("done", "restored")]


def test_two_bookings_that_need_the_same_lesson_are_not_both_promised(world: World) -> None:
    from guitaronline.billing.service import adjust_lessons

    ada = as_actor(world.ada)
    package = world.package(lessons=2)
    bookings = [world.booking(world.slot(hours=hours)) for hours in (50, 60)]
    run = carried_out(ask(ada, "bookings.cancel", bookings, SCHOOL))
    adjust_lessons(ada, package.id, lessons=-1, reason="a mistake in the grant")

    undone = carried_out(undo(ada, run))

    assert [(row.status.value, row.code) for row in rows(undone)] == [
        ("done", "restored"),
        ("refused", "no_lessons_left"),
    ]


def test_after_ten_minutes_it_is_too_late(world: World) -> None:
    ada, slot = as_actor(world.ada), world.slot()
    run = carried_out(ask(ada, "slots.block", [slot]))

    with clock.moved_by(timedelta(minutes=10, seconds=1)), pytest.raises(bulk.UndoTooLate, match="within 10 minutes"):
        undo(ada, run)


def test_in_the_last_second_it_is_not(world: World) -> None:
    ada, slot = as_actor(world.ada), world.slot()
    run = carried_out(ask(ada, "slots.block", [slot]))

    with clock.standing_at(run.undo_until):
        carried_out(undo(ada, run))

    assert world.again(slot).status is SlotStatus.OPEN


def test_it_is_undone_once(world: World) -> None:
    ada = as_actor(world.ada)
    run = carried_out(ask(ada, "slots.block", [world.slot()]))
    undo(ada, run)

    with pytest.raises(bulk.AlreadyUndone):
        undo(ada, run)


def test_an_undo_is_not_undone(world: World) -> None:
    ada = as_actor(world.ada)
    undone = carried_out(undo(ada, carried_out(ask(ada, "slots.block", [world.slot()]))))

    with pytest.raises(bulk.NotUndoable, match="undo itself"):
        undo(ada, undone)


def test_a_run_that_is_not_finished_cannot_be_undone(world: World) -> None:
    ada = as_actor(world.ada)
    run = ask(ada, "slots.block", [world.slot()])

    with pytest.raises(bulk.RunStillOpen):
        undo(ada, run)


def test_what_somebody_changed_afterwards_is_left_to_them(world: World) -> None:
    ada, slot, other = as_actor(world.ada), world.slot(hours=50), world.slot(hours=60)
    run = carried_out(ask(ada, "slots.block", [slot, other]))
    unblock_slot(ada, slot.id)
    block_slot(ada, slot.id, reason="another reason")

    undone = carried_out(undo(ada, run))

    assert [(row.status.value, row.code) for row in rows(undone)] == [("refused", "changed_since"), ("done", "open")]
    assert world.again(slot).status is SlotStatus.BLOCKED


def test_frozen_packages_are_unfrozen_and_the_other_way_round(world: World) -> None:
    ada, package = as_actor(world.ada), world.package(expires_at=world.now + timedelta(days=30))
    run = carried_out(ask(ada, "packages.freeze", [package]))
    assert world.again(package).frozen_at is not None

    carried_out(undo(ada, run))

    assert world.again(package).frozen_at is None
    freeze_package(ada, package.id, reason="ill")
    thawed = carried_out(ask(ada, "packages.unfreeze", [package]))
    carried_out(undo(ada, thawed))
    assert world.again(package).frozen_reason == "that was a mistake"
    unfreeze_package(ada, package.id)


def test_finished_tasks_are_open_again(world: World) -> None:
    ada = as_actor(world.ada)
    task = create_task(ada, record_type="users", record_id=world.ann.id, title="Call", owner_id=world.ada.id)
    run = carried_out(ask(ada, "tasks.finish", [task]))

    carried_out(undo(ada, run))

    assert world.again(task).status == "open"


FINAL = [
    "absences.take_back",
    "bookings.restore",
    "bookings.confirm",
    "lessons.complete",
    "slots.withdraw",
    "packages.extend",
    "people.write",
    "messages.redrive",
]


@pytest.mark.parametrize("action", ALL, ids=[action.name for action in ALL])
def test_each_action_says_how_it_is_undone_or_why_not(action: object) -> None:
    is_final = action.name in FINAL  # type: ignore[attr-defined]

    assert bool(action.final_because) == is_final  # type: ignore[attr-defined]
    assert bool(action.undone_by and action.undo_words) == (not is_final)  # type: ignore[attr-defined]


def test_given_lessons_stay_given(world: World) -> None:
    from tests.office.bulk import lesson_of

    ada = as_actor(world.ada)
    run = carried_out(ask(ada, "lessons.complete", [lesson_of(Class(world).started())]))

    assert run.undo_until is None
    with pytest.raises(bulk.NotUndoable, match="only corrected"):
        undo(ada, run)
