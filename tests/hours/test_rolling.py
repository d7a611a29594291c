"""The job: every teacher's next day becomes slots, whoever changed is looked at as a whole, and nothing is done twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from guitaronline import checks, clock
from guitaronline.actor import SYSTEM
from guitaronline.audit.models import AuditAction, OutboxEvent
from guitaronline.booking import horizon
from guitaronline.booking.absences import cancel_closure, create_closure
from guitaronline.booking.horizon import NOTHING_IS_KNOWN, set_hours
from guitaronline.booking.rolling import Run, due_teachers, extend_due, extend_horizons, put_off
from guitaronline.booking.service import cancel_booking, expire_holds
from guitaronline.booking.slots import withdraw_slot
from guitaronline.identity.people import edit_person
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher, enable_teacher
from jobs import scheduling
from jobs.schedule import TIMETABLE
from tests.booking.test_crash import DIED, DONE, everything, in_a_child
from tests.concurrency import at_once, refused
from tests.hours.conftest import MONDAY, bookkeeping, give_hours, standing
from tests.hours.planning import DAY, all_week, window
from tests.statements import statements
from tests.world import World, as_actor

pytestmark = pytest.mark.usefixtures("monday")
DAILY = all_week("15:00", "16:00")


def tick(later: timedelta = timedelta()) -> Run:
    """One run of the job, so much later than Monday morning."""
    with clock.standing_at(MONDAY + later):
        return extend_due(seconds=60)


def due(db: Session, later: timedelta = timedelta()) -> list[Any]:
    db.rollback()
    return due_teachers(db, MONDAY + later, limit=10)


def traces(db: Session) -> list[int | None]:
    db.rollback()
    return [db.scalar(select(func.count()).select_from(model)) for model in (AuditAction, OutboxEvent)]


def starts(db: Session) -> list[datetime]:
    return [each.start_at for each in standing(db)]


def test_the_next_day_is_made_when_one_has_passed(db: Session, world: World) -> None:
    give_hours(world, *DAILY)
    last = starts(db)[-1]

    assert tick(DAY) == Run(teachers=1, changed=1, made=1)

    assert starts(db)[-1] == last + DAY
    assert tick(DAY) == Run()
    assert tick(3 * DAY) == Run(teachers=1, changed=1, made=2)
    assert checks.run_all(db) == []


def test_nobody_is_due_before_their_own_midnight(db: Session, world: World) -> None:
    edit_person(as_actor(world.tom), world.tom.id, changes={"timezone": "America/New_York"})
    give_hours(world)

    midnight = datetime(2026, 3, 3, 5, tzinfo=UTC) - MONDAY
    assert due(db, midnight - timedelta(seconds=1)) == []
    assert [each.teacher_id for each in due(db, midnight)] == [world.tom.id]


def test_a_run_with_nothing_to_make_leaves_no_trace_and_asks_again_the_next_day(db: Session, world: World) -> None:
    give_hours(world)  # Mondays: there is none among the days that come into reach
    before = traces(db)

    assert tick(DAY) == Run(teachers=1)

    assert traces(db) == before
    assert bookkeeping(db, world.tom).due_at == datetime(2026, 3, 4, tzinfo=UTC)
    assert bookkeeping(db, world.tom).until == (MONDAY + 58 * DAY).date()
    assert due(db, DAY) == []


def test_a_change_leaves_one_action_of_the_system_and_one_event_a_teacher(db: Session, world: World) -> None:
    give_hours(world, *DAILY)
    give_hours(world, *DAILY, teacher=world.tina)
    actions, events = traces(db)

    tick(DAY)

    assert traces(db) == [(actions or 0) + 1, (events or 0) + 2]


def test_a_new_zone_is_followed_at_the_next_tick(db: Session, world: World) -> None:
    give_hours(world)
    edit_person(as_actor(world.tom), world.tom.id, changes={"timezone": "Europe/Berlin"})

    done = tick(timedelta(minutes=1))

    assert (done.changed, done.made, done.removed) == (1, 27, 27)
    assert [each.hour for each in starts(db)[:3]] == [14, 15, 16]
    assert bookkeeping(db, world.tom).zone == "Europe/Berlin"
    assert tick(timedelta(minutes=1)) == Run()


def test_a_closure_and_its_end_are_followed_at_the_next_tick(db: Session, world: World) -> None:
    give_hours(world)
    before = starts(db)
    closure = create_closure(as_actor(world.ada), name="Carnival", first_day=MONDAY.date(), last_day=MONDAY.date())

    assert (tick().removed, starts(db)) == (3, before[3:])
    assert tick() == Run()
    cancel_closure(as_actor(world.ada), closure.id)
    assert (tick().made, starts(db)) == (3, before)


def test_a_teacher_who_is_not_active_is_left_alone_until_they_are(db: Session, world: World) -> None:
    give_hours(world, *DAILY)
    profile = profile_of(db, world.tom.id)
    assert profile
    disable_teacher(as_actor(world.ada), profile.id, reason="on leave")

    assert (due(db, 3 * DAY), tick(3 * DAY)) == ([], Run())
    assert extend_horizons(SYSTEM, teacher_ids=[world.tom.id]).done == []
    enable_teacher(as_actor(world.ada), profile.id, reason="back again")
    assert tick(3 * DAY).made == 3


def test_a_slot_that_was_only_held_goes_once_the_hold_has_lapsed(db: Session, world: World) -> None:
    give_hours(world)
    world.package()
    held = world.hold(standing(db)[0])
    give_hours(world, window(2, "10:00", "11:00"))
    assert held.start_at in starts(db)

    with clock.standing_at(MONDAY + timedelta(minutes=11)):
        expire_holds(SYSTEM)
    assert tick(timedelta(minutes=14)) == Run()

    assert tick(timedelta(minutes=15)).removed == 1
    assert held.start_at not in starts(db)
    assert bookkeeping(db, world.tom).until == (MONDAY + 57 * DAY).date()


def test_a_slot_that_was_booked_goes_within_minutes_of_the_cancellation(db: Session, world: World) -> None:
    give_hours(world)
    world.package()
    booked = world.booking(standing(db)[0])
    give_hours(world, window(2, "10:00", "11:00"))
    assert tick(timedelta(minutes=15)) == Run(teachers=1)

    cancel_booking(as_actor(world.ann), booked.id)

    assert tick(timedelta(minutes=30)).removed == 1


def test_the_place_of_a_slot_made_by_hand_is_filled_once_that_is_gone(db: Session, world: World) -> None:
    by_hand = world.slot(start_at=MONDAY + timedelta(hours=7, minutes=30))
    give_hours(world)
    assert [each.minute for each in starts(db)[:2]] == [30, 0]

    withdraw_slot(as_actor(world.ada), by_hand.id, reason="a mistake")

    assert tick(timedelta(minutes=15)).made == 2


def test_the_long_pause_of_a_lesson_that_is_over_still_keeps_others_away(db: Session, world: World) -> None:
    with clock.standing_at(MONDAY - timedelta(hours=20)):
        give_hours(world, window(0, "00:00", "04:00", 240, 240))
    with clock.standing_at(MONDAY - timedelta(hours=2)):
        made = give_hours(world, window(0, "07:00", "09:00")).plan

    assert made.make[0].start_at == MONDAY
    assert [(each.local.hour, each.code) for each in made.skipped] == [(7, "overlaps_slot")]
    assert [each.stays_because for each in made.kept] == ["begun"]


def test_what_was_withdrawn_by_hand_stays_away_night_after_night(db: Session, world: World) -> None:
    give_hours(world)
    withdraw_slot(as_actor(world.ada), standing(db)[0].id, reason="not this week")
    before = starts(db)

    assert (tick().made, tick(DAY).made) == (0, 0)
    with clock.standing_at(MONDAY + timedelta(hours=1)):
        horizon.regenerate_slots(as_actor(world.ada), world.tom.id)

    assert starts(db) == before


def test_hours_that_were_taken_away_leave_nothing_behind_once_the_last_booking_ends(db: Session, world: World) -> None:
    give_hours(world)
    world.package()
    booked = world.booking(standing(db)[0])
    set_hours(as_actor(world.ada), world.tom.id, windows=[])
    cancel_booking(as_actor(world.ann), booked.id)

    assert tick(timedelta(minutes=15)).removed == 1
    assert standing(db) == []


@pytest.mark.breaks_invariants
def test_one_teacher_who_cannot_be_done_keeps_nobody_from_theirs(db: Session, world: World, owner: Any) -> None:
    give_hours(world, *DAILY)
    give_hours(world, *DAILY, teacher=world.tina)
    with owner.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE users SET timezone = 'Mars/Olympus', version = version WHERE id = %s", (str(world.tom.id),)
        )
        cursor.execute("SET session_replication_role = origin")

    assert tick(DAY) == Run(teachers=1, changed=1, made=1, failed=1)
    assert [each.teacher_id for each in due(db, DAY)] == [world.tom.id]


def test_the_job_stands_in_the_timetable_and_counts_who_changed(db: Session, world: World) -> None:
    give_hours(world, *DAILY)

    with clock.standing_at(MONDAY + DAY):
        assert scheduling.extend_horizons() == 1
    assert "scheduling.extend_horizons" in {each.name for each in TIMETABLE}


def test_a_run_has_an_end_and_the_rest_is_still_due(db: Session, world: World) -> None:
    give_hours(world, *DAILY)

    with clock.standing_at(MONDAY + DAY):
        assert extend_due(seconds=0) == Run()
    assert len(due(db, DAY)) == 1


def test_nobody_is_put_off_who_was_asked_about_anew(db: Session, world: World) -> None:
    """A closure is saved between the look, which found nothing to do, and the note of it."""
    give_hours(world)
    with clock.standing_at(MONDAY + DAY):
        found = due(db, DAY)
        looked = extend_horizons(SYSTEM, teacher_ids=[world.tom.id])
        create_closure(
            as_actor(world.ada), name="Strike", first_day=(MONDAY + 7 * DAY).date(), last_day=(MONDAY + 7 * DAY).date()
        )

        put_off(found, looked.done)

        assert bookkeeping(db, world.tom).until == NOTHING_IS_KNOWN
        assert extend_due(seconds=60).removed == 3


def test_the_statements_do_not_grow_with_the_teachers(db: Session, world: World) -> None:
    give_hours(world, *DAILY)
    with statements() as one:
        assert tick(DAY).made == 1
    give_hours(world, *DAILY, teacher=world.tina)
    with statements() as two:
        assert tick(2 * DAY).made == 3

    assert len(two) == len(one)


def test_two_runs_at_once_are_one(app: Flask, db: Session, world: World) -> None:
    give_hours(world, *DAILY)
    give_hours(world, *DAILY, teacher=world.tina)

    with clock.standing_at(MONDAY + DAY):
        results = at_once(app, *[lambda: extend_due(seconds=60)] * 2)

    assert (refused(results), sum(each.made for each in results)) == ([], 2)
    assert checks.run_all(db) == []


def test_a_run_that_dies_at_any_statement_leaves_nothing_or_all_of_it(db: Session, world: World) -> None:
    give_hours(world, *DAILY)
    set_due(db)
    before = everything(db)

    deaths = 0
    while True:
        ended, _ = in_a_child(db, lambda: extend_due(seconds=60), dies_at=deaths + 1)
        if ended == DONE:
            break
        assert ended == DIED
        deaths += 1
        assert everything(db) == before

    assert deaths > 5
    assert [each.teacher_id for each in due_teachers(db, clock.read(db), limit=5)] == []


def set_due(db: Session) -> None:
    """As if the hours had been given and no slot had been made since."""
    db.rollback()
    db.execute(text("UPDATE horizons SET due_at = '2020-01-01 00:00+00', until = '2026-03-05'"))
    db.commit()
