"""The audit desk: what it can be asked for, and what it shows of one action."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from guitaronline import clock, unit_of_work
from guitaronline.actor import Role
from guitaronline.admin.audit_filters import GROUPS
from guitaronline.audit.models import AuditAction
from guitaronline.db import session
from guitaronline.identity import service as identity
from tests.admin.browser import Browser, links, signed_in, words
from tests.admin.conftest import School, actions
from tests.world import World, as_actor


def listed(browser: Browser, query: str) -> list[str]:
    """The names of the actions on the list's page, as people read them, in their order."""
    page = browser.get(f"/admin/audit/?{query}").text
    return re.findall(r'/audit/details/\?id=[0-9a-f-]+">([A-Z][a-z]+: [a-z ]+)</a>', page)


def action(name: str) -> AuditAction:
    session().rollback()
    return session().scalars(select(AuditAction).where(AuditAction.name == name)).one()


def test_a_reference_finds_all_that_was_done_to_the_record_and_nothing_else(ada: Browser, school: School) -> None:
    assert [school.booked, school.held]

    found = listed(ada, f"about={school.booked.reference.lower()}")

    assert found == ["Booking: confirm", "Booking: hold"]


def test_a_record_is_found_where_another_action_changed_it_on_the_way(ada: Browser, school: School) -> None:
    assert school.booked

    found = listed(ada, f"about=packages/{school.package.id}")

    assert found == ["Booking: confirm", "Booking: hold", "Package: grant"]


@pytest.mark.parametrize("typed", ["BK-00000", "XX-12345", "users/not-an-id", "no_table/1", "%00", "x" * 3000])
def test_what_is_no_record_is_said_in_words(ada: Browser, typed: str) -> None:
    answer = ada.get(f"/admin/audit/?about={typed}")

    assert answer.status_code == 200
    assert "means nothing" in words(answer.text) or typed == "%00"


def test_a_group_finds_its_actions_only(ada: Browser, school: School) -> None:
    assert [school.booked, school.open_task]

    assert set(listed(ada, "group=notes+and+tasks")) == {"Task: create"}
    assert set(listed(ada, "group=bookings")) == {"Booking: hold", "Booking: confirm"}


def test_every_command_belongs_to_a_group() -> None:
    beginnings = tuple(beginning for group in GROUPS.values() for beginning in group)

    assert len(unit_of_work.command_names) > 50
    assert {name for name in unit_of_work.command_names if not name.startswith((*beginnings, "test."))} == set()


def test_a_day_finds_what_was_done_on_it_newest_first(ada: Browser, world: World) -> None:
    with clock.moved_by(timedelta(days=-40)):
        old = world.person("Eve", Role.STUDENT)
        identity.edit_person(as_actor(world.ada), old.id, changes={"level": "new"})
    identity.edit_person(as_actor(world.ada), old.id, changes={"level": "better"})
    day = (world.now - timedelta(days=40)).date().isoformat()

    assert listed(ada, f"about=users/{old.id}&day={day}") == ["Person: edit", "Person: create"]
    assert listed(ada, f"about=users/{old.id}&day=today") == ["Person: edit"]


def test_the_newest_stands_first_by_the_schools_clock(ada: Browser, world: World) -> None:
    eve = world.person("Eve", Role.STUDENT)
    with clock.moved_by(timedelta(days=-3)):
        identity.deactivate_person(as_actor(world.ada), eve.id, reason="moved away")

    assert listed(ada, f"about=users/{eve.id}") == ["Person: create", "Person: deactivate"]


def test_a_person_is_found_by_name_and_shown_as_a_chip(ada: Browser, world: World) -> None:
    identity.write_note(as_actor(world.sue), record_type="users", record_id=world.ann.id, body="hello")

    assert listed(ada, "search=sue") == ["Note: write"]
    assert "Who: Sue" in words(ada.get(f"/admin/audit/?actor={world.sue.id}").text)


def test_all_of_one_request_is_a_click_away(ada: Browser, world: World) -> None:
    request = unit_of_work.Request(request_id="phone-call-17", address="192.0.2.7")
    token = unit_of_work.request.set(request)
    eve = world.person("Eve", Role.STUDENT)
    identity.write_note(as_actor(world.sue), record_type="users", record_id=eve.id, body="hello")
    unit_of_work.request.reset(token)
    page = ada.get(f"/admin/audit/details/?id={action('note.write').id}").text

    assert "phone-call-17" in page
    assert "192.0.2.7" in page
    assert "Person: create" in words(page)
    assert "Note: write" in listed(ada, f"request={action('note.write').id}")
    assert "Person: set password" not in listed(ada, f"request={action('note.write').id}")


def test_a_request_that_a_role_may_not_read_finds_nothing(app: Flask, world: World) -> None:
    world.slot()

    answer = signed_in(app, world.sue).get(f"/admin/audit/?request={action('slot.create').id}")

    assert "means nothing" in words(answer.text)


def test_the_page_of_an_action_counts_what_it_changed(ada: Browser, school: School) -> None:
    assert school.booked

    page = words(ada.get(f"/admin/audit/details/?id={action('booking.confirm').id}").text)

    assert "Kind Made Changed Removed booking 0 1 0 ledger entry 1 0 0 lesson 1 0 0 package 0 1 0" in page


def test_reading_the_audit_leaves_no_action(ada: Browser, school: School) -> None:
    assert school.booked
    before = actions()

    opened = [ada.get(url).status_code for url in links(ada.get("/admin/audit/").text) if "/audit/" in url]

    assert set(opened) == {200}
    assert actions() == before
