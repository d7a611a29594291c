"""What is offered is bookable, what is bookable is offered, and `explain` is never wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from guitaronline import clock, policy, unit_of_work
from guitaronline.actor import SYSTEM
from guitaronline.billing.service import freeze_package
from guitaronline.booking import facts, rules
from guitaronline.booking.queries import explain_slot, needs_decision, offered_slots, students_of_teacher
from guitaronline.booking.service import hold_slot
from guitaronline.booking.slots import block_slot, withdraw_slot
from guitaronline.errors import DomainError
from guitaronline.identity.service import deactivate_person
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher
from tests.booking.conftest import refused
from tests.conftest import empty
from tests.world import World, as_actor


def offered_ids(db: Session, now: datetime, **more: Any) -> list[UUID]:
    db.rollback()
    return [each.id for each in offered_slots(db, now=now, settings=policy.current(), **{"limit": 100, **more})]


def test_a_free_slot_is_explained_with_the_package_that_would_pay(db: Session, world: World) -> None:
    package, slot = world.package(), world.slot()
    explanation = explain_slot(db, as_actor(world.ann), slot.id)

    assert (explanation.bookable, explanation.reasons, explanation.package_id) == (True, [], package.id)


def test_every_reason_comes_with_what_would_help(db: Session, world: World) -> None:
    package = world.package(lesson_minutes=30)
    slot = world.slot(hours=0.5)
    block_slot(as_actor(world.tom), slot.id, reason="dentist")
    freeze_package(as_actor(world.ada), package.id, reason="ill")
    explanation = explain_slot(db, as_actor(world.ann), slot.id)

    assert [each.code for each in explanation.reasons] == [
        "slot_blocked",
        "too_short_notice",
        "package_frozen",
        "wrong_lesson_length",
    ]
    assert all(each.fix for each in explanation.reasons)
    assert explanation.reasons[2].facts["package"] == package.reference


def test_staff_ask_for_a_student_or_for_the_slot_alone(db: Session, world: World) -> None:
    slot = world.slot()
    world.package()
    ben = world.ben

    assert explain_slot(db, as_actor(world.sue), slot.id).bookable
    assert explain_slot(db, as_actor(world.sue), slot.id, student_id=world.ann.id).bookable
    assert [each.code for each in explain_slot(db, as_actor(world.sue), slot.id, student_id=ben.id).reasons] == [
        "no_lessons_left"
    ]


def test_who_may_not_book_is_told_so(db: Session, world: World) -> None:
    slot = world.slot()

    assert [each.code for each in explain_slot(db, as_actor(world.tom), slot.id).reasons] == ["not_allowed"]
    with refused("not_found"):
        explain_slot(db, as_actor(world.ann), slot.id, student_id=world.ben.id)
    with refused("not_found"):
        explain_slot(db, as_actor(world.ann), world.ann.id)


def test_lists_are_whole_and_in_order_page_by_page(db: Session, world: World) -> None:
    slots = [world.slot(teacher, hours=hours) for hours in (90, 50, 70) for teacher in (world.tom, world.tina)]
    pages: list[UUID] = []
    after = None
    for _ in range(4):
        page = offered_slots(db, now=world.now, settings=policy.current(), after=after, limit=2)
        pages += [each.id for each in page]
        after = (page[-1].start_at, page[-1].id) if page else None

    assert pages == [each.id for each in sorted(slots, key=lambda slot: (slot.start_at, slot.id))]


def test_the_list_can_be_narrowed(db: Session, world: World) -> None:
    early, late = world.slot(hours=50), world.slot(hours=70)
    other = world.slot(world.tina, hours=60)
    now = world.now

    assert offered_ids(db, now, teacher_id=world.tom.id) == [early.id, late.id]
    assert offered_ids(db, now, start_from=other.start_at) == [other.id, late.id]
    assert offered_ids(db, now, start_to=other.start_at) == [early.id]


def test_a_lapsed_hold_is_offered_again_before_any_sweep(db: Session, world: World) -> None:
    world.package()
    slot = world.slot()
    world.hold(slot)

    assert offered_ids(db, world.now) == []
    with clock.moved_by(timedelta(minutes=11)):
        assert offered_ids(db, world.now) == [slot.id]


def test_bookings_of_a_disabled_teacher_need_a_decision(db: Session, world: World) -> None:
    world.package()
    world.booking(world.slot(world.tina, hours=60))
    later, sooner = world.booking(world.slot(hours=70)), world.booking(world.slot(hours=50))
    profile = profile_of(db, world.tom.id)
    assert profile
    disable_teacher(as_actor(world.sue), profile.id, reason="ill")

    assert [each.id for each in needs_decision(db, world.now)] == [sooner.id, later.id]


def test_a_teacher_sees_whom_they_teach(db: Session, world: World) -> None:
    world.package()
    world.package(world.ben)
    first = world.booking(world.slot(hours=50))
    world.booking(world.slot(hours=70))
    world.booking(world.slot(hours=60), world.ben)
    world.booking(world.slot(world.tina, hours=90))

    found = students_of_teacher(db, world.tom.id, now=world.now)

    assert [(each.full_name, each.lessons) for each in found] == [("Ann", 2), ("Ben", 1)]
    assert found[0].next_start_at == first.start_at


SLOT = st.fixed_dictionaries(
    {
        "hours": st.sampled_from([0.5, 1, 1.5, 24, 24.5, 25, 26, 24 * 56, 24 * 57]),
        "minutes": st.sampled_from([30, 60, 90]),
        "teacher": st.sampled_from(["tom", "tina"]),
        "fate": st.sampled_from(
            ["", "", "", "blocked", "withdrawn", "held by ben", "held by ann", "held and lapsed", "booked by ann"]
        ),
    }
)
SCHOOL = st.fixed_dictionaries(
    {
        "slots": st.lists(SLOT, min_size=2, max_size=5),
        "packages": st.lists(
            st.tuples(st.integers(1, 3), st.sampled_from([None, 30, 60]), st.sampled_from([None, 20, 30, 24 * 60])),
            max_size=2,
        ),
        "tina": st.booleans(),
        "ann": st.sampled_from([True, True, True, False]),
        "limits": st.sampled_from(
            [
                {},
                {},
                {"BOOKING_MAX_ACTIVE_PER_STUDENT": 1},
                {"BOOKING_MAX_PER_TEACHER_DAY": 1},
                {"BOOKING_MAX_LIVE_HOLDS": 1},
            ]
        ),
    }
)


def built(world: World, school: dict[str, Any]) -> list[UUID]:
    """The school, as far as the commands allow it."""
    for lessons, minutes, hours in school["packages"]:
        world.package(lessons=lessons, lesson_minutes=minutes, expires_at=hours and world.now + timedelta(hours=hours))
    world.package(world.ben, lessons=9)
    slots = []
    for wish in school["slots"]:
        try:
            slot = world.slot(getattr(world, wish["teacher"]), hours=wish["hours"], minutes=wish["minutes"])
        except DomainError:
            continue
        slots.append(slot.id)
        seal(world, slot, wish["fate"])
    if not school["tina"]:
        profile = profile_of(unit_session(), world.tina.id)
        assert profile
        disable_teacher(as_actor(world.ada), profile.id, reason="ill")
    if not school["ann"]:
        deactivate_person(SYSTEM, world.ann.id, reason="gone")
    return slots


def seal(world: World, slot: Any, fate: str) -> None:
    ada = as_actor(world.ada)
    try:
        match fate:
            case "blocked":
                block_slot(ada, slot.id, reason="x")
            case "withdrawn":
                withdraw_slot(ada, slot.id, reason="x")
            case "held by ben":
                hold_slot(ada, slot.id, student_id=world.ben.id, hold_minutes=60)
            case "held by ann":
                hold_slot(ada, slot.id, student_id=world.ann.id, hold_minutes=60)
            case "held and lapsed":
                world.hold(slot)
            case "booked by ann":
                world.booking(slot)
    except DomainError:
        return


def unit_session() -> Session:
    from guitaronline.db import session

    return session()


@pytest.mark.parametrize("way", ["shortcut", "command"])
def test_offered_is_bookable(db: Session, owner: Connection, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """For any small school: the list holds exactly the slots that the rule has nothing against, and for one student
    `explain` says yes exactly when the hold succeeds, and otherwise the very reasons of the refusal."""
    if way == "command":
        monkeypatch.setattr(unit_of_work, "_try_shortcut", lambda work, shortcut: None)

    @settings(
        max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
    )
    @given(school=SCHOOL)
    def check(school: dict[str, Any]) -> None:
        db.rollback()
        empty(owner)
        db.expunge_all()
        world = World()
        slots = built(world, school)
        with policy.changed(**school["limits"]), clock.standing_at(world.now + timedelta(minutes=11)):
            now = clock.read(db)
            bookable = [each for each in slots if not slot_level(db, each, now)]
            assert sorted(offered_ids(db, now)) == sorted(bookable)
            for slot_id in slots:
                explanation = explain_slot(db, as_actor(world.ann), slot_id)
                db.rollback()
                told = [each.code for each in explanation.reasons]
                assert told == tried(world, slot_id)
                assert explanation.bookable == (told == [])

    check()


def slot_level(db: Session, slot_id: UUID, now: datetime) -> list[str]:
    place = facts.read_place(db, slot_id, now=now)
    active = facts.read_active(db, slot_id=slot_id, student_id=None, now=now)
    live = [each for each in active if not rules.is_lapsed(each, now)]
    return [each.code for each in rules.slot_problems(place, live, now=now, settings=policy.current())]


def tried(world: World, slot_id: UUID) -> list[str]:
    """Why Ann could not hold the slot; empty when she did."""
    try:
        hold_slot(as_actor(world.ann), slot_id)
    except DomainError as refusal:
        return [each.code for each in refusal.reasons]
    return []
