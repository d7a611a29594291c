"""A message in words. A stand-in until the templates are here."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.identity.models import User
from guitaronline.notifications.models import Message
from guitaronline.notifications.rendered import Rendered, Untrue


def render(session: Session, message: Message, person: User, now: datetime) -> Rendered | Untrue:
    """The words for this person, or why they are not true any more."""
    if message.kind == "from_staff":
        return _letter(message.facts, person)
    if message.kind == "template_test":
        return preview(session, message.facts["template"], message.record_id, person, message.facts["language"])
    booking = session.get(Booking, message.record_id, populate_existing=True)
    if booking is None or booking.status is not BookingStatus.CONFIRMED:
        return Untrue("canceled")
    return preview(session, message.kind, message.record_id, person, person.language or "en")


def preview(session: Session, kind_name: str, record_id: UUID, person: User, language: str) -> Rendered:
    """The words of a kind about a real record."""
    booking = session.get(Booking, record_id)
    words = f"Hello {person.full_name},\n\nyour lesson {booking.reference if booking else ''} is booked.\n"
    return Rendered(language, "Your lesson is booked", words, f"<p>{words}</p>")


def _letter(facts: dict[str, Any], person: User) -> Rendered:
    return Rendered(person.language or "en", facts["subject"], facts["text"].replace("{name}", person.full_name))
