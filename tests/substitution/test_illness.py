"""A full day of an ill teacher: the time off is saved at once, each lesson has its decision, and most of it can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.booking.absences import create_time_off
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.queries import explain_slot, needs_decision
from guitaronline.booking.service import cancel_booking
from guitaronline.errors import NotAllowed
from guitaronline.identity.models import User
from guitaronline.office import bulk, bulk_forecast
from guitaronline.office.bulk_models import BulkRun
from guitaronline.office.illness import ACTION, IllReport, affected_lessons, arguments_of, report_ill
from guitaronline.scheduling.hours_models import TimeOff
from guitaronline.scheduling.models import Slot
from tests.booking.conftest import refused
from tests.office.bulk import carried_out, rows, states, undo
from tests.substitution.conftest import same_time
from tests.world import World, as_actor

WHY = "Tom has a fever"
CANCEL, KEEP, LATER = {"way": "cancel"}, {"way": "keep"}, {"way": "later"}
Rows = Mapping[UUID, Mapping[str, str]]


@pytest.fixture
def day(world: World) -> list[Booking]:
    """Ann's three lessons with Tom, three hours apart; Tina teaches too."""
    world.package(lessons=9)
    assert world.tina
    return [world.booking(world.slot(hours=hours)) for hours in (30, 33, 36)]


def to(teacher: User) -> dict[str, str]:
    return {"way": "substitute", "teacher_id": str(teacher.id)}


def onto(slot: Slot) -> dict[str, str]:
    return {"way": "move", "new_slot_id": str(slot.id)}


def foreseen(db: Session, world: World, day: list[Booking], chosen: Rows) -> list[bulk_forecast.Forecast]:
    arguments = arguments_of(world.tom.id, *span(day), chosen)
    ids = [UUID(each) for each in arguments["rows"]]
    found = bulk.foresee(db, as_actor(world.sue), ACTION, ids, arguments=arguments, now=clock.read(db))
    db.rollback()
    return found


def span(day: list[Booking]) -> tuple[datetime, datetime]:
    return day[0].start_at - timedelta(hours=1), day[-1].end_at + timedelta(hours=1)


def report(db: Session, world: World, day: list[Booking], chosen: Rows, *, digest: str | None = None) -> IllReport:
    """What was looked at is agreed to."""
    start, end = span(day)
    arguments = arguments_of(world.tom.id, start, end, chosen)
    forecasts = foreseen(db, world, day, chosen)
    return report_ill(
        as_actor(world.sue),
        teacher_id=world.tom.id,
        start_at=start,
        end_at=end,
        rows=chosen,
        digest=digest if digest is not None else bulk_forecast.digest(ACTION, arguments, forecasts),
        seen=bulk_forecast.marks(forecasts),
        reason=WHY,
    )


def done(db: Session, world: World, day: list[Booking], chosen: Rows) -> BulkRun:
    run = report(db, world, day, chosen).run
    assert run is not None
    return carried_out(run)


def waiting(db: Session) -> set[UUID]:
    db.rollback()
    return {each.id for each in needs_decision(db, clock.read(db))}


def test_each_lesson_gets_its_decision(db: Session, world: World, day: list[Booking]) -> None:
    first, second, third = day

    run = done(db, world, day, {first.id: to(world.tina), second.id: CANCEL, third.id: KEEP})

    assert (run.succeeded, run.refused, states(run)) == (3, 0, ["done"] * 3)
    assert world.again(first).teacher_id == world.tina.id
    assert (world.again(second).status, world.again(second).refund_returned) == (BookingStatus.CANCELED, True)
    assert (world.again(third).status, world.again(third).teacher_id) == (BookingStatus.CONFIRMED, world.tom.id)
    assert waiting(db) == set()


def test_from_the_moment_it_is_saved_nothing_is_offered_and_every_lesson_waits(
    db: Session, world: World, day: list[Booking]
) -> None:
    free = world.slot(start_at=day[0].end_at)

    report(db, world, day, {day[0].id: to(world.tina), day[1].id: CANCEL, day[2].id: LATER})

    assert [each.code for each in explain_slot(db, as_actor(world.sue), free.id).reasons] == ["teacher_away"]
    assert waiting(db) == {each.id for each in day}


def test_what_is_left_for_later_waits_and_needs_no_run(db: Session, world: World, day: list[Booking]) -> None:
    made = report(db, world, day, {each.id: LATER for each in day})

    assert made.run is None
    assert db.scalars(select(TimeOff.id)).one() == made.time_off.id
    assert waiting(db) == {each.id for each in day}


def test_a_lesson_moves_to_the_slot_that_was_chosen(db: Session, world: World, day: list[Booking]) -> None:
    target = world.slot(world.tina, hours=60)

    done(db, world, day, {day[0].id: onto(target), day[1].id: LATER, day[2].id: LATER})

    moved = db.scalars(select(Booking).where(Booking.rescheduled_from_booking_id == day[0].id)).one()
    assert (moved.slot_id, world.again(day[0]).cancel_cause) == (target.id, "teacher")


def test_two_rows_are_not_promised_the_same_slot(db: Session, world: World, day: list[Booking]) -> None:
    target = world.slot(world.tina, hours=60)

    found = foreseen(db, world, day, {day[0].id: onto(target), day[1].id: onto(target)})

    assert [(each.is_possible, each.code) for each in found] == [(True, "move"), (False, "slot_taken")]


