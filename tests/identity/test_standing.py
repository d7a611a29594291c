"""Roles, deactivation, passwords: who may change them, and what stops working at once."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import ANONYMOUS, SYSTEM, Role
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity import sessions, tokens
from guitaronline.identity.models import FailedLogin, User
from guitaronline.identity.service import (
    InvalidCredentials,
    LastAdmin,
    OwnRole,
    PasswordUnfit,
    PersonInvalid,
    ReasonRequired,
    change_password,
    deactivate_person,
    reactivate_person,
    set_password,
    set_role,
)
from guitaronline.teachers.models import TeacherProfile
from tests.world import PASSWORD, World, as_actor

NEW = "eleven wooden bridges"


def person(world: World, name: str, role: Role) -> User:
    return world.person(name, role, password=PASSWORD)


def signed_in(user: User) -> tokens.TokenPair:
    return tokens.login(user.email or "", PASSWORD)


def test_a_new_role_counts_on_the_next_request_and_signs_out(world: World) -> None:
    tim = person(world, "Tim", Role.STUDENT)
    pair = signed_in(tim)

    set_role(as_actor(world.ada), tim.id, role=Role.SUPPORT, reason="hired")

    assert tokens.actor_of_token(pair.access_token) is None
    again = tokens.actor_of_token(signed_in(tim).access_token)
    assert again is not None
    assert again.actor.role is Role.SUPPORT


def test_the_role_is_read_at_every_request(db: Session, world: World) -> None:
    tim = person(world, "Tim", Role.TEACHER)
    pair = sessions.open_session(tim.email or "", PASSWORD)
    seen = sessions.actor_of_session(pair.token)

    assert seen is not None
    assert seen.actor == as_actor(tim)
    set_role(as_actor(world.ada), tim.id, role=Role.STUDENT, reason="left")
    assert sessions.actor_of_session(pair.token) is None


def test_who_becomes_a_teacher_gets_a_profile(db: Session, world: World) -> None:
    set_role(as_actor(world.ada), world.ann.id, role=Role.TEACHER, reason="teaches now")

    assert db.scalars(select(TeacherProfile.display_name)).one() == "Ann"


@pytest.mark.parametrize("who", ["ann", "tom", "sue", "finn", "audrey"])
def test_only_admins_give_roles(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        set_role(as_actor(getattr(world, who)), world.ben.id, role=Role.TEACHER, reason="please")


def test_nobody_changes_their_own_role(world: World) -> None:
    person(world, "Abe", Role.ADMIN)

    with pytest.raises(OwnRole):
        set_role(as_actor(world.ada), world.ada.id, role=Role.STUDENT, reason="enough")


def test_a_child_without_an_address_stays_a_student(world: World) -> None:
    kim = world.person("Kim", Role.STUDENT, email=None)

    with pytest.raises(PersonInvalid):
        set_role(as_actor(world.ada), kim.id, role=Role.TEACHER, reason="gifted")


def test_the_same_role_again_changes_nothing(world: World) -> None:
    pair = signed_in(person(world, "Tim", Role.STUDENT))

    assert set_role(as_actor(world.ada), pair.user_id, role=Role.STUDENT, reason="sure").version == 1
    assert tokens.actor_of_token(pair.access_token) is not None


def test_a_change_needs_its_reason(world: World) -> None:
    with pytest.raises(ReasonRequired):
        set_role(as_actor(world.ada), world.ann.id, role=Role.TEACHER, reason=" ")
    with pytest.raises(ReasonRequired):
        deactivate_person(as_actor(world.ada), world.ann.id, reason="")


def test_deactivation_ends_everything_at_once_and_for_good(db: Session, world: World) -> None:
    tim = person(world, "Tim", Role.TEACHER)
    pair, browser = signed_in(tim), sessions.open_session(tim.email or "", PASSWORD)

    deactivate_person(as_actor(world.sue), tim.id, reason="left")

    assert tokens.actor_of_token(pair.access_token) is None
    assert sessions.actor_of_session(browser.token) is None
    with pytest.raises(InvalidCredentials):
        signed_in(tim)
    reactivate_person(as_actor(world.sue), tim.id)
    assert tokens.actor_of_token(pair.access_token) is None
    assert tokens.actor_of_token(signed_in(tim).access_token) is not None


def test_deactivating_twice_changes_nothing(world: World) -> None:
    deactivate_person(as_actor(world.sue), world.ann.id, reason="left")

    assert deactivate_person(as_actor(world.sue), world.ann.id, reason="left").version == 2


def test_a_join_on_the_person_ends_it_too_whoever_forgot_to_revoke(
    db: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tim = person(world, "Tim", Role.TEACHER)
    pair, browser = signed_in(tim), sessions.open_session(tim.email or "", PASSWORD)
    monkeypatch.setattr("guitaronline.identity.standing.revoke_sign_ins", lambda *_, **__: None)

    deactivate_person(as_actor(world.sue), tim.id, reason="left")

    assert tokens.actor_of_token(pair.access_token) is None
    assert sessions.actor_of_session(browser.token) is None


def test_support_deactivates_students_and_teachers_but_no_staff(world: World) -> None:
    with pytest.raises(NotAllowed):
        deactivate_person(as_actor(world.sue), world.finn.id, reason="I can")
    with pytest.raises(NotAllowed):
        reactivate_person(as_actor(world.sue), world.finn.id)
    with pytest.raises(NotAllowed):
        deactivate_person(as_actor(world.ann), world.ann.id, reason="bye")


def test_the_last_active_admin_stays(world: World) -> None:
    other = person(world, "Abe", Role.ADMIN)
    deactivate_person(as_actor(world.ada), other.id, reason="left")

    with pytest.raises(LastAdmin):
        deactivate_person(as_actor(world.ada), world.ada.id, reason="me too")
    with pytest.raises(LastAdmin):
        set_role(SYSTEM, world.ada.id, role=Role.SUPPORT, reason="by command line")
    with pytest.raises(LastAdmin):
        deactivate_person(SYSTEM, world.ada.id, reason="by command line")


def test_an_admin_who_is_not_the_last_may_leave(world: World) -> None:
    person(world, "Abe", Role.ADMIN)

    assert not deactivate_person(as_actor(world.ada), world.ada.id, reason="retired").is_active


def test_a_new_password_signs_out_everywhere_else(world: World) -> None:
    ann = person(world, "Ann", Role.STUDENT)
    here, elsewhere = signed_in(ann), signed_in(ann)

    change_password(as_actor(ann), old=PASSWORD, new=NEW, keep_family=here.family_id)

    assert tokens.actor_of_token(here.access_token) is not None
    assert tokens.actor_of_token(elsewhere.access_token) is None
    with pytest.raises(InvalidCredentials):
        tokens.login("ann@people.example", PASSWORD)
    assert tokens.login("ann@people.example", NEW)


def test_the_old_password_is_asked_and_wrong_ones_count(db: Session, world: World) -> None:
    ann = person(world, "Ann", Role.STUDENT)

    with pytest.raises(InvalidCredentials):
        change_password(as_actor(ann), old="not this one at all", new=NEW)

    assert len(db.scalars(select(FailedLogin)).all()) == 1
    assert db.scalars(select(AuditAction.name).where(AuditAction.name == "person.change_password")).all() == []


def test_an_unfit_new_password_changes_nothing(world: World) -> None:
    ann = person(world, "Ann", Role.STUDENT)

    with pytest.raises(PasswordUnfit) as refusal:
        change_password(as_actor(ann), old=PASSWORD, new="password1234")

    assert [(each.code, each.pointer) for each in refusal.value.reasons] == [("password_too_common", "/new")]
    assert signed_in(ann)


def test_who_has_no_password_cannot_change_it(world: World) -> None:
    with pytest.raises(InvalidCredentials):
        change_password(as_actor(world.ann), old="", new=NEW)
    with pytest.raises(NotAllowed):
        change_password(ANONYMOUS, old="", new=NEW)


def test_an_admin_sets_a_password_and_the_audit_keeps_it_to_itself(db: Session, world: World) -> None:
    set_password(as_actor(world.ada), world.ann.id, password=NEW, reason="on the phone")

    after = db.scalars(
        select(AuditChange.after).where(AuditChange.row_id == world.ann.id).order_by(AuditChange.id.desc())
    ).first()
    assert after is not None
    assert after["password_hash"] == "***"
    assert tokens.login("ann@people.example", NEW)
    with pytest.raises(NotAllowed):
        set_password(as_actor(world.sue), world.ann.id, password=NEW)
    with pytest.raises(NotFound):
        set_password(as_actor(world.ada), world.ann.id.__class__(int=1), password=NEW)
