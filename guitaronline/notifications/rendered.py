"""A message in words, ready for any channel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rendered:
    """`text` has no markup; `calendar` is an iCalendar file (RFC 5545); `unsubscribe_url` only where it may be switched off.

    `secrets` (links that sign in) are sent, but stand as `…` in what is kept."""

    language: str
    subject: str
    text: str
    html: str | None = None
    calendar: str | None = None
    unsubscribe_url: str | None = None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Untrue:
    """Why it is not sent any more; a code such as `moved`, `canceled`, `too_late`, `switched_off`."""

    because: str
