"""Messages in the states in which people act on them, as planning and delivery leave them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.identity.address_problems import note_address_problem
from guitaronline.identity.models import User
from guitaronline.notifications.models import Channel, Message, MessageAttempt, MessageBody, MessageStatus, Outcome

SUBJECT, WORDS = "Your lesson is booked", "Hello Ann, we look forward to you."


def posted(record: Any, person: User, status: MessageStatus = MessageStatus.QUEUED, **more: Any) -> Message:
    """A message about the record to the person; with a body and an attempt where it was sent, with an attempt where it failed."""
    with technical_transaction() as current:
        now = clock.read(current)
        message = Message(id=new_id(), **_columns(record, person, status, now), **more)
        current.add(message)
        current.flush()
        current.add_all(_traces(message, now))
    return message


def _columns(record: Any, person: User, status: MessageStatus, now: datetime) -> dict[str, Any]:
    is_open = status is MessageStatus.QUEUED
    return {
        "event_id": new_id(),
        "kind": "booking_confirmed",
        "person_id": person.id,
        "channel": Channel.EMAIL,
        "record_type": record.__tablename__,
        "record_id": record.id,
        "facts": {},
        "status": status,
        "happened_at": now,
        "available_at": now,
        "attempts": 0 if is_open else 1,
        "sent_at": now if status is MessageStatus.SENT else None,
        "closed_at": None if is_open else now,
        "suppressed_because": "moved" if status is MessageStatus.SUPPRESSED else None,
        "last_error": "550" if status in (MessageStatus.FAILED, MessageStatus.UNCERTAIN) else None,
    }


def _traces(message: Message, now: datetime) -> list[Any]:
    outcomes = {
        MessageStatus.SENT: (Outcome.ACCEPTED, "250", "queued as 7"),
        MessageStatus.FAILED: (Outcome.PERMANENT, "550", "no such mailbox"),
        MessageStatus.UNCERTAIN: (Outcome.UNKNOWN, "timeout", None),
    }
    found: list[Any] = []
    if message.status in outcomes:
        outcome, code, answer = outcomes[message.status]
        found.append(
            MessageAttempt(
                id=new_id(), message_id=message.id, number=1, outcome=outcome, code=code, answer=answer, started_at=now
            )
        )
    if message.status is MessageStatus.SENT:
        html = f"<p>{WORDS}</p>"
        found.append(
            MessageBody(
                id=message.id, sent_to="ann@people.example", language="en", subject=SUBJECT, text=WORDS, html=html
            )
        )
    return found


def again(message: Message) -> Message:
    session().rollback()
    return session().get_one(Message, message.id, populate_existing=True)


def address_failed(person: User) -> None:
    """Mail to the person does not arrive."""
    assert person.email
    note_address_problem(SYSTEM, person.id, address=person.email, problem="550 no such mailbox")
