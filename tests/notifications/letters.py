"""Messages that wait, as planning leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.booking.models import Booking
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.identity.models import User
from guitaronline.notifications.models import Channel, ChannelState, Message, MessageAttempt, MessageBody
from tests.notifications.mail_server import MailServer

KIND = "booking_confirmed"


def letter(person: User, booking: Booking, *, channel: Channel = Channel.EMAIL, **more: Any) -> Message:
    """The message that tells the person of the confirmed booking."""
    return letters(person, booking, number=1, channel=channel, **more)[0]


def letters(
    person: User, booking: Booking, *, number: int, channel: Channel = Channel.EMAIL, **more: Any
) -> list[Message]:
    """So many of them, each of an event of its own, due one after the other."""
    now = moment()
    made = [
        Message(
            **{
                "id": new_id(),
                "event_id": new_id(),
                "kind": KIND,
                "person_id": person.id,
                "channel": channel,
                "record_type": "bookings",
                "record_id": booking.id,
                "facts": {"revision": booking.revision},
                "happened_at": now,
                "available_at": now - timedelta(seconds=60) + timedelta(milliseconds=each),
                **more,
            }
        )
        for each in range(number)
    ]
    with technical_transaction() as current:
        current.add_all(made)
    return made


def moment() -> Any:
    found = session().execute(text("SELECT clock_timestamp()")).scalar_one()
    session().rollback()
    return found


@contextmanager
def mailing(server: MailServer, **more: Any) -> Iterator[None]:
    """Mail goes to that server."""
    settings = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": server.port, "SMTP_TLS": "none"}
    with policy.changed(**{**settings, "SMTP_TIMEOUT_SECONDS": 2, **more}):
        yield


def now_of(message: Message) -> Message:
    """As the database has it now."""
    session().rollback()
    session().expire_all()
    found = session().get(Message, message.id, populate_existing=True)
    assert found is not None
    return found


def attempts_of(message: Message) -> list[tuple[int, str, str | None]]:
    session().rollback()
    query = select(MessageAttempt).where(MessageAttempt.message_id == message.id).order_by(MessageAttempt.id)
    return [(each.number, each.outcome.value, each.code) for each in session().scalars(query)]


def body_of(message: Message) -> MessageBody | None:
    session().rollback()
    return session().get(MessageBody, message.id, populate_existing=True)


def put(message: Message, **values: Any) -> None:
    with technical_transaction() as current:
        current.execute(update(Message).where(Message.id == message.id).values(**values))


def make_due(db: Session) -> None:
    """What waits for its next attempt, or for the channel, need not wait longer; nobody's lease holds."""
    db.rollback()
    with technical_transaction() as current:
        current.execute(
            text(
                "UPDATE messages SET available_at = now() - interval '1 s', lease_until = lease_until - interval '1 h'"
            )
        )
        current.execute(update(ChannelState).values(open_until=text("now() - interval '1 s'")))
