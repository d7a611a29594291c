from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import fields

from guitaronline.actor import PERSON_ROLES, Role
from guitaronline.api.fields import Input, OneOf, Output, Text
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.identity.models import User
from guitaronline.identity.signed_in_devices import Device
from guitaronline.identity.tokens import TokenPair

PASSWORD = {"description": "12 to 128 characters for students, 15 for teachers and staff; none of the common ones"}


class Registration(Input):
    email = Text(required=True, least=3, most=254, metadata={"example": "ann@people.example"})
    password = Text(required=True, least=1, most=1000, metadata={**PASSWORD, "example": "six silver strings sing"})
    full_name = Text(most=200, metadata={"example": "Ann Field"})
    timezone = Text(most=100, metadata={"description": "IANA name", "example": "Europe/Berlin"})
    role = OneOf([Role.STUDENT], metadata={"description": "registration makes students only"})


class Login(Input):
    email = Text(required=True, most=1000, metadata={"example": "ann@people.example"})
    password = Text(required=True, most=1000, metadata={"example": "six silver strings sing"})
    otp = Text(most=40, metadata={"description": "staff with a second factor: the six digits, or a recovery code"})
    device_label = Text(most=200, metadata={"example": "Ann's phone"})


class Refresh(Input):
    refresh_token = Text(required=True, most=200, metadata={"example": "gol_rt_…"})


class Forgotten(Input):
    email = Text(required=True, most=1000, metadata={"example": "ann@people.example"})


class Reset(Input):
    token = Text(
        required=True,
        most=200,
        metadata={"description": "the last part of the link in the mail", "example": "gol_pw_…"},
    )
    password = Text(required=True, least=1, most=1000, metadata={**PASSWORD, "example": "six silver strings sing"})


class Verification(Input):
    token = Text(
        required=True,
        most=200,
        metadata={"description": "the last part of the link in the mail", "example": "gol_ev_…"},
    )


class UserEdit(Input):
    full_name = Text(most=200, metadata={"example": "Ann Field"})
    timezone = Text(most=100, metadata={"description": "IANA name", "example": "Europe/Berlin"})


class PasswordChange(Input):
    current_password = Text(required=True, most=1000)
    new_password = Text(required=True, least=1, most=1000, metadata=PASSWORD)


class AddressWanted(Input):
    email = Text(required=True, most=1000, metadata={"example": "ann@new.example"})
    current_password = Text(required=True, most=1000, metadata={"example": "six silver strings sing"})


class DeviceOut(Output):
    id = fields.UUID(required=True)
    kind = fields.String(required=True, metadata={"enum": ["app", "browser"]})
    name = maybe(fields.String)
    address = maybe(fields.String)
    is_current = fields.Boolean(required=True)
    signed_in_at = time()
    last_used_at = time()


class Devices(Output):
    items = fields.List(fields.Nested(DeviceOut), required=True)
    next_cursor = maybe(fields.String, metadata={"description": "always null: nobody has more than fit"})


class Tokens(Output):
    access_token = fields.String(required=True, metadata={"example": "gol_at_…"})
    refresh_token = fields.String(required=True, metadata={"description": "single use", "example": "gol_rt_…"})
    token_type = fields.String(required=True, metadata={"enum": ["bearer"]})
    expires_in = fields.Integer(
        required=True, metadata={"description": "seconds the access token lasts", "example": 1800}
    )


class UserOut(Output):
    id = fields.UUID(required=True)
    email = maybe(fields.String)
    full_name = fields.String(required=True)
    timezone = fields.String(required=True)
    is_active = fields.Boolean(required=True)
    role = fields.String(required=True, metadata={"enum": sorted(PERSON_ROLES)})
    created_at = time()
    updated_at = time()


def user_json(user: User) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "email": user.email,
        "full_name": user.full_name,
        "timezone": user.timezone,
        "is_active": user.is_active,
        "role": user.role.value,
        "created_at": moment(user.created_at),
        "updated_at": moment(user.updated_at),
    }


def tokens_json(pair: TokenPair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "token_type": "bearer",
        "expires_in": pair.expires_in,
    }


def devices_json(found: tuple[list[Device], UUID]) -> dict[str, Any]:
    """The devices, and the id of the one that asks."""
    devices, here = found
    return {"items": [_device_json(each, is_current=each.id == here) for each in devices], "next_cursor": None}


def _device_json(device: Device, *, is_current: bool) -> dict[str, Any]:
    return {
        "id": str(device.id),
        "kind": "browser" if device.is_browser else "app",
        "name": device.name or None,
        "address": device.address,
        "is_current": is_current,
        "signed_in_at": moment(device.signed_in_at),
        "last_used_at": moment(device.last_used_at),
    }
