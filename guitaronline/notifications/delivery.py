"""Messages are handed to their channels. A stand-in until delivery is here."""

from __future__ import annotations

from guitaronline.db import new_id
from guitaronline.notifications.models import Message, MessageStatus
from guitaronline.unit_of_work import Work

AGAIN = ("lease_token", "lease_until", "handed_at", "sent_at", "closed_at", "last_error", "suppressed_because")


def requeue(work: Work, message: Message, *, because: str) -> Message:
    """A step: it is due now, with all its attempts before it; one that was sent comes anew."""
    message = work.lock(Message, message.id)
    work.topics.add("message.queued_again")
    values = {"status": MessageStatus.QUEUED, "available_at": work.now, "attempts": 0, **dict.fromkeys(AGAIN)}
    if message.status is MessageStatus.SENT:
        kept = ("kind", "person_id", "channel", "record_type", "record_id", "facts", "happened_at")
        again = Message(
            id=new_id(), event_id=work.action_id, **{name: getattr(message, name) for name in kept}, **values
        )
        work.session.add(again)
        return again
    for name, value in values.items():
        setattr(message, name, value)
    return message


def deliver_due(*, most: int) -> int:
    return 0
