"""Slots one by one: who may, when, and never two at once."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import ANONYMOUS, Role
from guitaronline.audit.models import AuditAction, OutboxEvent
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.models import User
from guitaronline.identity.service import deactivate_person
from guitaronline.scheduling import queries
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.service import SlotInvalid, SlotOverlap, create_slot, unblock_slot
from guitaronline.states import IllegalMove
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.service import NotATeacher, TeacherNotActive, disable_teacher
from guitaronline.unit_of_work import Work, command
from tests.concurrency import at_once, done, refused
from tests.world import World, as_actor


@command("test.move_slot", on="availability_slots")
def move_slot(work: Work, slot_id: object, *, target: SlotStatus) -> Slot:
    slot = work.lock(Slot, slot_id)  # type: ignore[arg-type]
    work.move(slot, target)
    return slot


def profile_id(db: Session, teacher: User) -> UUID:
    return db.scalars(select(TeacherProfile.id).where(TeacherProfile.user_id == teacher.id)).one()


def test_a_teacher_makes_a_slot_of_their_own(world: World, db: Session) -> None:
    start = world.now + timedelta(hours=5)
    slot = create_slot(
        as_actor(world.tom), teacher_id=world.tom.id, start_at=start, end_at=start + timedelta(minutes=45)
    )

    assert (slot.status, slot.start_at, slot.teacher_id) == (SlotStatus.OPEN, start, world.tom.id)
    assert world.again(slot).reference.startswith("SLT-")
    action = db.scalars(select(AuditAction).where(AuditAction.name == "slot.create")).one()
    assert (action.actor_id, action.record_type, action.record_id) == (world.tom.id, "availability_slots", slot.id)
    assert db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == slot.id)).all() == ["slot.created"]


def test_a_slot_begins_after_the_clocks_present_second(world: World) -> None:
    then = world.now + timedelta(days=30)
    with clock.standing_at(then):
        with pytest.raises(SlotInvalid) as refusal:
            world.slot(start_at=then)
        slot = world.slot(start_at=then + timedelta(seconds=1))

    assert [reason.code for reason in refusal.value.reasons] == ["slot_in_the_past"]
    assert slot.start_at == then + timedelta(seconds=1)


def test_slots_may_touch_but_not_overlap(world: World) -> None:
    first = world.slot()
    world.slot(start_at=first.end_at)
    world.slot(start_at=first.start_at - timedelta(minutes=60))

    with pytest.raises(SlotOverlap) as refusal:
        world.slot(start_at=first.start_at + timedelta(minutes=1), minutes=15)
    assert refusal.value.facts["slot_id"] == str(first.id)


def test_two_teachers_have_their_own_time(world: World) -> None:
    first = world.slot()

    assert world.slot(world.tina, start_at=first.start_at).id != first.id


def test_a_withdrawn_slot_leaves_its_time_free_and_a_blocked_one_does_not(world: World) -> None:
    gone, kept = world.slot(hours=48), world.slot(hours=72)
    move_slot(as_actor(world.ada), gone.id, target=SlotStatus.WITHDRAWN)
    move_slot(as_actor(world.ada), kept.id, target=SlotStatus.BLOCKED)

    assert world.slot(start_at=gone.start_at).id != gone.id
    with pytest.raises(SlotOverlap):
        world.slot(start_at=kept.start_at)


@pytest.mark.parametrize("role", [Role.STUDENT, Role.FINANCE, Role.AUDITOR])
def test_other_roles_make_no_slots(world: World, role: Role) -> None:
    somebody, start = world.person("Somebody", role), world.now + timedelta(hours=5)

    with pytest.raises(NotAllowed):
        create_slot(as_actor(somebody), teacher_id=world.tom.id, start_at=start, end_at=start + timedelta(hours=1))


def test_a_stranger_and_another_teacher_make_no_slots(world: World) -> None:
    start = world.now + timedelta(hours=5)

    with pytest.raises(NotAllowed):
        create_slot(ANONYMOUS, teacher_id=world.tom.id, start_at=start, end_at=start + timedelta(hours=1))
    with pytest.raises(NotFound):
        create_slot(as_actor(world.tina), teacher_id=world.tom.id, start_at=start, end_at=start + timedelta(hours=1))


def test_support_makes_slots_of_any_teacher_but_only_of_teachers(world: World) -> None:
    sue, start = as_actor(world.sue), world.now + timedelta(hours=5)
    create_slot(sue, teacher_id=world.tom.id, start_at=start, end_at=start + timedelta(hours=1))

    with pytest.raises(NotATeacher):
        create_slot(sue, teacher_id=world.ann.id, start_at=start, end_at=start + timedelta(hours=1))
    with pytest.raises(NotFound):
        create_slot(sue, teacher_id=uuid4(), start_at=start, end_at=start + timedelta(hours=1))


def test_a_teacher_who_is_not_active_gets_no_slot(world: World, db: Session) -> None:
    disable_teacher(as_actor(world.sue), profile_id(db, world.tom), reason="on leave")
    deactivate_person(as_actor(world.ada), world.tina.id, reason="left")

    with pytest.raises(TeacherNotActive):
        world.slot(world.tom)
    with pytest.raises(TeacherNotActive):
        world.slot(world.tina)


def test_unblocking_opens_the_slot_and_repeating_changes_nothing(world: World) -> None:
    slot = world.slot()
    move_slot(as_actor(world.ada), slot.id, target=SlotStatus.BLOCKED)

    opened = unblock_slot(as_actor(world.tom), slot.id)
    version = opened.version
    again = unblock_slot(as_actor(world.sue), slot.id, reason="asked by Tom")

    assert (opened.status, again.version) == (SlotStatus.OPEN, version)
    with pytest.raises(NotFound):
        unblock_slot(as_actor(world.tina), slot.id)


def test_a_withdrawn_slot_never_opens_again(world: World) -> None:
    slot = world.slot()
    move_slot(as_actor(world.ada), slot.id, target=SlotStatus.WITHDRAWN)

    with pytest.raises(IllegalMove):
        unblock_slot(as_actor(world.ada), slot.id)


def test_of_many_overlapping_at_once_one_wins(world: World, app: Flask) -> None:
    start, ada = world.now + timedelta(hours=5), as_actor(world.ada)
    tom = world.tom.id

    def make(minutes: int) -> Slot:
        begin = start + timedelta(minutes=minutes)
        return create_slot(ada, teacher_id=tom, start_at=begin, end_at=begin + timedelta(hours=1))

    results = at_once(app, *[lambda minutes=minutes: make(minutes) for minutes in range(0, 40, 5)])

    assert len(done(results)) == 1
    assert refused(results) == ["slot_overlap"] * 7


def test_without_the_teachers_lock_the_constraint_still_lets_one_win(
    world: World, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: nobody waits and nobody looks, so that only the database is left to say no."""
    from guitaronline.scheduling import service

    start, ada, tom = world.now + timedelta(hours=5), as_actor(world.ada), world.tom
    monkeypatch.setattr(service, "require_active_teacher", lambda work, teacher_id: tom)
    monkeypatch.setattr(queries, "standing_slots", lambda *_, **__: [])

    results = at_once(
        app, *[lambda: create_slot(ada, teacher_id=tom.id, start_at=start, end_at=start + timedelta(hours=1))] * 3
    )

    assert len(done(results)) == 1
    assert refused(results) == ["slot_overlap"] * 2


def test_slots_of_a_teacher_come_in_pages_whose_union_is_the_whole(world: World, db: Session) -> None:
    made = [world.slot(hours=hours).id for hours in (50, 48, 52)]

    first = queries.slots_of_teacher(db, world.tom.id, start_from=world.now, limit=2)
    rest = queries.slots_of_teacher(db, world.tom.id, start_from=world.now, after=first[-1], limit=2)

    assert [slot.id for slot in first + rest] == [made[1], made[0], made[2]]
