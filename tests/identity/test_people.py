"""People: made, registered, edited."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guitaronline.actor import ANONYMOUS, SYSTEM, Role
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity import service
from guitaronline.identity.models import User
from guitaronline.identity.passwords import fits
from guitaronline.identity.service import EmailTaken, PersonInvalid, create_person, edit_person, register_student
from guitaronline.unit_of_work import Work
from tests.world import PASSWORD, World, as_actor


def register(**more: Any) -> User:
    return register_student(ANONYMOUS, **{"email": "Ann@People.example", "password": PASSWORD, **more})


def codes(refusal: pytest.ExceptionInfo[PersonInvalid]) -> list[str]:
    return [each.code for each in refusal.value.reasons]


def test_who_registers_is_a_student(db: Session) -> None:
    ann = register(full_name=" Ann ", timezone="Europe/Paris")

    stored = db.get(User, ann.id, populate_existing=True)
    assert stored is not None
    assert (stored.role, stored.email, stored.email_key) == (Role.STUDENT, "Ann@People.example", "ann@people.example")
    assert (stored.full_name, stored.timezone, stored.is_active, stored.version) == ("Ann", "Europe/Paris", True, 1)
    assert stored.reference.startswith("USR-")
    assert fits(stored.password_hash, PASSWORD)


@pytest.mark.parametrize("same", ["ann@people.example", "ＡＮＮ@people.example", "ann@PEOPLE.example"])
def test_one_address_is_one_person(db: Session, same: str) -> None:
    register()

    with pytest.raises(EmailTaken):
        register(email=same)
    assert len(db.scalars(select(User)).all()) == 1


def test_the_database_itself_refuses_a_second_one(db: Session) -> None:
    ann = register()

    with pytest.raises(IntegrityError, match="uq_users_email_key"):
        insert_with_key(db, ann.email_key or "")
    db.rollback()


def insert_with_key(db: Session, key: str) -> None:
    action = {"id": db.scalar(text("SELECT gen_random_uuid()"))}
    db.execute(text("SELECT set_config('app.action_id', CAST(:id AS text), true)"), action)
    db.execute(
        text("INSERT INTO audit_actions (id, at, actor_kind, name) VALUES (:id, now(), 'system', 'test')"), action
    )
    db.execute(
        text(
            "INSERT INTO users (id, email, email_key, role, created_at, updated_at)"
            " VALUES (gen_random_uuid(), 'x', :key, 'student', now(), now())"
        ),
        {"key": key},
    )


def test_a_refusal_names_every_reason(db: Session) -> None:
    with pytest.raises(PersonInvalid) as refusal:
        register(email="ann", password="short", full_name="x" * 300, timezone="Mars/Base")

    assert sorted(codes(refusal)) == ["email_invalid", "full_name_too_long", "password_too_short", "timezone_unknown"]
    assert {each.pointer for each in refusal.value.reasons} == {"/email", "/password", "/full_name", "/timezone"}
    assert db.scalars(select(AuditAction)).all() == []


def test_the_audit_keeps_no_secret_and_no_name_in_clear(db: Session) -> None:
    register(full_name="Ann")

    after = db.scalars(select(AuditChange.after).where(AuditChange.table_name == "users")).one()
    assert after is not None
    assert after["password_hash"] == "***"
    assert str(after["email_key"]).startswith("sha256:")


def test_a_child_needs_neither_address_nor_password(db: Session, world: World) -> None:
    first = create_person(as_actor(world.sue), role=Role.STUDENT, full_name="Kim")
    second = create_person(as_actor(world.sue), role=Role.STUDENT, full_name="Kai")

    assert (first.email, first.password_hash, second.email_key) == (None, None, None)


@pytest.mark.parametrize("role", [Role.TEACHER, Role.SUPPORT, Role.ADMIN])
def test_only_children_lack_an_address(db: Session, role: Role) -> None:
    with pytest.raises(PersonInvalid) as refusal:
        create_person(SYSTEM, role=role, full_name="Kim")

    assert codes(refusal) == ["email_needed"]


@pytest.mark.parametrize("role", [Role.SYSTEM, Role.ANONYMOUS])
def test_nobody_is_the_system(db: Session, role: Role) -> None:
    with pytest.raises(PersonInvalid) as refusal:
        create_person(SYSTEM, role=role, full_name="X", email="x@people.example")

    assert codes(refusal) == ["role_unknown"]


def test_support_makes_students_and_nobody_else(db: Session, world: World) -> None:
    kim = create_person(
        as_actor(world.sue),
        role=Role.STUDENT,
        full_name="Kim",
        email="kim@people.example",
        phone="+44 20 7946 0018",
        level=" ",
    )

    assert (kim.phone, kim.level) == ("+44 20 7946 0018", None)
    with pytest.raises(NotAllowed):
        create_person(as_actor(world.sue), role=Role.TEACHER, full_name="Tim", email="tim@people.example")


@pytest.mark.parametrize("who", ["ann", "tom", "finn", "audrey"])
def test_others_make_nobody(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        create_person(as_actor(getattr(world, who)), role=Role.STUDENT, full_name="Kim")


def test_the_steps_of_a_role_run_in_the_same_transaction(db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(work: Work, user: User) -> None:
        raise NotFound()

    monkeypatch.setitem(service.on_role, Role.STUDENT, [fail])

    with pytest.raises(NotFound):
        register()
    assert db.scalars(select(User)).all() == []


def test_one_edits_oneself(db: Session, world: World) -> None:
    edited = edit_person(
        as_actor(world.ann), world.ann.id, changes={"full_name": "Anna", "timezone": "Asia/Tokyo", "phone": ""}
    )

    assert (edited.full_name, edited.timezone, edited.phone, edited.version) == ("Anna", "Asia/Tokyo", None, 2)


def test_an_edit_that_changes_nothing_makes_no_version(world: World) -> None:
    assert edit_person(as_actor(world.ann), world.ann.id, changes={"full_name": "Ann"}).version == 1


def test_one_does_not_change_ones_own_address_nor_other_people(world: World) -> None:
    with pytest.raises(NotAllowed):
        edit_person(as_actor(world.ann), world.ann.id, changes={"email": "anna@people.example"})
    with pytest.raises(NotAllowed):
        edit_person(as_actor(world.ann), world.ben.id, changes={"full_name": "Bob"})


def test_support_corrects_an_address(db: Session, world: World) -> None:
    edited = edit_person(as_actor(world.sue), world.ann.id, changes={"email": "Anna@people.example"}, reason="typo")

    assert (edited.email, edited.email_key) == ("Anna@people.example", "anna@people.example")
    with pytest.raises(EmailTaken):
        edit_person(as_actor(world.sue), world.ben.id, changes={"email": "ANNA@people.example"})


def test_support_does_not_touch_staff(world: World) -> None:
    with pytest.raises(NotAllowed):
        edit_person(as_actor(world.sue), world.ada.id, changes={"email": "sue2@people.example"})


def test_a_bad_edit_names_every_reason_and_changes_nothing(world: World) -> None:
    with pytest.raises(PersonInvalid) as refusal:
        edit_person(
            as_actor(world.sue),
            world.ann.id,
            changes={"role": "admin", "timezone": None, "phone": "x", "email": "", "level": "new"},
        )

    assert sorted(codes(refusal)) == ["field_unknown", "phone_invalid", "timezone_unknown"]
    assert world.again(world.ann).level is None


def test_a_teachers_address_cannot_be_taken_away(world: World) -> None:
    with pytest.raises(PersonInvalid) as refusal:
        edit_person(as_actor(world.sue), world.tom.id, changes={"email": None})

    assert codes(refusal) == ["email_needed"]
