"""Who waits is offered what comes free, in order, as a hold that lapses; nobody is booked twice and nobody is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import checks, clock, policy
from guitaronline.actor import SYSTEM, Role
from guitaronline.booking import facts, waitlist
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.queries import explain_slot, offered_slots
from guitaronline.booking.service import cancel_booking, confirm_booking, expire_holds, hold_slot, reschedule_booking
from guitaronline.booking.waitlist import effective_status, leave_waitlist, offer_slot
from guitaronline.booking.waitlist_models import WaitStatus
from guitaronline.scheduling.models import Slot
from jobs import waitlist as rounds
from tests.booking.conftest import refused
from tests.by_hand import by_hand, refused_by
from tests.concurrency import at_once, done
from tests.concurrency import refused as told_no
from tests.waitlist.conftest import Waits
from tests.world import World, as_actor

Round = Callable[[], int]


def offer_of(world: World, entry: waitlist.WaitlistEntry) -> Booking:
    found = world.again(entry)
    assert found.status is WaitStatus.OFFERED
    booking: Booking = world.reloaded(Booking, found.booking_id)
    return booking


def test_a_freed_slot_is_not_public_but_offered_to_who_waits(
    db: Session, world: World, waits: Waits, go_round: Round
) -> None:
    world.package()
    world.package(world.ben)
    cleo = world.person("Cleo", Role.STUDENT)
    world.package(cleo)
    booking = world.booking()
    entry = waits(world.ben)

    cancel_booking(as_actor(world.ann), booking.id)

    assert offered_slots(db, now=world.now, settings=policy.current()) == []
    with refused("slot_kept"):
        hold_slot(as_actor(cleo), booking.slot_id)
    go_round()
    offer = offer_of(world, entry)
    assert (offer.slot_id, offer.student_id, offer.status) == (booking.slot_id, world.ben.id, BookingStatus.HOLD)
    assert offer.hold_expires_at is not None
    assert offer.hold_expires_at - offer.created_at == timedelta(minutes=policy.current().WAITLIST_OFFER_MINUTES)
    confirm_booking(as_actor(world.ben), offer.id)
    assert effective_status(world.again(entry), world.again(offer), world.now) is WaitStatus.FULFILLED
    go_round()
    assert world.again(entry).status is WaitStatus.FULFILLED
    assert checks.run_all(db) == []


def test_nobody_waits_nothing_is_kept(db: Session, world: World, waits: Waits) -> None:
    world.package()
    booking = world.booking()
    waits(world.ben, lesson_minutes=45)
    waits(world.ben, teacher_id=world.tina.id)
    waits(world.ben, from_at=world.now + timedelta(days=5))

    cancel_booking(as_actor(world.ann), booking.id)

    assert world.reloaded(Slot, booking.slot_id).kept_until is None
    assert [each.id for each in offered_slots(db, now=world.now, settings=policy.current())] == [booking.slot_id]


@pytest.mark.parametrize("how", ["moved", "released", "lapsed"])
def test_every_end_of_a_booking_frees_its_slot_for_the_line(world: World, waits: Waits, how: str) -> None:
    world.package()
    slot = world.slot()
    waits(world.ben)
    if how == "moved":
        other = world.slot(world.tina, hours=100)
        reschedule_booking(as_actor(world.ann), world.booking(slot).id, new_slot_id=other.id)
    elif how == "released":
        cancel_booking(as_actor(world.ann), world.hold(slot).id)
    else:
        with clock.moved_by(timedelta(minutes=-30)):
            world.hold(slot)
        expire_holds(SYSTEM)

    assert world.again(slot).kept_until > world.now


def test_without_the_job_the_slot_is_public_after_a_while(db: Session, world: World, waits: Waits) -> None:
    world.package(lessons=5)
    booking = world.booking()
    waits(world.ben)
    cancel_booking(as_actor(world.ann), booking.id)

    with clock.moved_by(timedelta(minutes=policy.current().WAITLIST_KEEP_MINUTES + 1)):
        assert explain_slot(db, as_actor(world.ann), booking.slot_id).bookable
        assert hold_slot(as_actor(world.ann), booking.slot_id).status is BookingStatus.HOLD


def test_a_lapsed_offer_goes_to_the_next_in_line_and_not_to_the_same_again(
    world: World, waits: Waits, go_round: Round
) -> None:
    world.package()
    world.package(world.ben)
    cleo = world.person("Cleo", Role.STUDENT)
    world.package(cleo)
    first, second = waits(world.ben), waits(cleo)
    slot = world.slot()
    go_round()
    lapsing = offer_of(world, first)
    assert world.again(second).status is WaitStatus.WAITING

    with clock.moved_by(timedelta(minutes=policy.current().WAITLIST_OFFER_MINUTES + 1)):
        with refused("slot_kept"):
            hold_slot(as_actor(world.ann), slot.id)
        go_round()
        assert world.again(first).status is WaitStatus.WAITING
        assert offer_of(world, second).slot_id == slot.id
    with clock.moved_by(timedelta(minutes=2 * policy.current().WAITLIST_OFFER_MINUTES + 2)):
        go_round()
        assert world.again(first).status is WaitStatus.WAITING
        assert world.again(slot).kept_until is None
        assert hold_slot(as_actor(world.ann), slot.id).status is BookingStatus.HOLD
    assert lapsing.student_id == world.ben.id


def test_who_cannot_take_it_is_passed_over_and_stays_in_line(world: World, waits: Waits, go_round: Round) -> None:
    cleo = world.person("Cleo", Role.STUDENT)
    world.package(cleo)
    penniless, able = waits(world.ben), waits(cleo)
    world.slot()

    go_round()

    assert world.again(penniless).passed_because == "no_lessons_left"
    assert world.again(penniless).status is WaitStatus.WAITING
    assert world.again(able).status is WaitStatus.OFFERED


def test_when_nobody_in_line_can_take_it_everybody_may(world: World, waits: Waits, go_round: Round) -> None:
    world.package()
    booking = world.booking()
    waits(world.ben)
    cancel_booking(as_actor(world.ann), booking.id)

    go_round()

    assert world.reloaded(Slot, booking.slot_id).kept_until is None


def test_who_cannot_pay_keeps_nobody_else_waiting(
    world: World, waits: Waits, go_round: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More slots wait for somebody who can take none than are looked at in one go."""
    monkeypatch.setattr(rounds, "SLOTS", 2)
    cleo = world.person("Cleo", Role.STUDENT)
    world.package(cleo)
    waits(world.ben)
    for hours in (30, 40, 50):
        world.slot(hours=hours)
    able = waits(cleo, teacher_id=world.tina.id)
    theirs = world.slot(world.tina, hours=60)

    go_round()

    assert offer_of(world, able).slot_id == theirs.id


