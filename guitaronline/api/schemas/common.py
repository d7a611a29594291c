"""Shapes that several resources share."""

from __future__ import annotations

from datetime import datetime
from typing import Any, overload

from marshmallow import fields, validate

from guitaronline.api.fields import Output


class Money(Output):
    amount_minor = fields.Integer(required=True, metadata={"description": "whole minor units", "example": 4900})
    currency = fields.String(required=True, validate=validate.Regexp("^[A-Z]{3}$"), metadata={"example": "USD"})


def money_json(amount_minor: int, currency: str) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": currency}


@overload
def moment(value: datetime) -> str: ...
@overload
def moment(value: None) -> None: ...
def moment(value: datetime | None) -> str | None:
    """`2026-11-23T15:00:00Z`; the database's times are in UTC."""
    return value.isoformat().replace("+00:00", "Z") if value is not None else None


def time(example: str = "2026-11-23T15:00:00Z", **more: Any) -> fields.DateTime:
    return fields.DateTime(metadata={"example": example}, **{"required": True, **more})


def maybe(kind: type[fields.Field[Any]], **more: Any) -> Any:
    """A field that is always there and may be null."""
    return kind(required=True, allow_none=True, **more)
