"""How delivery is, on Today: what waits, what was sent, what is dead, how quick it is, and when it last swept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flask

from guitaronline.admin import ages, gate, show
from guitaronline.admin.message_words import channel_words
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.notifications.health import COUNT_UP_TO, ChannelHealth, DeliveryHealth, delivery_health

SWEPT_LATE_SECONDS = 90


@dataclass(frozen=True)
class DeliveryFigure:
    name: str
    value: Any
    note: Any = ""
    link: str = ""


def delivery_figures() -> tuple[list[DeliveryFigure], list[Any]]:
    """The figures, and a line for each channel that is in trouble; nothing for who does not read messages."""
    if not gate.may(Permission.READ_MESSAGES):
        return [], []
    found = delivery_health(session())
    return _figures(found), [_trouble(each) for each in found.channels if each.is_paused or each.failures]


def _figures(found: DeliveryHealth) -> list[DeliveryFigure]:
    listed = "desk_messages.index_view"
    oldest = found.oldest_pending_seconds
    return [
        DeliveryFigure(
            "Waiting",
            _count(found.pending),
            f"the oldest for {seconds(oldest)}" if oldest is not None else "none is due",
            flask.url_for(listed, state="queued"),
        ),
        DeliveryFigure(
            "Sent in 24 hours",
            _count(found.sent),
            f"{_count(found.attempts)} attempts",
            flask.url_for(listed, state="sent"),
        ),
        DeliveryFigure("Dead", _count(found.dead), _dead(found), flask.url_for("desk_dead-letters.index")),
        DeliveryFigure(
            "From event to delivery",
            milliseconds(found.event_to_sent_p50_ms),
            f"95 % within {milliseconds(found.event_to_sent_p95_ms)}",
        ),
        DeliveryFigure("Last sweep", _sweep(found), "every few seconds"),
    ]


def _count(number: int) -> str:
    return f"{number:,}" if number < COUNT_UP_TO else f"{COUNT_UP_TO:,} or more"


def _dead(found: DeliveryHealth) -> str:
    uncertain = found.dead - found.failed
    return f"of {uncertain} nobody knows" if uncertain else "by cause"


def _sweep(found: DeliveryHealth) -> Any:
    if found.swept_at is None:
        return "never"
    words = ages.ago(min(found.swept_at, gate.now()), gate.now())  # this page may be older than the sweep
    late = (gate.now() - found.swept_at).total_seconds() > SWEPT_LATE_SECONDS
    return show.html('{} <span class="badge bg-red-lt">late</span>', words) if late else words


def _trouble(channel: ChannelHealth) -> Any:
    word = "paused" if channel.is_paused else "failing"
    chip = show.html('<span class="badge bg-{}-lt">{}</span>', "red" if channel.is_paused else "yellow", word)
    why = f": {channel.last_error}" if channel.last_error else ""
    last = show.html(", last sent {}", show.when(channel.last_sent_at)) if channel.last_sent_at else ""
    return show.html(
        "{} {}: {} failures in a row{}{}", chip, channel_words(channel.channel), channel.failures, why, last
    )


def seconds(number: int) -> str:
    """`3 s`, `2 min`, `5 h`."""
    if number < 120:
        return f"{number} s"
    return f"{number // 60} min" if number < 7200 else f"{number // 3600} h"


def milliseconds(number: int | None) -> str:
    if number is None:
        return "–"
    return (
        f"{number} ms" if number < 1000 else f"{number / 1000:.1f} s" if number < 120_000 else seconds(number // 1000)
    )
