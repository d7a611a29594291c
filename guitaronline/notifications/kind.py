"""What a kind of message is, and whom it may be for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from guitaronline.identity.access import Permission
from guitaronline.notifications.models import Channel, Preference


class Audience(StrEnum):
    """Whom an event concerns; `audience` finds the people."""

    PERSON = "person"  # whom the record is, or the payload names as `person_id`
    STUDENT = "student"  # and the guardians who receive messages
    TEACHER = "teacher"
    FORMER_TEACHER = "former teacher"  # who had the lesson until then, where it is somebody else's now
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
    title: str = ""  # what lists call it; in English, translated where it is shown
    permission: Permission | None = None  # which staff
    payload_has: str | None = None  # only events that carry this fact
    is_urgent: bool = False  # about a lesson that starts soon it also goes to the phone, and somebody calls
    is_once: bool = False  # once for each record, however often it happens

    def is_told_by(self, topic: str, payload: Collection[str]) -> bool:
        return self.topic == topic and (self.payload_has is None or self.payload_has in payload)
