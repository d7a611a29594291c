"""Registering, signing in and out, oneself."""

from __future__ import annotations

from datetime import timedelta

from guitaronline import clock, policy
from guitaronline.identity.service import change_password, set_password
from tests.api.conftest import Answer, Api
from tests.world import PASSWORD, World, as_actor

NEW = {
    "email": "new@people.example",
    "password": "a quiet evening song",
    "full_name": "New Person",
    "timezone": "Europe/Berlin",
}


def signed(pair: Answer) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair.json['access_token']}"}


def test_registering_makes_a_student_who_can_sign_in(api: Api) -> None:
    made = api.post("/identity/auth/register", NEW)
    pair = api.post("/identity/auth/login", {"email": "NEW@people.example", "password": NEW["password"]})
    me = api.get("/identity/users/me", headers=signed(pair))

    assert made.status == 201
    assert {name: made.json[name] for name in ("email", "full_name", "timezone", "role", "is_active")} == {
        "email": "new@people.example", "full_name": "New Person", "timezone": "Europe/Berlin", "role": "student", "is_active": True,
    }  # fmt: skip
    assert (pair.json["token_type"], pair.json["expires_in"]) == ("bearer", 1800)
    assert me.json == made.json


def test_registering_with_another_role_is_refused(api: Api) -> None:
    assert api.post("/identity/auth/register", {**NEW, "role": "admin"}).status == 422
    assert api.post("/identity/auth/register", {**NEW, "role": "student"}).status == 201


def test_a_taken_address_is_refused(api: Api) -> None:
    api.post("/identity/auth/register", NEW)
    refused = api.post("/identity/auth/register", {**NEW, "email": "New@People.example"})
    assert (refused.status, refused.code) == (409, "email_taken")


def test_everything_wrong_with_a_registration_is_listed(api: Api) -> None:
    refused = api.post("/identity/auth/register", {"email": "nobody", "password": "short", "timezone": "Mars/Base"})
    assert refused.status == 422
    assert {pointer for pointer, _ in refused.reasons} == {"/email", "/password", "/timezone"}


def test_a_wrong_password_and_an_unknown_address_look_alike(api: Api, world: World) -> None:
    wrong = api.post("/identity/auth/login", {"email": world.ann.email, "password": "wrong"})
    unknown = api.post("/identity/auth/login", {"email": "who@people.example", "password": "wrong"})
    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


def test_a_refresh_token_is_good_once(api: Api) -> None:
    api.post("/identity/auth/register", NEW)
    first = api.post("/identity/auth/login", {"email": NEW["email"], "password": NEW["password"]})

    second = api.post("/identity/auth/refresh", {"refresh_token": first.json["refresh_token"]})
    old = api.get("/identity/users/me", headers=signed(first))
    new = api.get("/identity/users/me", headers=signed(second))
    with clock.moved_by(timedelta(seconds=21)):
        reused = api.post("/identity/auth/refresh", {"refresh_token": first.json["refresh_token"]})
        after = api.get("/identity/users/me", headers=signed(second))

    assert (second.status, old.status, new.status) == (200, 401, 200)
    assert (reused.status, reused.code) == (401, "refresh_token_invalid")
    assert after.status == 401


def test_signing_out_ends_this_device_only(api: Api) -> None:
    api.post("/identity/auth/register", NEW)
    login = {"email": NEW["email"], "password": NEW["password"]}
    phone, tablet = api.post("/identity/auth/login", login), api.post("/identity/auth/login", login)

    done = api.post("/identity/auth/logout", headers=signed(phone))

    assert (done.status, done.text) == (204, "")
    assert api.get("/identity/users/me", headers=signed(phone)).status == 401
    assert api.get("/identity/users/me", headers=signed(tablet)).status == 200


def test_name_and_zone_can_be_edited_and_nothing_else(api: Api, world: World) -> None:
    done = api.patch("/identity/users/me", {"full_name": "Ann Field", "timezone": "Asia/Tokyo"}, world.ann)
    refused = api.patch("/identity/users/me", {"role": "admin", "email": "x@people.example"}, world.ann)
    unknown = api.patch("/identity/users/me", {"timezone": "Mars/Base"}, world.ann)
    assert (done.status, done.json["full_name"], done.json["timezone"]) == (200, "Ann Field", "Asia/Tokyo")
    assert (refused.status, [code for _, code in refused.reasons]) == (422, ["unknown_field", "unknown_field"])
    assert unknown.status == 422


def test_changing_the_password_keeps_this_device_and_ends_the_others(api: Api, world: World) -> None:
    set_password(as_actor(world.ada), world.ann.id, password=PASSWORD)
    login = {"email": world.ann.email, "password": PASSWORD}
    phone, tablet = api.post("/identity/auth/login", login), api.post("/identity/auth/login", login)
    change = {"current_password": PASSWORD, "new_password": "an entirely new refrain"}

    wrong = api.post("/identity/users/me/password", {**change, "current_password": "no"}, headers=signed(phone))
    unfit = api.post("/identity/users/me/password", {**change, "new_password": "short"}, headers=signed(phone))
    done = api.post("/identity/users/me/password", change, headers=signed(phone))

    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    assert (unfit.status, unfit.reasons[0][0]) == (422, "/new_password")
    assert done.status == 204
    assert api.get("/identity/users/me", headers=signed(phone)).status == 200
    assert api.get("/identity/users/me", headers=signed(tablet)).status == 401
    assert change_password is not None


def test_too_many_wrong_passwords_are_429_with_retry_after(api: Api, world: World) -> None:
    with policy.changed(LOGIN_MAX_FAILURES=2):
        for _ in range(2):
            api.post("/identity/auth/login", {"email": world.ann.email, "password": "wrong"})
        refused = api.post("/identity/auth/login", {"email": world.ann.email, "password": "wrong"})
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    assert int(refused.headers["Retry-After"]) > 0