def test_a_student_is_not_promised_two_lessons_at_once(db: Session, world: World, day: list[Booking]) -> None:
    target = world.slot(world.tina, hours=60)
    other = world.slot(world.person("Tim", world.tom.role), start_at=target.start_at)

    found = foreseen(db, world, day, {day[0].id: onto(target), day[1].id: onto(other)})

    assert [each.code for each in found] == ["move", "student_busy"]


def test_a_full_day_of_the_substitute_is_seen_beforehand(db: Session, world: World) -> None:
    with clock.standing_at((world.now + timedelta(days=1)).replace(hour=1, minute=0, second=0)):
        world.package(lessons=9)
        assert world.tina
        day = [world.booking(world.slot(hours=hours)) for hours in (3, 6)]
        with policy.changed(BOOKING_MAX_PER_TEACHER_DAY=1):
            found = foreseen(db, world, day, {each.id: to(world.tina) for each in day})

    assert [each.code for each in found] == ["substitute", "teacher_day_full"]


def test_what_was_foreseen_is_what_happens(db: Session, world: World, day: list[Booking]) -> None:
    world.slot(world.tina, start_at=day[1].start_at + timedelta(minutes=30))
    chosen = {day[0].id: to(world.tina), day[1].id: to(world.tina), day[2].id: CANCEL}
    before = [each.is_possible for each in foreseen(db, world, day, chosen)]

    run = done(db, world, day, chosen)

    assert before == [True, False, True]
    assert states(run) == ["done", "refused", "done"]
    assert waiting(db) == {day[1].id}


def test_a_preview_that_does_not_hold_any_more_saves_nothing(db: Session, world: World, day: list[Booking]) -> None:
    chosen = {each.id: CANCEL for each in day}
    arguments = arguments_of(world.tom.id, *span(day), chosen)
    digest = bulk_forecast.digest(ACTION, arguments, foreseen(db, world, day, chosen))
    cancel_booking(as_actor(world.ann), day[0].id)

    with pytest.raises(bulk.PreviewStale):
        report(db, world, day, chosen, digest=digest)
    assert db.scalars(select(TimeOff.id)).all() == []


def test_a_lesson_outside_the_time_is_not_decided_about(db: Session, world: World, day: list[Booking]) -> None:
    with pytest.raises(bulk.PreviewStale):
        report(db, world, day[:1], {day[2].id: CANCEL})


def test_it_is_undone_within_ten_minutes_as_far_as_it_can(db: Session, world: World, day: list[Booking]) -> None:
    package_id, old = day[0].package_id, day[0].slot_id
    other = world.booking(world.slot(hours=39))
    target = world.slot(world.tina, hours=60)
    first, second, third, fourth = day = [*day, other]
    run = done(db, world, day, {first.id: to(world.tina), second.id: CANCEL, third.id: KEEP, fourth.id: onto(target)})

    back = carried_out(undo(as_actor(world.sue), run))

    assert sorted(states(back)) == ["done", "done", "done", "refused"]
    assert [each.code for each in rows(back) if each.status.value == "refused"] == ["stays_moved"]
    assert (world.again(first).teacher_id, world.again(first).slot_id) == (world.tom.id, old)
    again = db.scalars(select(Booking).where(Booking.restored_from_booking_id == second.id)).one()
    assert (again.status, again.teacher_id, again.package_id) == (BookingStatus.CONFIRMED, world.tom.id, package_id)
    assert waiting(db) == {first.id, again.id, third.id}
    assert back.undo_until is None


def test_after_ten_minutes_it_stays(db: Session, world: World, day: list[Booking]) -> None:
    run = done(db, world, day, {day[0].id: CANCEL, day[1].id: LATER, day[2].id: LATER})

    with clock.moved_by(timedelta(minutes=11)), pytest.raises(bulk.UndoTooLate):
        undo(as_actor(world.sue), run)


def test_the_best_substitute_is_proposed_else_a_cancellation_with_credit(
    db: Session, world: World, day: list[Booking]
) -> None:
    same_time(world, day[1], world.tina)
    create_time_off(
        as_actor(world.ada),
        teacher_id=world.tina.id,
        start_at=day[2].start_at,
        end_at=day[2].end_at,
    )

    found = affected_lessons(db, world.tom.id, *span(day), clock.read(db))

    assert [each.proposed for each in found] == [
        ("substitute", world.tina.id),
        ("substitute", world.tina.id),
        ("cancel", None),
    ]


def test_the_teachers_own_slots_inside_the_time_are_not_offered(db: Session, world: World, day: list[Booking]) -> None:
    world.slot(start_at=day[0].end_at)
    after = world.slot(hours=50)

    found = affected_lessons(db, world.tom.id, *span(day), clock.read(db))

    assert [each.slot_id for each in found[0].slots] == [after.id]


def test_only_who_manages_slots_reports_somebody_ill(db: Session, world: World, day: list[Booking]) -> None:
    start, end = span(day)
    for_finance = {
        "teacher_id": world.tom.id,
        "start_at": start,
        "end_at": end,
        "rows": {},
        "digest": "",
        "reason": WHY,
    }

    with pytest.raises(NotAllowed):
        report_ill(as_actor(world.finn), **for_finance)  # type: ignore[arg-type]


def test_what_cannot_be_read_is_refused_in_words(db: Session, world: World, day: list[Booking]) -> None:
    with refused("not_a_decision", code="bulk_invalid"):
        foreseen(db, world, day, {day[0].id: {"way": "sing"}})
    with refused("not_a_decision", code="bulk_invalid"):
        foreseen(db, world, day, {day[0].id: {"way": "move", "new_slot_id": "tomorrow"}})
