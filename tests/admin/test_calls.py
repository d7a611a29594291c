"""People to call: the open calls with their telephone numbers, and the tick that they were reached."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from guitaronline.actor import Role
from guitaronline.audit.models import AuditAction
from guitaronline.db import session
from guitaronline.identity.models import Task, TaskStatus, User
from guitaronline.identity.service import add_guardian, create_task, edit_person
from tests.admin.browser import Browser, signed_in, words
from tests.statements import statements
from tests.world import World, as_actor

CALLS = "/admin/tasks/?waiting=to_call"


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


def called(world: World, record: Any, title: str) -> Task:
    about = {"record_type": record.__tablename__, "record_id": record.id}
    return create_task(as_actor(world.sue), title=title, owner_id=world.sue.id, **about)


def with_phone(world: World, person: User, phone: str) -> User:
    return edit_person(as_actor(world.ada), person.id, changes={"phone": phone})


def test_the_call_shows_the_number_of_whom_its_title_names(sue: Browser, world: World) -> None:
    world.package()
    booking = world.booking()
    with_phone(world, world.ann, "+49 30 111")
    with_phone(world, world.tom, "+49 30 222")
    called(world, booking, "Call Ann: the lesson is moved")

    page = sue.get(CALLS).text

    assert "Ann +49 30 111" in words(page)
    assert 'href="tel:+4930111"' in page
    assert "+49 30 222" not in page


def test_for_a_child_without_a_telephone_the_guardian_is_called(sue: Browser, world: World) -> None:
    mia = world.person("Mia", Role.STUDENT, email=None)
    world.package(mia)
    with_phone(world, world.ben, "+49 30 333")
    add_guardian(as_actor(world.ada), mia.id, guardian_id=world.ben.id)
    called(world, world.booking(world.slot(), mia), "Call Mia")

    assert "Ben +49 30 333" in words(sue.get(CALLS).text)


def test_where_nobody_has_a_number_it_is_said(sue: Browser, world: World) -> None:
    called(world, world.ann, "Call Ann")

    assert "Ann (no number known)" in words(sue.get(CALLS).text)


def test_the_number_is_masked_for_who_may_not_see_contacts(app: Flask, world: World) -> None:
    with_phone(world, world.ann, "+49 30 111")
    called(world, world.ann, "Call Ann")

    read = words(signed_in(app, world.finn).get(CALLS).text)

    assert "Ann •••11" in read
    assert "+49 30 111" not in read


def test_other_tasks_are_no_calls(sue: Browser, world: World) -> None:
    with_phone(world, world.ann, "+49 30 111")
    task = called(world, world.ann, "Recall the invoice")

    assert "Nothing matches" in words(sue.get(CALLS).text)
    assert "+49 30 111" not in sue.get("/admin/tasks/").text
    assert "Reached" not in words(sue.get(f"/admin/tasks/details/?id={task.id}").text)


def test_who_was_reached_is_ticked_off_with_what_was_said(sue: Browser, world: World) -> None:
    task = called(world, world.ann, "Call Ann")

    answer = sue.post(f"/admin/tasks/{task.id}/reached", {"reason": "Comes an hour later."})

    assert answer.status_code == 303
    assert world.again(task).status is TaskStatus.DONE
    said = session().scalars(select(AuditAction.reason).where(AuditAction.name == "task.finish")).one()
    assert said == "Reached by phone. Comes an hour later."


def test_seven_calls_cost_no_more_statements_than_two(app: Flask, world: World) -> None:
    ada = signed_in(app, world.ada)
    [called(world, world.person(name, Role.STUDENT), f"Call {name}") for name in ("Una", "Uli")]
    ada.get(CALLS)
    with statements() as few:
        ada.get(CALLS)
    [
        called(world, world.person(name, Role.STUDENT), f"Call {name}")
        for name in ("Vera", "Vito", "Viola", "Vlad", "Vroni")
    ]

    with statements() as many:
        ada.get(CALLS)

    assert len(many) == len(few)
