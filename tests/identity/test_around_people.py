"""Guardians, notes, tasks, and finding people."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.audit.models import OutboxEvent
from guitaronline.db import new_id
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity import queries
from guitaronline.identity.models import TaskStatus, User
from guitaronline.identity.service import (
    RECORD_TYPES,
    AlreadyGuardian,
    GuardianUnfit,
    NotAStudent,
    NoteInvalid,
    ReasonRequired,
    TaskInvalid,
    add_guardian,
    cancel_task,
    create_task,
    finish_task,
    remove_guardian,
    reopen_task,
    write_note,
)
from guitaronline.states import IllegalMove
from tests.world import World, as_actor


def child(world: World, name: str = "Kim") -> User:
    return world.person(name, Role.STUDENT, email=None)


def test_one_parent_stands_for_two_children(db: Session, world: World) -> None:
    kim, kai = child(world), child(world, "Kai")
    add_guardian(as_actor(world.sue), kim.id, guardian_id=world.ann.id)
    add_guardian(as_actor(world.sue), kai.id, guardian_id=world.ann.id, relation="aunt", pays=False)

    assert [each.student.full_name for each in queries.children_of(db, world.ann.id)] == ["Kim", "Kai"]
    (link,) = queries.guardians_of(db, kai.id)
    assert (link.guardian.full_name, link.relation, link.pays, link.receives_messages) == ("Ann", "aunt", False, True)


def test_a_guardian_is_named_once(world: World) -> None:
    kim = child(world)
    add_guardian(as_actor(world.sue), kim.id, guardian_id=world.ann.id)

    with pytest.raises(AlreadyGuardian):
        add_guardian(as_actor(world.sue), kim.id, guardian_id=world.ann.id)


def test_who_cannot_be_a_guardian(world: World) -> None:
    kim, kai = child(world), child(world, "Kai")
    add_guardian(as_actor(world.sue), kim.id, guardian_id=world.ann.id)

    with pytest.raises(GuardianUnfit) as refusal:
        add_guardian(as_actor(world.sue), kim.id, guardian_id=kim.id)
    assert [each.code for each in refusal.value.reasons] == ["guardian_is_student", "guardian_without_email"]
    with pytest.raises(GuardianUnfit):
        add_guardian(as_actor(world.sue), kim.id, guardian_id=kai.id)
    with pytest.raises(GuardianUnfit, match="guardian"):
        add_guardian(as_actor(world.sue), world.ann.id, guardian_id=kim.id)
    with pytest.raises(NotAStudent):
        add_guardian(as_actor(world.sue), world.tom.id, guardian_id=world.ann.id)
    with pytest.raises(NotFound):
        add_guardian(as_actor(world.sue), kim.id, guardian_id=new_id())


def test_a_guardian_is_removed_with_a_reason(db: Session, world: World) -> None:
    kim = child(world)
    link = add_guardian(as_actor(world.sue), kim.id, guardian_id=world.ann.id)

    with pytest.raises(ReasonRequired):
        remove_guardian(as_actor(world.sue), link.id, reason="")
    remove_guardian(as_actor(world.sue), link.id, reason="moved away")
    assert queries.guardians_of(db, kim.id) == []


@pytest.mark.parametrize("who", ["ann", "tom", "finn", "audrey"])
def test_only_support_and_admins_name_guardians(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        add_guardian(as_actor(getattr(world, who)), world.ben.id, guardian_id=world.ann.id)


def test_notes_stand_under_their_record_newest_first(db: Session, world: World) -> None:
    write_note(as_actor(world.sue), record_type="users", record_id=world.ann.id, body=" called\nno answer ")
    write_note(as_actor(world.finn), record_type="users", record_id=world.ann.id, body="pays in cash")

    notes = queries.notes_of(db, "users", world.ann.id)
    assert [(each.body, each.author_id) for each in notes] == [
        ("pays in cash", world.finn.id),
        ("called\nno answer", world.sue.id),
    ]
    assert queries.notes_of(db, "users", world.ben.id) == []


@pytest.mark.parametrize(
    ("record_type", "body", "codes"),
    [
        ("pg_catalog", "x", ["record_type_unknown"]),
        ("audit_actions", "", ["record_type_unknown", "body_empty"]),
        ("users", " \n", ["body_empty"]),
        ("users", "x" * 4001, ["body_too_long"]),
        ("users", "a\x00", ["body_not_text"]),
    ],
)
def test_what_is_no_note(world: World, record_type: str, body: str, codes: list[str]) -> None:
    with pytest.raises(NoteInvalid) as refusal:
        write_note(as_actor(world.sue), record_type=record_type, record_id=world.ann.id, body=body)
    assert [each.code for each in refusal.value.reasons] == codes


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_a_note_needs_a_record_that_exists(world: World, record_type: str) -> None:
    with pytest.raises(NotFound):
        write_note(as_actor(world.sue), record_type=record_type, record_id=new_id(), body="x")


@pytest.mark.parametrize("who", ["ann", "tom", "audrey"])
def test_students_teachers_and_auditors_write_none(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        write_note(as_actor(getattr(world, who)), record_type="users", record_id=world.ann.id, body="x")


def test_a_task_is_made_done_and_made_again(db: Session, world: World) -> None:
    sue = as_actor(world.sue)
    task = create_task(
        sue, record_type="users", record_id=world.ann.id, title="call", owner_id=world.finn.id, due_on=date(2026, 3, 2)
    )
    assert [each.id for each in queries.open_tasks_of(db, world.finn.id)] == [task.id]

    done = finish_task(sue, task.id)
    assert (done.status, done.closed_at is not None, finish_task(sue, task.id).version) == (TaskStatus.DONE, True, 2)
    assert queries.open_tasks_of(db, world.finn.id) == []
    reopened = reopen_task(sue, task.id)
    assert (reopened.status, reopened.closed_at) == (TaskStatus.OPEN, None)
    cancel_task(sue, task.id)
    topics = db.scalars(
        select(OutboxEvent.topic).where(OutboxEvent.record_id == task.id).order_by(OutboxEvent.id)
    ).all()
    assert topics == ["task.created", "task.done", "task.reopened", "task.canceled"]
    with pytest.raises(IllegalMove):
        reopen_task(sue, task.id)
    with pytest.raises(IllegalMove):
        finish_task(sue, task.id)


def test_a_task_is_owned_by_active_staff(world: World) -> None:
    with pytest.raises(TaskInvalid) as refusal:
        create_task(as_actor(world.sue), record_type="users", record_id=world.ann.id, title=" ", owner_id=world.tom.id)
    assert [each.code for each in refusal.value.reasons] == ["title_empty", "owner_not_staff"]


def test_tasks_without_a_day_come_last(db: Session, world: World) -> None:
    for title, due_on in (("some day", None), ("late", date(2026, 3, 9)), ("soon", date(2026, 3, 2))):
        create_task(
            as_actor(world.sue),
            record_type="users",
            record_id=world.ann.id,
            title=title,
            owner_id=world.sue.id,
            due_on=due_on,
        )

    assert [each.title for each in queries.open_tasks_of(db, world.sue.id)] == ["soon", "late", "some day"]
    assert len(queries.tasks_of(db, "users", world.ann.id)) == 3


def test_people_are_found_by_name_address_reference_and_role(db: Session, world: World) -> None:
    ann, ben, tom = world.ann, world.ben, world.tom

    assert [each.id for each in queries.find_people(db)] == [ann.id, ben.id, tom.id]
    assert [each.id for each in queries.find_people(db, q="AN")] == [ann.id]
    assert [each.id for each in queries.find_people(db, q="ben@people")] == [ben.id]
    assert queries.find_people(db, q="ben@people", by_email=False) == []
    assert [each.id for each in queries.find_people(db, q=ben.reference.lower())] == [ben.id]
    assert [each.id for each in queries.find_people(db, role=Role.TEACHER)] == [tom.id]
    assert queries.find_people(db, active=False) == []
    assert queries.find_people(db, q="%") == []
    assert queries.find_people(db, q="\x00_\\") == []
    assert [each.id for each in queries.find_people(db, after=(ann.full_name, ann.id), limit=1)] == [ben.id]
    assert queries.person_by_email(db, "ANN@people.example") is ann
    assert queries.person_by_email(db, "nobody") is None
    assert queries.person_of(db, new_id()) is None


def test_contacts_are_masked_for_those_who_may_not_see_them(world: World) -> None:
    ann = world.person("Ann", Role.STUDENT, phone="+44 20 7946 0018")

    assert queries.shown_email(as_actor(world.sue), ann) == "ann@people.example"
    assert queries.shown_email(as_actor(world.finn), ann) == "a…@people.example"
    assert queries.shown_phone(as_actor(world.audrey), ann) == "…18"
    assert queries.shown_phone(as_actor(ann), ann) == "+44 20 7946 0018"
