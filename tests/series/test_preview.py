"""What the preview calls fine is booked, what it refuses is refused, for whatever school."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from guitaronline import checks, clock, policy
from guitaronline.booking.absences import create_closure, create_time_off
from guitaronline.booking.series import create_series, preview_series
from guitaronline.booking.series_moving import NewTime, move_series, preview_move_series
from guitaronline.booking.slots import block_slot
from guitaronline.errors import DomainError
from tests.conftest import empty
from tests.series.conftest import MONDAY, NEXT, lessons, wanted
from tests.series.test_create import THREE, WEEK
from tests.world import World, as_actor

OFFSETS = st.sampled_from([-45, -30, 0, 30, 60])
SCHOOL = st.fixed_dictionaries(
    {
        "packages": st.lists(
            st.tuples(st.integers(1, 4), st.sampled_from([None, 2, 4]), st.sampled_from([None, 60, 30])), max_size=3
        ),
        "slots": st.dictionaries(
            st.integers(0, 4), st.tuples(OFFSETS, st.sampled_from(["free", "blocked", "taken"])), max_size=3
        ),
        "busy": st.dictionaries(st.integers(0, 4), OFFSETS, max_size=2),
        "away": st.none() | st.integers(0, 4),
        "closed": st.none() | st.integers(0, 4),
        "limits": st.fixed_dictionaries(
            {
                "BOOKING_MAX_PER_TEACHER_DAY": st.sampled_from([0, 1]),
                "BOOKING_MAX_ACTIVE_PER_STUDENT": st.sampled_from([0, 3]),
                "BOOKING_FIRST_LESSON_FIRST": st.booleans(),
            }
        ),
        "skip": st.frozensets(st.integers(0, 4), max_size=3),
        "override": st.booleans(),
    }
)


def furnish(world: World, school: dict[str, Any]) -> None:
    """The school as it is drawn: every command may say no, then that part is not there."""
    for number, ends, minutes in school["packages"]:
        world.package(lessons=number, expires_at=THREE + ends * WEEK if ends else None, lesson_minutes=minutes)
    world.package(world.ben, lessons=20)
    for week, (offset, kind) in school["slots"].items():
        slot = world.slot(start_at=THREE + week * WEEK + timedelta(minutes=offset))
        if kind == "blocked":
            block_slot(as_actor(world.ada), slot.id, reason="repairs")
        if kind == "taken":
            world.booking(slot, world.ben)
    for week, offset in school["busy"].items():
        _busy(world, THREE + week * WEEK + timedelta(minutes=offset))
    if school["away"] is not None:
        start = THREE + school["away"] * WEEK
        create_time_off(as_actor(world.tom), teacher_id=world.tom.id, start_at=start, end_at=start + timedelta(hours=9))
    if school["closed"] is not None:
        day = NEXT + school["closed"] * WEEK
        create_closure(as_actor(world.ada), name="Closed", first_day=day, last_day=day)


def _busy(world: World, start: datetime) -> None:
    """Ann has a lesson with Tina then, if she has one to spend."""
    try:
        world.booking(world.slot(world.tina, start_at=start))
    except DomainError:
        return


SLOW = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(school=SCHOOL)
@SLOW
def test_fine_means_booked_and_refused_means_refused(db: Session, owner: Connection, school: dict[str, Any]) -> None:
    db.rollback()
    empty(owner)
    db.expunge_all()
    world = World()
    with clock.standing_at(MONDAY):
        furnish(world, school)
        skip = frozenset(NEXT + week * WEEK for week in school["skip"])
        wish = wanted(world, count=5, skip=skip, override=school["override"])
        with policy.changed(**school["limits"]):
            foreseen = preview_series(db, as_actor(world.sue), wish)
            expected = [reason.code for reason in foreseen.reasons]
            told: list[str] = []
            try:
                made = create_series(as_actor(world.sue), wanted=wish, reason="term")
                assert [each.start_at for each in made.bookings] == [
                    each.date.start_at for each in foreseen.dates if each.is_fine
                ]
                assert [each.package_id for each in made.bookings] == [
                    each.purse.id for each in foreseen.dates if each.is_fine and each.purse
                ]
            except DomainError as refusal:
                told = [reason.code for reason in refusal.reasons]
            assert told == expected
            assert checks.run_all(db) == []


@given(
    school=SCHOOL,
    weekday=st.integers(0, 3),
    hour=st.sampled_from([14, 15, 16]),
    cause=st.sampled_from(["student", "school"]),
)
@SLOW
def test_a_move_that_is_fine_is_done_and_one_that_is_not_is_refused(
    db: Session, owner: Connection, school: dict[str, Any], weekday: int, hour: int, cause: str
) -> None:
    db.rollback()
    empty(owner)
    db.expunge_all()
    world = World()
    with clock.standing_at(MONDAY):
        world.package(lessons=5)
        made = create_series(
            as_actor(world.sue),
            wanted=wanted(world, count=5, first_day=date(2026, 3, 3), at=THREE.time()),
            reason="term",
        ).series
        furnish(world, school)
        skip = frozenset(each.series_day for each in lessons(made) if each.series_day and each.series_day.isocalendar()[1] % 5 in school["skip"])  # fmt: skip
        to = NewTime(weekday, THREE.time().replace(hour=hour), skip=skip, cause=cause, override=school["override"])
        with policy.changed(**school["limits"]):
            foreseen = preview_move_series(db, as_actor(world.sue), made.id, to=to)
            expected = [reason.code for reason in foreseen.reasons]
            told: list[str] = []
            try:
                moved = move_series(as_actor(world.sue), made.id, to=to, reason="term")
                assert [each.start_at for each in moved.bookings] == [
                    each.date.start_at for each in foreseen.dates if each.is_fine
                ]
            except DomainError as refusal:
                told = [reason.code for reason in refusal.reasons]
            assert told == expected or (foreseen.problems and told == [each.code for each in foreseen.problems])
            assert checks.run_all(db) == []
