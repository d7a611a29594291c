"""Where a message to a person goes."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.identity.models import User
from guitaronline.notifications.account_words import PURPOSES, address_before, address_to_undo, new_address
from guitaronline.notifications.models import Channel, Message

# kind → where else than to the person's present address; None: nowhere
ADDRESS_OF: dict[str, Callable[[Session, Message, User], str | None]] = {
    "address_changed": address_before,
    "account_new_address": new_address,
    "account_address_undo": address_to_undo,
    "account_address_undone": new_address,
    "approval_alone": lambda session, message, person: policy.current().OWNER_EMAIL or None,
}


def address_of(session: Session, message: Message, person: User) -> str | None:
    """The address, number or chat; None: there is nowhere to send it."""
    if message.channel is Channel.IN_APP:
        return person.reference
    if message.channel is Channel.SMS:
        return person.phone
    if message.channel is Channel.TELEGRAM:
        return None  # nobody has told us a chat yet
    if message.kind in ADDRESS_OF:
        return ADDRESS_OF[message.kind](session, message, person)
    return person.email


def has_problem(message: Message, person: User, address: str) -> bool:
    """Mail to this address came back before, and it is still the same. Who asked for a link just now waits for it there."""
    is_marked = message.channel is Channel.EMAIL and person.address_problem is not None
    return is_marked and address == person.email and message.kind not in PURPOSES
