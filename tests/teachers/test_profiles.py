"""Profiles: made with the role, edited by their teacher or staff, disabled at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import ANONYMOUS, Role
from guitaronline.audit.models import OutboxEvent
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.models import User
from guitaronline.identity.service import create_person, deactivate_person, set_role
from guitaronline.teachers import queries
from guitaronline.teachers.models import TeacherProfile, TeacherStatus
from guitaronline.teachers.service import (
    NotATeacher,
    ProfileExists,
    ProfileInvalid,
    ReasonRequired,
    create_profile,
    disable_teacher,
    edit_profile,
    enable_teacher,
)
from tests.concurrency import at_once, done, refused
from tests.world import World, as_actor


def profile(db: Session, teacher: User) -> TeacherProfile:
    db.rollback()
    return db.scalars(select(TeacherProfile).where(TeacherProfile.user_id == teacher.id)).one()


def names(db: Session, **asked: Any) -> list[str]:
    db.rollback()
    return [each.display_name for each in queries.active_teachers(db, **asked)]


def test_whoever_becomes_a_teacher_has_an_active_profile(world: World, db: Session) -> None:
    nameless = world.person("", Role.TEACHER, email="lou.strings@people.example")
    set_role(as_actor(world.ada), world.ann.id, role=Role.TEACHER, reason="she teaches now")

    assert (profile(db, world.tom).display_name, profile(db, world.tom).status) == ("Tom", TeacherStatus.ACTIVE)
    assert profile(db, nameless).display_name == "lou.strings"
    assert profile(db, world.ann).display_name == "Ann"


def test_making_a_person_a_teacher_again_keeps_the_profile(world: World, db: Session) -> None:
    ada, tom = as_actor(world.ada), world.tom
    edit_profile(ada, profile(db, tom).id, changes={"bio": "Plays."})
    set_role(ada, tom.id, role=Role.STUDENT, reason="pauses")
    assert not queries.is_active_teacher(db, tom.id)

    set_role(ada, tom.id, role=Role.TEACHER, reason="is back")

    db.rollback()
    assert (profile(db, tom).bio, queries.is_active_teacher(db, tom.id)) == ("Plays.", True)


@pytest.mark.parametrize("what", ["nothing", "deactivated", "another role", "disabled"])
def test_a_record_says_who_teaches_as_the_lists_do(world: World, db: Session, what: str) -> None:
    ada, tom = as_actor(world.ada), world.tom
    happens = {
        "nothing": lambda: None,
        "deactivated": lambda: deactivate_person(ada, tom.id, reason="left"),
        "another role": lambda: set_role(ada, tom.id, role=Role.STUDENT, reason="pauses"),
        "disabled": lambda: disable_teacher(ada, profile(db, tom).id, reason="ill"),
    }
    happens[what]()

    assert profile(db, tom).is_teaching is queries.is_active_teacher(db, tom.id) is (what == "nothing")


def test_creating_fills_in_the_profile_that_came_with_the_role_once(world: World, db: Session) -> None:
    sue, tom = as_actor(world.sue), world.tom
    made = create_profile(
        sue, user_id=tom.id, display_name=" Tom Wood ", bio="Plays.", experience_years=7, tags=["Jazz", " jazz "]
    )

    assert made.id == profile(db, tom).id
    assert (made.display_name, made.tags, made.experience_years) == ("Tom Wood", ["jazz"], 7)
    with pytest.raises(ProfileExists):
        create_profile(sue, user_id=tom.id, display_name="Other")


def test_only_teachers_get_a_profile_and_only_from_staff(world: World) -> None:
    with pytest.raises(NotATeacher):
        create_profile(as_actor(world.sue), user_id=world.ann.id, display_name="Ann")
    with pytest.raises(NotFound):
        create_profile(as_actor(world.sue), user_id=uuid4(), display_name="Nobody")
    with pytest.raises(NotAllowed):
        create_profile(as_actor(world.tom), user_id=world.tom.id, display_name="Tom")


def test_a_teacher_and_staff_edit_the_profile_and_nobody_else(world: World, db: Session) -> None:
    mine = profile(db, world.tom).id
    edit_profile(as_actor(world.tom), mine, changes={"bio": "Plays.", "meeting_url": "https://meet.example/tom"})
    edit_profile(as_actor(world.sue), mine, changes={"experience_years": 9})

    after = profile(db, world.tom)
    assert (after.bio, after.meeting_url, after.experience_years) == ("Plays.", "https://meet.example/tom", 9)
    for other in (world.tina, world.ann, world.finn, world.audrey):
        with pytest.raises(NotAllowed):
            edit_profile(as_actor(other), mine, changes={"bio": "Hacked."})
    with pytest.raises(NotAllowed):
        edit_profile(ANONYMOUS, mine, changes={"bio": "Hacked."})


def test_tags_are_folded_sorted_and_said_once(world: World, db: Session) -> None:
    edit_profile(
        as_actor(world.tom),
        profile(db, world.tom).id,
        changes={"tags": ["Jazz", "  finger   STYLE ", "jazz", "", "Straße"]},
    )

    assert profile(db, world.tom).tags == ["finger style", "jazz", "strasse"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"display_name": "  "}, "bad_display_name"),
        ({"display_name": "x" * 201}, "bad_display_name"),
        ({"display_name": "a\x00b"}, "bad_display_name"),
        ({"display_name": "a\nb"}, "bad_display_name"),
        ({"display_name": None}, "bad_display_name"),
        ({"bio": "x" * 4001}, "bad_bio"),
        ({"bio": "\ud800"}, "bad_bio"),
        ({"experience_years": 81}, "bad_experience_years"),
        ({"experience_years": True}, "bad_experience_years"),
        ({"tags": ["x" * 41]}, "bad_tags"),
        ({"tags": [str(number) for number in range(21)]}, "bad_tags"),
        ({"tags": [7]}, "bad_tags"),
        ({"tags": "jazz"}, "bad_tags"),
        ({"meeting_url": "http://meet.example/tom"}, "bad_meeting_url"),
        ({"meeting_url": "javascript:alert(1)"}, "bad_meeting_url"),
        ({"meeting_url": "https://"}, "bad_meeting_url"),
        ({"meeting_url": "https://you@meet.example"}, "bad_meeting_url"),
        ({"meeting_url": "https://meet.example/a b"}, "bad_meeting_url"),
        ({"meeting_url": "https://meet.example:port/"}, "bad_meeting_url"),
        ({"meeting_url": "https://[meet"}, "bad_meeting_url"),
        ({"status": "disabled"}, "unknown_field"),
        ({"user_id": "x"}, "unknown_field"),
    ],
)
def test_what_a_profile_cannot_say_is_refused_by_name(
    world: World, db: Session, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ProfileInvalid) as refusal:
        edit_profile(as_actor(world.tom), profile(db, world.tom).id, changes=changes)

    assert [reason.code for reason in refusal.value.reasons] == [code]


def test_every_reason_is_named_at_once(world: World, db: Session) -> None:
    with pytest.raises(ProfileInvalid) as refusal:
        edit_profile(
            as_actor(world.tom),
            profile(db, world.tom).id,
            changes={"display_name": "", "experience_years": -1, "tags": None},
        )

    assert [reason.pointer for reason in refusal.value.reasons] == ["/display_name", "/experience_years", "/tags"]


def test_an_emptied_meeting_address_is_none(world: World, db: Session) -> None:
    edit_profile(as_actor(world.tom), profile(db, world.tom).id, changes={"meeting_url": " "})

    assert profile(db, world.tom).meeting_url is None


def test_disabling_works_at_once_needs_a_reason_and_can_be_taken_back(world: World, db: Session) -> None:
    sue, mine = as_actor(world.sue), profile(db, world.tom).id
    with pytest.raises(ReasonRequired):
        disable_teacher(sue, mine, reason=" ")
    disable_teacher(sue, mine, reason="ill")
    assert names(db) == []
    disable_teacher(sue, mine, reason="ill")

    enable_teacher(sue, mine, reason="well again")

    assert names(db) == ["Tom"]
    topics = db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == mine).order_by(OutboxEvent.id)).all()
    assert topics == ["teacher.created", "teacher.disabled", "teacher.enabled"]


def test_teachers_and_money_staff_disable_nobody(world: World, db: Session) -> None:
    mine = profile(db, world.tom).id
    for other in (world.tom, world.ann, world.finn, world.audrey):
        with pytest.raises(NotAllowed):
            disable_teacher(as_actor(other), mine, reason="no")


def test_one_profile_when_two_staff_fill_it_in_at_once(world: World, db: Session, app: Flask) -> None:
    sue, tom = as_actor(world.sue), world.tom.id

    results = at_once(
        app,
        *[lambda name=name: create_profile(sue, user_id=tom, display_name=name) for name in ("One", "Two", "Three")],
    )

    assert (len(done(results)), refused(results)) == (1, ["profile_exists"] * 2)


def test_only_active_teachers_are_listed(world: World, db: Session) -> None:
    _ = world.tom, world.tina, world.ann
    ula = world.person("Ula", Role.TEACHER)
    deactivate_person(as_actor(world.ada), world.tina.id, reason="left")
    set_role(as_actor(world.ada), ula.id, role=Role.SUPPORT, reason="new work")

    assert names(db) == ["Tom"]
    assert queries.active_profile(db, profile(db, world.tina).id) is None
    assert queries.active_profile(db, profile(db, world.tom).id) is not None


def test_the_list_is_searched_by_name_and_tag(world: World, db: Session) -> None:
    sue = as_actor(world.sue)
    edit_profile(sue, profile(db, world.tom).id, changes={"display_name": "100% Tom_Wood", "tags": ["Jazz"]})
    edit_profile(sue, profile(db, world.tina).id, changes={"display_name": "Tina Wood", "tags": ["jazz", "rock"]})

    assert names(db, q="WOOD") == ["100% Tom_Wood", "Tina Wood"]
    assert names(db, q="0%") == ["100% Tom_Wood"]
    assert names(db, q="a_w") == []
    assert names(db, tag=" JAZZ ") == ["100% Tom_Wood", "Tina Wood"]
    assert names(db, tag="rock", q="tina") == ["Tina Wood"]
    assert names(db, tag="folk") == []


def test_pages_of_the_list_join_into_the_whole(world: World, db: Session) -> None:
    made = [world.person(name, Role.TEACHER) for name in ("Zoe", "Abe", "Mia")]

    first = queries.active_teachers(db, limit=2)
    rest = queries.active_teachers(db, after=first[-1].id, limit=2)

    assert [each.user_id for each in first + rest] == [each.id for each in made]
    assert [each.user_id for each in queries.active_teachers(db, offset=1, limit=1)] == [made[1].id]


def test_a_teacher_made_by_the_command_line_counts_too(world: World, db: Session) -> None:
    from guitaronline.actor import SYSTEM

    made = create_person(SYSTEM, role=Role.TEACHER, full_name="Cleo", email="cleo@people.example")

    assert isinstance(profile(db, made).id, UUID)
