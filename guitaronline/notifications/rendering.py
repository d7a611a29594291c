"""A message in words, in the language and zone of its reader."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guitaronline.identity.models import User
from guitaronline.notifications.models import Message
from guitaronline.notifications.rendered import Rendered, Untrue


def render(session: Session, message: Message, person: User, now: datetime) -> Rendered | Untrue:
    """The words, or why they are not true any more."""
    if message.kind != "booking_confirmed":
        raise LookupError(message.kind)
    words = f"Hello {person.full_name},\n\n{message.kind} of {message.record_type}.\n"
    html = f"<p>Hello {person.reference}</p>"
    return Rendered("en", message.kind.replace("_", " ").capitalize(), words, html)
