"""Masked personal data is shown to who asked for it, with a reason, for ten minutes; each time is in the audit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.audit.models import AuditAction
from guitaronline.db import session
from guitaronline.errors import DomainError, NotAllowed, NotFound
from guitaronline.identity import service as identity
from guitaronline.identity.models import User
from guitaronline.identity.refusals import ReasonRequired
from guitaronline.office import reveals
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import actions
from tests.world import World, as_actor

WHY = {"reason": "the bank sent the money back"}


@pytest.fixture
def eve(world: World) -> User:
    return world.person("Eve", Role.STUDENT, phone="+49 30 5550199")


def shows(browser: Browser, person: User) -> tuple[bool, bool]:
    page = browser.get(f"/admin/people/details/?id={person.id}").text
    return "eve@people.example" in page, "5550199" in page


def last(name: str) -> AuditAction:
    session().rollback()
    return (
        session().scalars(select(AuditAction).where(AuditAction.name == name).order_by(AuditAction.id.desc())).all()[0]
    )


@pytest.mark.parametrize("who", ["finn", "audrey"])
def test_contacts_are_shown_after_a_reason_and_it_is_written_down(
    app: Flask, world: World, eve: User, who: str
) -> None:
    browser = signed_in(app, getattr(world, who))
    masked = shows(browser, eve)

    answer = browser.post(f"/admin/people/{eve.id}/contacts", WHY)

    assert masked == (False, False)
    assert answer.status_code == 303
    assert shows(browser, eve) == (True, True)
    written = last("person.reveal_contacts")
    assert (written.actor_id, written.record_id, written.reason) == (getattr(world, who).id, eve.id, WHY["reason"])


def test_contacts_are_shown_to_who_asked_and_of_that_person_alone(app: Flask, world: World, eve: User) -> None:
    zoe = world.person("Zoe", Role.STUDENT, phone="+49 30 5550777")
    finance, auditor = signed_in(app, world.finn), signed_in(app, world.audrey)

    finance.post(f"/admin/people/{eve.id}/contacts", WHY)

    assert shows(auditor, eve) == (False, False)
    assert "5550777" not in finance.get(f"/admin/people/details/?id={zoe.id}").text
    assert "eve@people.example" not in finance.get("/admin/people/").text


def test_contacts_are_masked_again_after_ten_minutes(app: Flask, world: World, eve: User) -> None:
    browser = signed_in(app, world.finn)
    browser.post(f"/admin/people/{eve.id}/contacts", WHY)

    with clock.moved_by(timedelta(minutes=9)):
        before = shows(browser, eve)
    with clock.moved_by(timedelta(minutes=11)):
        after = shows(browser, eve)

    assert (before, after) == ((True, True), (False, False))


def test_without_a_reason_nothing_is_shown_and_nothing_written(app: Flask, world: World, eve: User) -> None:
    browser = signed_in(app, world.finn)

    answer = browser.post(f"/admin/people/{eve.id}/contacts", {"reason": " "})

    assert answer.status_code == 422
    assert shows(browser, eve) == (False, False)
    assert actions("person.reveal_contacts") == 0


def test_asking_with_get_shows_nothing(app: Flask, world: World, eve: User) -> None:
    browser = signed_in(app, world.finn)

    page = browser.get(f"/admin/people/{eve.id}/contacts?reason=curious").text

    assert "5550199" not in page
    assert shows(browser, eve) == (False, False)


def test_support_reads_contacts_on_the_page_without_asking(app: Flask, world: World, eve: User) -> None:
    assert shows(signed_in(app, world.sue), eve) == (True, True)
    assert actions("person.reveal_contacts") == 0


def test_a_guardians_phone_stands_on_the_childs_page_for_who_calls(app: Flask, world: World, eve: User) -> None:
    child = world.person("Mia", Role.STUDENT, email=None)
    identity.add_guardian(as_actor(world.ada), child.id, guardian_id=eve.id)

    pages = [
        signed_in(app, person).get(f"/admin/people/details/?id={child.id}").text for person in (world.sue, world.finn)
    ]

    assert ["5550199" in page for page in pages] == [True, False]


def test_digests_are_shown_in_clear_after_a_reason_and_it_is_written_down(app: Flask, world: World, eve: User) -> None:
    auditor = signed_in(app, world.audrey)
    created = session().scalars(select(AuditAction).where(AuditAction.record_id == eve.id)).one()
    url = f"/admin/audit/details/?id={created.id}"
    before = auditor.get(url).text

    auditor.post(f"/admin/audit/{created.id}/reveal", WHY)

    assert "5550199" not in before
    assert "phone nothing +49 30 5550199" in words(auditor.get(url).text)
    assert "5550199" not in signed_in(app, world.ada).get(url).text
    assert last("audit.reveal").record_id == created.id


def test_digests_stay_hidden_after_ten_minutes(app: Flask, world: World, eve: User) -> None:
    auditor = signed_in(app, world.audrey)
    created = session().scalars(select(AuditAction).where(AuditAction.record_id == eve.id)).one()
    auditor.post(f"/admin/audit/{created.id}/reveal", WHY)

    with clock.moved_by(timedelta(minutes=11)):
        page = auditor.get(f"/admin/audit/details/?id={created.id}").text

    assert "5550199" not in page


def test_finance_reveals_no_action_that_it_may_not_read(app: Flask, world: World, eve: User) -> None:
    created = session().scalars(select(AuditAction).where(AuditAction.record_id == eve.id)).one()

    finance = signed_in(app, world.finn)
    opened = finance.get("/admin/account/password").text

    answer = finance.post(f"/admin/audit/{created.id}/reveal", WHY, opened=opened)

    assert answer.status_code == 404
    assert actions("audit.reveal") == 0


@pytest.mark.parametrize(
    ("who", "reason", "refusal"),
    [
        ("sue", "why", NotAllowed),
        ("tom", "why", NotAllowed),
        ("ann", "why", NotAllowed),
        ("finn", "", ReasonRequired),
        ("finn", "why", NotFound),
    ],
)
def test_the_command_refuses_by_itself(
    world: World, eve: User, who: str, reason: str, refusal: type[DomainError]
) -> None:
    created = session().scalars(select(AuditAction).where(AuditAction.record_id == eve.id)).one()

    with pytest.raises(refusal):
        reveals.reveal_action(as_actor(getattr(world, who)), created.id, reason=reason)