def test_leaving_releases_what_was_offered(world: World, waits: Waits, go_round: Round) -> None:
    world.package(world.ben)
    entry = waits(world.ben)
    world.slot()
    go_round()
    offer = offer_of(world, entry)

    assert leave_waitlist(as_actor(world.ben), entry.id).status is WaitStatus.CANCELED

    assert world.again(offer).status is BookingStatus.CANCELED
    assert leave_waitlist(as_actor(world.ben), entry.id).status is WaitStatus.CANCELED
    with refused("not_found"):
        leave_waitlist(as_actor(world.ann), entry.id)


def test_a_wait_whose_time_has_passed_is_over(world: World, waits: Waits, go_round: Round) -> None:
    entry = waits(world.ben, until_at=world.now + timedelta(hours=2))

    with clock.moved_by(timedelta(hours=3)):
        assert effective_status(entry, None, world.now) is WaitStatus.EXPIRED
        go_round()

    assert world.again(entry).status is WaitStatus.EXPIRED
    with refused("wait_is_over"):
        leave_waitlist(as_actor(world.ben), entry.id)


def test_what_cannot_be_waited_for(world: World, waits: Waits) -> None:
    now = world.now
    with refused("ends_before_start", code="wait_invalid"):
        waits(world.ben, from_at=now + timedelta(days=2), until_at=now + timedelta(days=1))
    with refused("in_the_past", "bad_lesson_minutes", code="wait_invalid"):
        waits(world.ben, from_at=now - timedelta(days=2), until_at=now - timedelta(days=1), lesson_minutes=540)
    with refused("too_long", code="wait_invalid"):
        waits(world.ben, until_at=now + timedelta(days=400))
    with refused("time_out_of_range", code="wait_invalid"):
        waits(world.ben, until_at=now.replace(year=9999))
    with refused("not_a_teacher"):
        waits(world.ben, teacher_id=world.ann.id)
    with policy.changed(WAITLIST_MAX_PER_STUDENT=1):
        waits(world.ben)
        with refused("too_many_waits"):
            waits(world.ben)


