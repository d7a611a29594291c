"""Whoever sees contact data in clear is written down: who read this number last month has an answer."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.identity.models import User
from guitaronline.identity.privacy_models import ContactReading
from jobs import cleaning
from tests.admin.browser import signed_in, words
from tests.world import World


@pytest.fixture
def eve(world: World) -> User:
    return world.person("Eve", Role.STUDENT, phone="+49 30 5550199")


def readings(db: Session) -> list[tuple[object, object, int]]:
    db.rollback()
    found = db.scalars(select(ContactReading).order_by(ContactReading.id))
    return [(each.person_id, each.reader_id, each.times) for each in found]


def test_support_that_opens_a_person_is_written_down_once_a_day(
    app: Flask, world: World, db: Session, eve: User
) -> None:
    browser = signed_in(app, world.sue)

    browser.get("/admin/people/")
    before = readings(db)
    pages = [browser.get(f"/admin/people/details/?id={eve.id}") for _ in range(2)]

    assert "5550199" in pages[0].text
    assert before == []
    assert readings(db) == [(eve.id, world.sue.id, 2)]


def test_who_sees_it_masked_is_not_and_who_reveals_it_is(app: Flask, world: World, db: Session, eve: User) -> None:
    browser = signed_in(app, world.finn)

    browser.get(f"/admin/people/details/?id={eve.id}")
    masked = readings(db)
    browser.post(f"/admin/people/{eve.id}/contacts", {"reason": "the bank asks"})
    browser.get(f"/admin/people/details/?id={eve.id}")

    assert masked == []
    assert readings(db) == [(eve.id, world.finn.id, 1)]


@pytest.mark.parametrize("path", ["/admin/people/{}/edit", "/admin/people/{}/invite"])
def test_forms_that_show_it_count_too(app: Flask, world: World, db: Session, eve: User, path: str) -> None:
    signed_in(app, world.ada).get(path.format(eve.id))

    assert readings(db) == [(eve.id, world.ada.id, 1)]


def test_the_auditor_finds_who_read_a_students_number(app: Flask, world: World, eve: User) -> None:
    signed_in(app, world.sue).get(f"/admin/people/details/?id={eve.id}")
    today = world.now.date().isoformat()

    page = words(signed_in(app, world.audrey).get(f"/admin/contact-readings/?person={eve.reference}&day={today}").text)
    nobody = words(signed_in(app, world.audrey).get(f"/admin/contact-readings/?person={world.ann.reference}").text)

    assert "Sue" in page
    assert "Sue" not in nobody
    assert signed_in(app, world.finn).get("/admin/contact-readings/").status_code == 403


def test_a_line_is_kept_for_more_than_a_year(app: Flask, world: World, db: Session, eve: User) -> None:
    signed_in(app, world.sue).get(f"/admin/people/details/?id={eve.id}")
    db.rollback()
    row = db.scalars(select(ContactReading)).one()
    row.last_at = row.last_at.replace(year=row.last_at.year - 2)
    db.commit()

    assert cleaning.delete("contact_readings") == 1
    assert readings(db) == []
