"""A message as it is called in lists, on timelines and in headings."""

from __future__ import annotations

from typing import Any

from guitaronline.admin import show
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Message, MessageStatus
from guitaronline.notifications.redriving import said

MEANINGS = {
    MessageStatus.QUEUED: "waits for its turn, or for the next attempt",
    MessageStatus.SENT: "the other side took it",
    MessageStatus.FAILED: "dead: no further attempt by itself",
    MessageStatus.SUPPRESSED: "not sent, for it is not true or not wanted any more",
    MessageStatus.UNCERTAIN: "about money, and nobody knows whether it went; it is not sent twice by itself",
}


CHANNELS = {"email": "e-mail", "sms": "text message", "telegram": "Telegram", "in_app": "the app"}


def channel_words(channel: str) -> Any:
    return show.html('<span class="nowrap">{}</span>', CHANNELS.get(channel, show.word(channel)))


def kind_words(name: str) -> str:
    """What people call this kind of message; of one that is none any more, its name."""
    kind = KINDS.get(name)
    words = show.word(name)
    return kind.title if kind and kind.title else words[:1].upper() + words[1:]


def title_of(message: Message) -> str:
    """`Lesson booked …a1b2c3`."""
    return f"{kind_words(message.kind)} …{str(message.id)[-6:]}"


def link(message: Message, label: str = "") -> Any:
    return show.link_to("messages", message.id, label or kind_words(message.kind))


def message_state(message: Message) -> Any:
    return show.chip(message.status, MEANINGS[message.status])


def why(message: Message) -> Any:
    code = message.suppressed_because or message.last_error
    return said(code) if code else show.NOTHING
