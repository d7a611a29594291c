"""Somebody else gives the lesson: the booking keeps its id, its slot and teacher change, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.audit.models import AuditAction, OutboxEvent
from guitaronline.booking.absences import create_closure, create_time_off
from guitaronline.booking.horizon import set_hours
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.queries import explain_slot
from guitaronline.booking.restoring import restore_booking
from guitaronline.booking.service import cancel_booking
from guitaronline.booking.slots import block_slot
from guitaronline.booking.substitutes import preview_substitution
from guitaronline.booking.substitution import substitute_booking, take_back_substitution
from guitaronline.db import new_id
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.kpis import rollup
from guitaronline.lessons.models import LessonStatus
from guitaronline.lessons.service import set_join_url
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import Window
from guitaronline.teachers.service import disable_teacher
from tests.booking.conftest import refused
from tests.kpis.life import Life, counted, until_seen
from tests.substitution.conftest import WHY, describe, give, lesson_of, profile_id, same_time
from tests.world import World, as_actor

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
ROOM, OTHER_ROOM = "https://meet.example/tom", "https://meet.example/once"


def told(db: Session, booking: Booking) -> list[dict[str, str]]:
    query = select(OutboxEvent.payload).where(
        OutboxEvent.record_id == booking.id, OutboxEvent.topic == "booking.teacher_changed"
    )
    return list(db.scalars(query.order_by(OutboxEvent.id)))


def test_the_substitutes_open_slot_is_taken_and_the_booking_stays_the_same(
    db: Session, world: World, booked: Booking
) -> None:
    theirs = same_time(world, booked, world.tina)

    given = give(world, booked, world.tina)

    assert (given.id, given.reference, given.status) == (booked.id, booked.reference, BookingStatus.CONFIRMED)
    assert (given.slot_id, given.teacher_id, given.revision) == (theirs.id, world.tina.id, 2)
    assert (given.start_at, given.student_id, given.package_id) == (booked.start_at, world.ann.id, booked.package_id)
    assert given.substituted_from_id == world.tom.id
    lesson = lesson_of(db, booked)
    assert (lesson.teacher_id, lesson.status) == (world.tina.id, LessonStatus.SCHEDULED)


def test_without_an_open_slot_one_is_made(db: Session, world: World, booked: Booking) -> None:
    given = give(world, booked, world.tina)

    made = world.reloaded(Slot, given.slot_id)
    assert (made.teacher_id, made.start_at, made.end_at) == (world.tina.id, booked.start_at, booked.end_at)
    assert made.status is SlotStatus.OPEN


def test_student_and_both_teachers_can_be_told(db: Session, world: World, booked: Booking) -> None:
    give(world, booked, world.tina)

    assert told(db, booked) == [
        {"student_id": str(world.ann.id), "teacher_id": str(world.tina.id), "old_teacher_id": str(world.tom.id)}
    ]


def test_the_old_slot_is_free_again(db: Session, world: World, booked: Booking) -> None:
    old = booked.slot_id
    world.package(world.ben)
    give(world, booked, world.tina)

    assert explain_slot(db, as_actor(world.ben), old).bookable
    assert world.hold(world.reloaded(Slot, old), world.ben).slot_id == old


def test_the_old_slot_is_not_offered_while_its_teacher_is_away(db: Session, world: World, booked: Booking) -> None:
    old = booked.slot_id
    away(world, world.tom.id, booked)

    give(world, booked, world.tina)

    assert [each.code for each in explain_slot(db, as_actor(world.sue), old).reasons] == ["teacher_away"]


def away(world: World, teacher_id: object, booking: Booking) -> None:
    create_time_off(
        as_actor(world.ada),
        teacher_id=teacher_id,  # type: ignore[arg-type]
        start_at=booking.start_at - timedelta(hours=1),
        end_at=booking.end_at + timedelta(hours=1),
    )


def test_the_same_teacher_again_changes_nothing(db: Session, world: World, booked: Booking) -> None:
    first = give(world, booked, world.tina)
    before = (first.version, first.revision, first.slot_id)

    again = give(world, booked, world.tina)

    assert (again.version, again.revision, again.slot_id) == before
    assert len(told(db, booked)) == 1


def test_a_substitute_can_be_substituted_and_the_first_teacher_come_back(
    db: Session, world: World, booked: Booking
) -> None:
    tim = world.person("Tim", world.tom.role)
    first_slot = booked.slot_id

    chain = [give(world, booked, teacher).substituted_from_id for teacher in (world.tina, tim, world.tom)]

    assert chain == [world.tom.id, world.tom.id, None]
    back = world.again(booked)
    assert (back.slot_id, back.teacher_id, back.revision) == (first_slot, world.tom.id, 4)
    assert [each["old_teacher_id"] for each in told(db, booked)] == [
        str(world.tom.id),
        str(world.tina.id),
        str(tim.id),
    ]


def test_a_meeting_room_of_the_old_teacher_goes_and_one_of_the_lesson_stays(
    db: Session, world: World, booked: Booking
) -> None:
    describe(world, db, world.tom, meeting_url=ROOM)
    other = world.booking(world.slot(hours=60))
    set_join_url(as_actor(world.tom), lesson_of(db, booked).id, join_url=ROOM)
    set_join_url(as_actor(world.tom), lesson_of(db, other).id, join_url=OTHER_ROOM)

    give(world, booked, world.tina)
    give(world, other, world.tina)

    assert lesson_of(db, booked).join_url is None
    assert lesson_of(db, other).join_url == OTHER_ROOM


def test_a_lapsed_hold_on_the_slot_is_released(world: World, booked: Booking) -> None:
    package = world.package(world.ben)
    theirs = same_time(world, booked, world.tina)
    lapsed = world.hold(theirs, world.ben)

    with refused("slot_taken"):
        give(world, booked, world.tina)
    with clock.moved_by(timedelta(minutes=11)):
        given = give(world, booked, world.tina)

    assert given.slot_id == theirs.id
    assert world.again(lapsed).status is BookingStatus.EXPIRED
    assert world.again(package).available == 5


def test_short_notice_is_no_hindrance(world: World, booked: Booking) -> None:
    with clock.standing_at(booked.start_at - timedelta(seconds=1)):
        assert give(world, booked, world.tina).teacher_id == world.tina.id


def test_once_it_has_started_it_is_too_late(world: World, booked: Booking) -> None:
    with (
        clock.standing_at(booked.start_at),
        refused("lesson_already_started", code="cancellation_window_closed"),
    ):
        give(world, booked, world.tina)


def test_only_a_confirmed_booking_can_be_given_away(world: World, booked: Booking) -> None:
    held = world.hold(world.slot(hours=60))
    cancel_booking(as_actor(world.ann), booked.id)

    with refused("booking_not_confirmed"):
        give(world, held, world.tina)
    with refused("booking_canceled"):
        give(world, booked, world.tina)


def test_what_keeps_the_substitute_is_told_in_full(db: Session, world: World, booked: Booking) -> None:
    theirs = same_time(world, booked, world.tina)
    block_slot(as_actor(world.tina), theirs.id, reason="the dentist")
    away(world, world.tina.id, booked)
    create_closure(
        as_actor(world.ada), name="Holiday", first_day=booked.start_at.date(), last_day=booked.start_at.date()
    )
    disable_teacher(as_actor(world.ada), profile_id(db, world.tina), reason="gone")

    with refused("slot_blocked", "teacher_not_active", "teacher_away", "school_closed"):
        give(world, booked, world.tina)
    assert world.again(booked).teacher_id == world.tom.id


@pytest.mark.parametrize("minutes", [-30, 30])
def test_another_slot_across_the_time_is_in_the_way(world: World, booked: Booking, minutes: int) -> None:
    world.slot(world.tina, start_at=booked.start_at + timedelta(minutes=minutes))

    with refused("slot_overlap"):
        give(world, booked, world.tina)


def test_slots_that_only_touch_are_not_in_the_way(world: World, booked: Booking) -> None:
    world.slot(world.tina, start_at=booked.start_at - timedelta(hours=1))
    world.slot(world.tina, start_at=booked.end_at)

    assert give(world, booked, world.tina).teacher_id == world.tina.id


def test_the_pause_after_a_lesson_is_in_the_way(world: World) -> None:
    with clock.standing_at(MONDAY):
        one_lesson = Window(frozenset([0]), time(14), time(15), 60, 30)
        set_hours(as_actor(world.ada), world.tina.id, windows=[one_lesson])
        world.package()
        booking = world.booking(world.slot(start_at=MONDAY.replace(hour=15)))

        with refused("slot_overlap"):
            give(world, booking, world.tina)


def test_the_day_of_the_substitute_can_be_full(world: World, booked: Booking) -> None:
    world.package(world.ben)
    world.booking(world.slot(world.tina, start_at=booked.end_at), world.ben)

    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=1), refused("teacher_day_full"):
        give(world, booked, world.tina)
    with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=2):
        assert give(world, booked, world.tina).teacher_id == world.tina.id


def test_who_never_taught_or_does_not_exist_is_not_found(world: World, booked: Booking) -> None:
    with pytest.raises(NotFound):
        give(world, booked, world.sue)
    with pytest.raises(NotFound):
        substitute_booking(as_actor(world.sue), booked.id, teacher_id=new_id(), reason=WHY)


def test_only_staff_with_a_reason_give_bookings_away(world: World, booked: Booking) -> None:
    with pytest.raises(NotAllowed):
        substitute_booking(as_actor(world.ann), booked.id, teacher_id=world.tina.id, reason=WHY)
    with pytest.raises(NotFound):
        substitute_booking(as_actor(world.tom), booked.id, teacher_id=world.tina.id, reason=WHY)
    with pytest.raises(NotAllowed):
        substitute_booking(as_actor(world.finn), booked.id, teacher_id=world.tina.id, reason=WHY)
    with refused("reason_required", code="substitution_invalid"):
        substitute_booking(as_actor(world.sue), booked.id, teacher_id=world.tina.id, reason=" ")


def test_the_preview_says_what_the_command_says(db: Session, world: World, booked: Booking) -> None:
    sue = as_actor(world.sue)
    free = preview_substitution(db, sue, booked.id, teacher_id=world.tina.id)
    world.slot(world.tina, start_at=booked.start_at + timedelta(minutes=30))
    taken = preview_substitution(db, sue, booked.id, teacher_id=world.tina.id)
    same = preview_substitution(db, sue, booked.id, teacher_id=world.tom.id)

    assert free.reasons == []
    assert [each.code for each in taken.reasons] == ["slot_overlap"]
    assert [each.code for each in same.reasons] == ["same_teacher"]


def test_the_action_stands_in_the_audit_of_the_booking(db: Session, world: World, booked: Booking) -> None:
    give(world, booked, world.tina)

    action = db.scalars(select(AuditAction).where(AuditAction.name == "booking.substitute")).one()
    assert (action.record_id, action.actor_id, action.reason) == (booked.id, world.sue.id, WHY)


def test_a_canceled_substituted_booking_is_restored_with_its_substitute(world: World, booked: Booking) -> None:
    give(world, booked, world.tina)
    cancel_booking(as_actor(world.sue), booked.id, cause="school", reason="a mistake")

    again = restore_booking(as_actor(world.sue), booked.id, reason="it was one")

    assert (again.teacher_id, again.substituted_from_id) == (world.tina.id, world.tom.id)


def test_the_day_of_the_lesson_is_counted_anew(db: Session, world: World) -> None:
    life = Life(world)
    booking = life.booked(world.ann, life.package(world.ann, 50, lessons=5), lesson=(40, 12), made=45)
    assert [world.tina, world.sue]
    counted()

    with life.on(42):
        give(world, world.reloaded(Booking, booking.id), world.tina)

    until_seen(rollup.touch)
    assert life.day(40) in set(db.scalars(text("SELECT day FROM kpi_touched")))


def test_taking_it_back_leads_to_a_teacher_who_is_away(world: World, booked: Booking) -> None:
    old = booked.slot_id
    away(world, world.tom.id, booked)
    give(world, booked, world.tina)

    with refused("teacher_away"):
        give(world, booked, world.tom)
    back = take_back_substitution(as_actor(world.sue), booked.id, teacher_id=world.tom.id, reason="too early")

    assert (back.teacher_id, back.slot_id, back.substituted_from_id) == (world.tom.id, old, None)


def test_it_is_taken_back_only_to_somebody_who_had_it(world: World, booked: Booking) -> None:
    give(world, booked, world.tina)

    with refused("not_theirs_before"):
        take_back_substitution(
            as_actor(world.sue), booked.id, teacher_id=world.person("Tim", world.tom.role).id, reason="too early"
        )


def test_it_is_not_taken_back_when_the_old_slot_is_taken(world: World, booked: Booking) -> None:
    old = booked.slot_id
    world.package(world.ben)
    give(world, booked, world.tina)
    world.booking(world.reloaded(Slot, old), world.ben)

    with refused("slot_taken"):
        take_back_substitution(as_actor(world.sue), booked.id, teacher_id=world.tom.id, reason="too early")
