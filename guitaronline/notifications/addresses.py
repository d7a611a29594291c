"""Where a message goes. A stand-in until the channels are here."""

from __future__ import annotations

from sqlalchemy.orm import Session

from guitaronline.identity.models import User
from guitaronline.notifications.models import Channel, Message


def address_of(session: Session, message: Message, person: User) -> str | None:
    """None: nowhere to send it."""
    return person.email if message.channel in (Channel.EMAIL, Channel.IN_APP) else person.phone
