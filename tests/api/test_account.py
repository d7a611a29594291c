"""Forgotten passwords and confirmed addresses, as apps see them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import ANONYMOUS, SYSTEM
from guitaronline.audit.models import OutboxEvent
from guitaronline.identity import links
from guitaronline.identity.models import SignInLink
from guitaronline.identity.service import change_address, set_password
from tests.api.conftest import Api
from tests.api.test_permissions import Scene
from tests.signing_in import signed_in_app, with_app
from tests.world import PASSWORD, World

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


def test_a_change_of_address_waits_for_the_link(api: Api, db: Session, world: World) -> None:
    set_password(SYSTEM, world.ann.id, password=PASSWORD)
    body = {"email": "ann@new.example", "current_password": PASSWORD}

    wrong = api.post("/identity/users/me/email", {**body, "current_password": "no"}, world.ann)
    taken = api.post("/identity/users/me/email", {**body, "email": world.ben.email}, world.ann)
    asked = api.post("/identity/users/me/email", body, world.ann)
    before = world.again(world.ann).email
    change_address(ANONYMOUS, token=newest(db))

    assert [(each.status, each.code) for each in (wrong, taken)] == [(401, "invalid_credentials"), (409, "email_taken")]
    assert (asked.status, asked.text) == (202, "")
    assert before == "ann@people.example"
    assert world.again(world.ann).email == "ann@new.example"


def test_ones_devices_are_listed_and_signed_out(api: Api, world: World) -> None:
    phone = signed_in_app(world.ann, address="192.0.2.9")
    listed = api.get("/identity/users/me/devices", world.ann).json["items"]

    one = api.post(f"/identity/users/me/devices/{phone.id}/sign-out", who=world.ann)
    of_another = api.post(f"/identity/users/me/devices/{listed[0]['id']}/sign-out", who=world.ben)
    rest = api.post("/identity/users/me/sign-out-elsewhere", who=world.ann)
    left = api.get("/identity/users/me/devices", world.ann).json["items"]

    assert sorted((each["name"] or "", each["address"], each["is_current"]) for each in listed) == [
        ("", None, True),
        ("phone", "192.0.2.9", False),
    ]
    assert (one.status, of_another.status, rest.status) == (204, 404, 204)
    assert [each["is_current"] for each in left] == [True]


def test_a_refund_needs_a_fresh_sign_in_of_people_with_an_app(api: Api, world: World) -> None:
    paid = Scene(world).payment(paid=True)
    refund = {"amount_minor": 1, "reason": "ill"}
    with clock.moved_by(timedelta(minutes=-15)):
        old = {"Authorization": f"Bearer {api.token(world.finn)}"}
    without_app = api.post(f"/billing/payments/{paid}/refunds", refund, headers=old)
    secret = with_app(world.finn)  # signs out
    with clock.moved_by(timedelta(minutes=-15)):
        api.given.clear()
        old = {"Authorization": f"Bearer {api.token(world.finn)}"}
    api.given.clear()

    stale = api.post(f"/billing/payments/{paid}/refunds", refund, headers=old)
    whole = api.patch(f"/billing/payments/{paid}/status", {"status": "refunded", "reason": "ill"}, headers=old)
    reading = api.get(f"/billing/payments/{paid}/refunds", headers=old)
    fresh = api.post(f"/billing/payments/{paid}/refunds", refund, world.finn)

    assert secret
    assert without_app.status == 201
    assert [(each.status, each.code) for each in (stale, whole)] == [(403, "step_up_required")] * 2
    assert (reading.status, fresh.status) == (200, 201)


def test_where_an_app_is_required_a_token_without_one_opens_nothing(api: Api, world: World) -> None:
    token = {"Authorization": f"Bearer {api.token(world.sue)}"}
    with policy.changed(STAFF_TOTP="required"):
        answer = api.get("/identity/users/me", headers=token)

    assert (answer.status, answer.code) == (403, "totp_not_set_up")
