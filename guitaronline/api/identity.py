"""/identity: registering, signing in and out, one's own profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import g, request

from guitaronline import clock
from guitaronline.actor import ANONYMOUS, Actor
from guitaronline.api.endpoint import PUBLIC, SIGNED_IN, Answer, Resource
from guitaronline.api.limits import address
from guitaronline.api.schemas.identity import (
    AddressWanted,
    Devices,
    Forgotten,
    Login,
    PasswordChange,
    Refresh,
    Registration,
    Reset,
    Tokens,
    UserEdit,
    UserOut,
    Verification,
    devices_json,
    tokens_json,
    user_json,
)
from guitaronline.db import session
from guitaronline.identity import service, tokens
from guitaronline.identity.models import User
from guitaronline.identity.signed_in_devices import Device, devices_of

resource = Resource("identity", "Who you are")


@resource.endpoint(
    "POST",
    "/auth/register",
    Answer(201, UserOut, user_json),
    who=PUBLIC,
    body=Registration,
    limit="register",
    refuses=(service.EmailTaken, service.PersonInvalid),
)
def register(actor: Actor, body: dict[str, Any]) -> User:
    """Register as a student"""
    body.pop("role", None)
    return service.register_student(ANONYMOUS, **body)


@resource.endpoint(
    "POST",
    "/auth/login",
    Answer(200, Tokens, tokens_json),
    who=PUBLIC,
    body=Login,
    limit="login",
    refuses=(
        service.InvalidCredentials,
        service.OtpRequired,
        service.OtpInvalid,
        service.OtpUsed,
        service.TotpNotSetUp,
        service.TotpUnreadable,
        service.TooManyAttempts,
    ),
)
def login(actor: Actor, body: dict[str, Any]) -> tokens.TokenPair:
    """Sign in: a pair of tokens for this device"""
    return tokens.login(
        body["email"],
        body["password"],
        otp=body.get("otp"),
        device_label=body.get("device_label"),
        agent=request.user_agent.string,
        address=address(),
    )


@resource.endpoint(
    "POST",
    "/auth/refresh",
    Answer(200, Tokens, tokens_json),
    who=PUBLIC,
    body=Refresh,
    refuses=(service.RefreshTokenInvalid,),
)
def refresh(actor: Actor, body: dict[str, Any]) -> tokens.TokenPair:
    """A new pair of tokens for a refresh token; each is good once"""
    return tokens.refresh(body["refresh_token"])


@resource.endpoint("POST", "/auth/logout", Answer(204, words="This device is signed out"), who=SIGNED_IN)
def logout(actor: Actor) -> None:
    """Sign this device out"""
    tokens.logout(actor, g.signed.family_id)


@resource.endpoint(
    "POST",
    "/auth/password/forgot",
    Answer(202, words="Whoever has this address is sent a link, if anybody has"),
    who=PUBLIC,
    body=Forgotten,
    refuses=(service.TooManyAttempts,),
)
def forgot_password(actor: Actor, body: dict[str, Any]) -> None:
    """Ask for a link to choose a new password"""
    service.forgot_password(body["email"], address=address())


@resource.endpoint(
    "POST",
    "/auth/password/reset",
    Answer(204, words="The password is set; every device is signed out"),
    who=PUBLIC,
    body=Reset,
    limit="login",
    refuses=(service.LinkInvalid, service.PasswordUnfit),
)
def reset_password(actor: Actor, body: dict[str, Any]) -> None:
    """Choose a new password with the token of a link that was mailed"""
    service.reset_password(ANONYMOUS, token=body["token"], password=body["password"])


@resource.endpoint(
    "POST",
    "/auth/verify-email",
    Answer(204, words="The address is confirmed"),
    who=PUBLIC,
    body=Verification,
    refuses=(service.LinkInvalid,),
)
def verify_email(actor: Actor, body: dict[str, Any]) -> None:
    """Confirm one's address with the token of a link that was mailed"""
    service.verify_email(ANONYMOUS, token=body["token"])


@resource.endpoint("GET", "/users/me", Answer(200, UserOut, user_json), who=SIGNED_IN, tagged=True)
def me(actor: Actor) -> User | None:
    """Oneself"""
    return session().get(User, actor.id)


@resource.endpoint(
    "PATCH",
    "/users/me",
    Answer(200, UserOut, user_json),
    who=SIGNED_IN,
    body=UserEdit,
    tagged=True,
    edits="me",
    refuses=(service.PersonInvalid,),
)
def edit_me(actor: Actor, body: dict[str, Any]) -> User:
    """Change one's name or time zone"""
    assert actor.id is not None
    return service.edit_person(actor, actor.id, changes=body)


@resource.endpoint(
    "POST",
    "/users/me/password",
    Answer(204, words="The password is changed"),
    who=SIGNED_IN,
    body=PasswordChange,
    limit="login",
    refuses=(service.InvalidCredentials, service.PasswordUnfit, service.TooManyAttempts),
)
def change_password(actor: Actor, body: dict[str, Any]) -> None:
    """Change one's password"""
    try:
        service.change_password(
            actor,
            old=body["current_password"],
            new=body["new_password"],
            keep_family=g.signed.family_id,
            address=address(),
        )
    except service.PasswordUnfit as unfit:
        reasons = [replace(reason, pointer="/new_password") for reason in unfit.reasons]
        raise service.PasswordUnfit(reasons=reasons) from None


@resource.endpoint(
    "POST",
    "/users/me/email",
    Answer(202, words="A link is on its way to the new address; nothing changes before it is followed"),
    who=SIGNED_IN,
    body=AddressWanted,
    limit="login",
    refuses=(
        service.InvalidCredentials,
        service.PersonInvalid,
        service.SameAddress,
        service.EmailTaken,
        service.MailIsOff,
        service.TooManyAttempts,
    ),
)
def change_email(actor: Actor, body: dict[str, Any]) -> None:
    """Ask to be written to at another address"""
    service.ask_to_change(actor, email=body["email"], password=body["current_password"], address=address())


@resource.endpoint("GET", "/users/me/devices", Answer(200, Devices, devices_json), who=SIGNED_IN)
def devices(actor: Actor) -> tuple[list[Device], UUID]:
    """Where one is signed in: browsers and apps, the last used first"""
    assert actor.id is not None
    return devices_of(session(), actor.id, now=clock.read(session())), g.signed.family_id


@resource.endpoint(
    "POST", "/users/me/devices/<uuid:device_id>/sign-out", Answer(204, words="The device is signed out"), who=SIGNED_IN
)
def sign_out_device(actor: Actor, device_id: UUID) -> None:
    """Sign one of one's devices out"""
    assert actor.id is not None
    service.sign_out_device(actor, actor.id, device_id=device_id)


@resource.endpoint(
    "POST", "/users/me/sign-out-elsewhere", Answer(204, words="Every other device is signed out"), who=SIGNED_IN
)
def sign_out_elsewhere(actor: Actor) -> None:
    """Sign every other device out"""
    assert actor.id is not None
    service.sign_out_elsewhere(actor, actor.id, keep_family=g.signed.family_id)
