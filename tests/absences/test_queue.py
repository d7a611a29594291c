"""No booking inside an absence is forgotten: it is kept in spite of just that absence, or it waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.booking import waiting
from guitaronline.booking.absence_rules import school_day
from guitaronline.booking.absences import cancel_closure, cancel_time_off, create_closure, create_time_off
from guitaronline.booking.deciding import decide_booking
from guitaronline.booking.decisions import Way
from guitaronline.booking.impact import undecided, whys
from guitaronline.booking.models import Booking
from guitaronline.booking.queries import needs_decision
from guitaronline.db import session
from guitaronline.scheduling.hours_models import Closure, TimeOff
from tests.absences.conftest import HOUR, away, queue
from tests.statements import statements
from tests.world import World, as_actor

Lessons = list[Booking]


@dataclass(frozen=True)
class Planned:
    """An absence of a random school: of Tom, of Tina, or (None) a day on which the school is closed."""

    who: int | None
    first: int  # quarters of an hour from the first lesson
    quarters: int
    kept: frozenset[int]  # of the lessons, by number
    is_canceled: bool


PLANNED = st.builds(
    Planned,
    st.sampled_from([0, 1, None]),
    st.integers(-30, 30),
    st.integers(1, 40),
    st.frozensets(st.integers(0, 5)),
    st.booleans(),
)


@pytest.fixture
def lessons(world: World) -> Lessons:
    """Three with Tom and three with Tina, one after the other."""
    world.package(lessons=9)
    start = world.now + 48 * HOUR
    teachers = [world.tom, world.tina] * 3
    return [world.booking(world.slot(each, start_at=start + n * 2 * HOUR)) for n, each in enumerate(teachers)]


def made(world: World, each: Planned, lessons: Lessons) -> TimeOff | Closure:
    start = lessons[0].start_at + each.first * HOUR / 4
    if each.who is None:
        day = school_day(start)
        return create_closure(as_actor(world.ada), name="Holiday", first_day=day, last_day=day)
    teacher = [world.tom, world.tina][each.who]
    end = start + each.quarters * HOUR / 4
    return create_time_off(as_actor(world.ada), teacher_id=teacher.id, start_at=start, end_at=end)


def kept_where_possible(each: Planned, lessons: Lessons, expected: dict[int, set[UUID]]) -> None:
    """Each of the lessons that waits is kept, in spite of all that stands against it now."""
    for number in each.kept & set(expected):
        decide_booking(SYSTEM, lessons[number].id, decision=Way.KEEP, reason="agreed")
        del expected[number]


def touches(absence: TimeOff | Closure, lesson: Booking) -> bool:
    """Said again, by the minute: some minute of the lesson is one of the absence."""
    minutes = [lesson.start_at + timedelta(minutes=n) for n in range(60)]
    is_theirs = isinstance(absence, Closure) or absence.teacher_id == lesson.teacher_id
    return is_theirs and any(absence.start_at <= minute < absence.end_at for minute in minutes)


def called_off(absence: TimeOff | Closure) -> None:
    if isinstance(absence, Closure):
        cancel_closure(SYSTEM, absence.id)
    else:
        cancel_time_off(SYSTEM, absence.id)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(school=st.lists(PLANNED, max_size=4))
def test_no_booking_is_forgotten(world: World, lessons: Lessons, school: list[Planned]) -> None:
    waits: dict[int, set[UUID]] = {}
    planned = []
    for each in school:
        absence = made(world, each, lessons)
        touched = [number for number, lesson in enumerate(lessons) if touches(absence, lesson)]
        for number in touched if not each.is_canceled else ():
            waits.setdefault(number, set()).add(absence.id)
        called_off(absence) if each.is_canceled else planned.append(absence)
        kept_where_possible(each, lessons, waits)

    session().rollback()
    found = whys(session(), lessons, world.now)
    assert queue(world) == {lessons[number].id for number in waits}
    assert {each.id for each in lessons if undecided(found[each.id])} == queue(world)
    assert [each.id for each in needs_decision(session(), world.now)] == [lessons[n].id for n in sorted(waits)]

    for absence in planned:
        called_off(absence)
    assert queue(world) == set()


def test_what_has_begun_or_lapsed_waits_no_more(world: World) -> None:
    world.package()
    booked, held = world.booking(world.slot(hours=48)), world.hold(world.slot(hours=49))
    away(world)
    begins, lapses = booked.start_at, held.hold_expires_at
    assert lapses

    assert queue(world, lapses - timedelta(seconds=1)) == {booked.id, held.id}
    assert queue(world, lapses) == {booked.id}
    assert queue(world, begins) == set()


def test_since_when_it_waits(db: Session, world: World) -> None:
    world.package()
    booked = world.booking(world.slot(hours=48))
    off = away(world)

    since: datetime | None = db.scalar(select(waiting.undecided_since()).where(Booking.id == booked.id))

    assert since == off.created_at


def test_an_impact_of_many_takes_few_statements(
    db: Session,
    world: World,
    lessons: Lessons,
) -> None:
    away(world, 40, 70)
    db.rollback()

    with statements() as seen:
        whys(db, lessons, world.now)

    assert len([each for each in seen if each.startswith("SELECT") and "clock_timestamp" not in each]) <= 6