def test_two_rounds_at_once_make_one_offer(app: Flask, db: Session, world: World, waits: Waits) -> None:
    students = [world.person(name, Role.STUDENT) for name in ("Cleo", "Dan", "Eve")]
    for student in students:
        world.package(student)
        waits(student)
    slot_id = world.slot().id

    at_once(app, *[lambda: offer_slot(SYSTEM, slot_id)] * 4)

    assert db.scalar(text("SELECT count(*) FROM bookings WHERE status = 'hold'")) == 1
    assert db.scalar(text("SELECT count(*) FROM waitlist_entries WHERE status = 'offered'")) == 1
    assert checks.run_all(db) == []


def test_without_the_entrys_lock_one_who_left_would_be_offered_it(
    app: Flask, world: World, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.package(world.ben)
    entry, slot_id = waits(world.ben), world.slot().id
    real = facts.read_scene

    def leaves_meanwhile(*args: object, **more: object) -> object:
        if more.get("lock"):
            at_once(app, lambda: leave_waitlist(as_actor(world.ben), entry.id))
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(facts, "read_scene", leaves_meanwhile)
    assert offer_slot(SYSTEM, slot_id).offered_to is None
    assert world.again(entry).status is WaitStatus.CANCELED


def test_the_line_against_the_public(app: Flask, db: Session, world: World, waits: Waits) -> None:
    """A public slot (nothing kept it): the offer and somebody's hold at once, one of them wins."""
    world.package()
    world.package(world.ben)
    waits(world.ben)
    slot_id, ann = world.slot().id, as_actor(world.ann)

    results = at_once(app, lambda: offer_slot(SYSTEM, slot_id).offered_to, lambda: hold_slot(ann, slot_id))

    won = [each for each in done(results) if each is not None]
    assert len(won) == 1
    assert len(told_no(results)) <= 1
    assert db.scalar(text("SELECT count(*) FROM bookings WHERE status = 'hold'")) == 1
    assert checks.run_all(db) == []


def test_ten_wait_and_three_times_come_free(
    db: Session, world: World, waits: Waits, go_round: Round, app: Flask
) -> None:
    world.package(lessons=3)
    taken = [world.booking(world.slot(hours=hours)) for hours in (48, 60, 72)]
    line = [world.person(f"Waiter{number}", Role.STUDENT) for number in range(10)]
    for student in line:
        world.package(student)
    entries = [waits(student) for student in line]
    ann = as_actor(world.ann)

    at_once(app, *[lambda each=each: cancel_booking(ann, each.id) for each in taken])
    at_once(app, go_round, go_round)

    statuses = [world.again(entry).status for entry in entries]
    assert statuses.count(WaitStatus.OFFERED) == 3
    assert statuses[3:] == [WaitStatus.WAITING] * 7
    offered = {offer_of(world, entry).slot_id for entry in entries[:3]}
    assert offered == {each.slot_id for each in taken}
    confirm_booking(as_actor(line[0]), offer_of(world, entries[0]).id)
    cancel_booking(as_actor(line[1]), offer_of(world, entries[1]).id)
    go_round()
    assert world.again(entries[0]).status is WaitStatus.FULFILLED
    assert world.again(entries[1]).status is WaitStatus.WAITING
    assert world.again(entries[3]).status is WaitStatus.OFFERED
    assert checks.run_all(db) == []


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ("until_at = from_at", "ck_waitlist_entries_in_order"),
        ("status = 'offered'", "ck_waitlist_entries_offer_has_booking"),
        ("lesson_minutes = 5", "ck_waitlist_entries_lesson_length"),
        ("teacher_id = student_id", "ck_waitlist_entries_two_people"),
    ],
)
def test_the_database_refuses_what_makes_no_sense(
    db: Session, world: World, waits: Waits, wrong: str, constraint: str
) -> None:
    entry = waits(world.ben)

    with refused_by(constraint):
        by_hand(db, f"UPDATE waitlist_entries SET {wrong} WHERE id = :id", id=entry.id)  # our own words
