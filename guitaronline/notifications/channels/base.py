"""What every channel does: it takes a rendered message for one address, or says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from guitaronline.notifications.models import Channel
from guitaronline.notifications.rendered import Rendered


@dataclass(frozen=True)
class Outgoing:
    """`reference` is the same for every attempt (Message-ID, the provider's idempotency key)."""

    message_id: UUID
    reference: str
    address: str
    name: str
    rendered: Rendered


@dataclass(frozen=True)
class Accepted:
    """The other side took it: from here on it is theirs."""

    reference: str
    answer: str


class NotSent(Exception):
    """`code` is short and without values (`550`, `refused`, `timeout`); `answer` what the other side said, without the address."""

    def __init__(self, code: str, answer: str = "") -> None:
        self.code, self.answer = code, answer
        super().__init__(code)


class Temporary(NotSent):
    """Worth another attempt; `is_channel`: the channel itself is down, not this message's fault."""

    def __init__(self, code: str, answer: str = "", *, is_channel: bool = False) -> None:
        self.is_channel = is_channel
        super().__init__(code, answer)


class Permanent(NotSent):
    """No further attempt can help; `is_address`: the address is the reason, which marks the person."""

    def __init__(self, code: str, answer: str = "", *, is_address: bool = False) -> None:
        self.is_address = is_address
        super().__init__(code, answer)


class Unknown(NotSent):
    """Handed over, and no answer: it may have arrived."""


class Way(Protocol):
    """One channel. `send` ends within a third of the lease. Raises Temporary, Permanent, Unknown."""

    channel: Channel

    def send(self, outgoing: Outgoing) -> Accepted: ...
