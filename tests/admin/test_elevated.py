"""Elevated accounts: who may more than others, since when, by whom, and whether anybody uses the account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.db import session
from guitaronline.identity import elevated
from guitaronline.identity.models import User
from guitaronline.identity.service import set_role
from tests.admin.browser import Browser, signed_in, words
from tests.admin.test_exports import export, rows
from tests.by_hand import by_hand
from tests.world import World, as_actor

LIST = "/admin/elevated-accounts/"


@pytest.fixture
def ada(app: Flask, world: World) -> Browser:
    assert [world.ann, world.sue, world.finn]
    return signed_in(app, world.ada)


def test_the_list_has_staff_and_nobody_else(ada: Browser, world: World) -> None:
    assert world.tom
    page = words(ada.get(LIST).text)

    assert all(name in page for name in ("Sue", "Finn", "Ada"))
    assert "Ann" not in page
    assert "Tom" not in page


def test_it_says_who_gave_the_role(ada: Browser, world: World) -> None:
    set_role(as_actor(world.ada), world.ann.id, role=Role.SUPPORT, reason="hired")

    found = elevated.grants(session(), [world.ann.id, world.sue.id])

    assert (found[world.ann.id].by, found[world.ann.id].name) == (world.ada.id, "Ada")
    assert (found[world.sue.id].by, found[world.sue.id].kind) == (None, "system")
    assert "Ann" in words(ada.get(f"{LIST}?role=support").text)


def test_a_name_that_leads_to_a_person_leads_to_their_page(ada: Browser, world: World) -> None:
    assert f"/admin/people/details/?id={world.sue.id}" in ada.get(LIST).text


@pytest.mark.parametrize(("days", "is_unused"), [(89, False), (91, True)])
def test_an_account_that_nobody_used_for_90_days_is_found(
    app: Flask, ada: Browser, world: World, db: Session, days: int, is_unused: bool
) -> None:
    moment = world.now - timedelta(days=days)
    by_hand(db, "UPDATE users SET created_at = now() - interval '1 year'")
    signed_in(app, world.sue)
    db.execute(
        text("UPDATE console_sessions SET last_seen_at = :at WHERE user_id = :id"), {"at": moment, "id": world.sue.id}
    )
    db.commit()

    page = words(ada.get(f"{LIST}?used=not_for_90_days").text)

    assert ("Sue" in page, "Finn" in page) == (is_unused, True)


def test_signed_in_counts_what_is_open_now(app: Flask, world: World) -> None:
    signed_in(app, world.sue)
    signed_in(app, world.sue)
    now = clock.read(session())

    found = elevated.uses(session(), [world.sue.id], now)
    later = elevated.uses(session(), [world.sue.id], now + timedelta(days=2))

    assert (found[world.sue.id].open, later[world.sue.id].open) == (2, 0)


def test_the_file_says_what_the_page_says(ada: Browser, world: World) -> None:
    set_role(as_actor(world.ada), world.ann.id, role=Role.AUDITOR, reason="hired")

    heading, *found = rows(export(ada, "elevated-accounts", search="Ann"))

    ann = dict(zip(heading, found[0], strict=True))
    assert (ann["Role"], ann["Given by"], ann["Signed in"], ann["Authenticator"]) == ("auditor", "Ada", "0", "no")
    assert len(found) == 1


def test_the_record_page_offers_to_end_it(ada: Browser, world: World) -> None:
    page = ada.get(f"{LIST}details/?id={world.sue.id}")
    student = ada.get(f"{LIST}details/?id={world.ann.id}")

    assert (page.status_code, student.status_code) == (200, 404)
    assert f"/admin/people/{world.sue.id}/deactivate" in page.text
    assert isinstance(world.sue, User)
