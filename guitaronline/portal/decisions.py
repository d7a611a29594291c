"""What becomes of lessons inside a teacher's time off: one choice for each, as the form asks and as the command is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import flask

from guitaronline import policy
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.queries import OfferedSlot, offered_slots
from guitaronline.db import session
from guitaronline.errors import DomainError, Invalid
from guitaronline.portal import times
from guitaronline.signed_in import now, viewer

CANDIDATES = 100  # free slots read
OFFERED = 12  # shown for one lesson


@dataclass(frozen=True)
class Affected:
    """A lesson inside, what may be chosen for it, what is chosen, and why that was refused."""

    booking: Booking
    name: str  # of its field
    options: list[tuple[str, str]]
    value: str
    problems: list[str]


def affected_rows(
    inside: Sequence[Booking], start: datetime, end: datetime, refusal: DomainError | None
) -> list[Affected]:
    free = [each for each in _free() if each.end_at <= start or each.start_at >= end] if inside else []
    return [
        Affected(each, _name(each), _options(each, free), _value(each), _problems(refusal, number))
        for number, each in enumerate(inside)
    ]


def chosen(inside: Sequence[Booking]) -> list[Chosen]:
    """What the form says of each. Raises Invalid for words that no form of ours sends."""
    return [_chosen(each.id, _value(each)) for each in inside]


def digest(inside: Sequence[Booking]) -> str:
    """Of which lessons it was asked."""
    return hashlib.sha256(" ".join(sorted(str(each.id) for each in inside)).encode()).hexdigest()


def _chosen(booking_id: UUID, value: str) -> Chosen:
    way, _, slot_id = value.partition(":")
    try:
        return Chosen(booking_id, Way(way), UUID(slot_id) if slot_id else None)
    except ValueError:
        raise Invalid("This choice is not known. Open the page again.") from None


def _name(booking: Booking) -> str:
    return f"decision-{booking.id}"


def _value(booking: Booking) -> str:
    return flask.request.form.get(_name(booking), str(Way.LATER))


def _free() -> list[OfferedSlot]:
    return offered_slots(session(), now=now(), settings=policy.current(), teacher_id=viewer().id, limit=CANDIDATES)


def _options(booking: Booking, free: Sequence[OfferedSlot]) -> list[tuple[str, str]]:
    first = [
        (str(Way.LATER), "Decide later: it waits for the school"),
        (str(Way.CANCEL), "Call it off: the student gets the lesson back"),
        (str(Way.KEEP), "I give it all the same"),
    ]
    if booking.status is not BookingStatus.CONFIRMED:
        return first
    length = booking.end_at - booking.start_at
    fitting = [each for each in free if each.end_at - each.start_at == length]
    nearest = sorted(fitting, key=lambda each: abs(each.start_at - booking.start_at))[:OFFERED]
    soonest = sorted(nearest, key=lambda each: each.start_at)
    return [*first, *((f"{Way.MOVE}:{each.id}", f"Move to {times.moment(each.start_at)}") for each in soonest)]


def _problems(refusal: DomainError | None, number: int) -> list[str]:
    place = f"/decisions/{number}"
    found = refusal.reasons if refusal else []
    return [each.detail for each in found if each.pointer == place or each.pointer.startswith(f"{place}/")]
