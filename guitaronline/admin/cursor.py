"""Cursors: a place in a list's order as it stands in an address, signed, and good for that list and order only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer

from guitaronline import policy
from guitaronline.admin.listing import Order, Place

LONGEST = 2000
END = "end"  # beyond the last row
READ: dict[str, Callable[[Any], Any]] = {  # by the name of the value's type, which stands beside it
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "UUID": UUID,
    "int": int,
    "str": str,
    "NoneType": lambda value: value,
}


def write(order: Order, place: Place) -> str:
    value = place.value.isoformat() if isinstance(place.value, date) else place.value
    written: str = _signer(order).dumps([type(place.value).__name__, value, str(place.id), place.number])
    return written


def read(order: Order, given: str) -> Place:
    """Raises ValueError for what this list never wrote, or wrote for another order."""
    if len(given) > LONGEST:
        raise ValueError("too long for a cursor")
    try:
        kind, value, record_id, number = _signer(order).loads(given)
    except BadSignature:
        raise ValueError("not a cursor of this list") from None
    return Place(READ[kind](value), UUID(record_id), number)


def _signer(order: Order) -> URLSafeSerializer:
    """The salt binds a cursor to its list and order."""
    way = "down" if order.is_descending else "up"
    salt = f"cursor {order.key} {order.column} {way}"
    return URLSafeSerializer(policy.current().secrets_believed[::-1], salt=salt)  # the last one signs
