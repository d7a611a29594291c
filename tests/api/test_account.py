"""Forgotten passwords and confirmed addresses, as apps see them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.audit.models import OutboxEvent
from guitaronline.identity import links
from guitaronline.identity.models import SignInLink
from tests.api.conftest import Api
from tests.world import World

NEW = {"email": "new@people.example", "password": "a quiet evening song"}


def newest(db: Session) -> str:
    """The token of the newest link."""
    db.rollback()
    link = db.scalars(select(SignInLink).order_by(SignInLink.id.desc()).limit(1)).one()
    return links.token_of(link.purpose, link.id)


def test_a_known_and_an_unknown_address_are_answered_alike(api: Api, world: World) -> None:
    known = api.post("/identity/auth/password/forgot", {"email": world.ann.email})
    unknown = api.post("/identity/auth/password/forgot", {"email": "who@people.example"})
    no_address = api.post("/identity/auth/password/forgot", {"email": "no address"})

    assert [(each.status, each.text) for each in (known, unknown, no_address)] == [(202, "")] * 3
    assert {**known.headers, "X-Request-ID": ""} == {**unknown.headers, "X-Request-ID": ""}


def test_asking_too_often_about_one_account_is_answered_alike(api: Api, db: Session, world: World) -> None:
    answers = [api.post("/identity/auth/password/forgot", {"email": world.ann.email}).status for _ in range(5)]

    assert answers == [202] * 5
    assert len(db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "person.password_forgotten")).all()) == 3


def test_asking_too_often_from_one_address_is_429(api: Api) -> None:
    answers = [api.post("/identity/auth/password/forgot", {"email": f"who{n}@people.example"}) for n in range(31)]

    assert {each.status for each in answers[:30]} == {202}
    assert (answers[30].status, answers[30].code) == (429, "too_many_attempts")
    assert int(answers[30].headers["Retry-After"]) > 0


def test_a_link_sets_a_password_once(api: Api, db: Session, world: World) -> None:
    api.post("/identity/auth/password/forgot", {"email": world.ann.email})
    body = {"token": newest(db), "password": "eight brass trumpets play"}

    unfit = api.post("/identity/auth/password/reset", {**body, "password": "short"})
    done = api.post("/identity/auth/password/reset", body)
    again = api.post("/identity/auth/password/reset", body)
    login = api.post("/identity/auth/login", {"email": world.ann.email, "password": body["password"]})

    assert (unfit.status, unfit.reasons) == (422, [("/password", "password_too_short")])
    assert (done.status, done.text) == (204, "")
    assert (again.status, again.code) == (404, "link_invalid")
    assert login.status == 200


def test_a_link_confirms_an_address_once(api: Api, db: Session) -> None:
    api.post("/identity/auth/register", NEW)
    body = {"token": newest(db)}

    done = api.post("/identity/auth/verify-email", body)
    again = api.post("/identity/auth/verify-email", body)

    assert (done.status, done.text) == (204, "")
    assert (again.status, again.code) == (404, "link_invalid")


def test_an_unconfirmed_address_may_sign_in(api: Api) -> None:
    api.post("/identity/auth/register", NEW)

    assert api.post("/identity/auth/login", NEW).status == 200


def test_a_device_seen_first_today_is_told_to_who_has_another(api: Api, db: Session) -> None:
    api.post("/identity/auth/register", NEW)
    api.post("/identity/auth/login", {**NEW, "device_label": "phone"})
    api.post("/identity/auth/login", {**NEW, "device_label": "phone"})
    told_before = db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "person.new_device")).all()

    api.post("/identity/auth/login", {**NEW, "device_label": "tablet"})

    db.rollback()
    assert told_before == []
    assert len(db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "person.new_device")).all()) == 1
