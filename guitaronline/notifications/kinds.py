"""THE table of messages: which event tells whom what, by which channel, until when, and what switches it off.

A kind is one message as people know it; its words are `templates/messages/<name>.txt` and `.html`. `planning` makes rows of
it, `truth` asks again at sending whether it is still so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from guitaronline.notifications.models import Channel, Preference


class Audience(StrEnum):
    """Whom an event concerns; `audience` finds the people."""

    PERSON = "person"  # whom the record is, or the payload names as `person_id`
    STUDENT = "student"  # and the guardians who receive messages
    TEACHER = "teacher"
    STAFF = "staff"  # by the permission of the kind


@dataclass(frozen=True)
class Kind:
    """`topic` None: found by state (reminders), not told by an event. `makes_sense_for` counts from the event."""

    name: str
    topic: str | None
    audience: Collection[Audience]
    channels: Collection[Channel] = (Channel.EMAIL, Channel.IN_APP)
    preference: Preference | None = None
    makes_sense_for: timedelta | None = None
    is_quiet: bool = False  # waits for the end of the receiver's quiet hours
    is_money: bool = False  # better not at all than twice: `uncertain` where nobody knows
    title: str = ""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("booking_confirmed", "booking.confirmed", (Audience.STUDENT, Audience.TEACHER), title="Lesson booked"),
        Kind("from_staff", None, (Audience.PERSON,)),
        Kind("template_test", None, (Audience.PERSON,), (Channel.EMAIL,)),
    )
}
