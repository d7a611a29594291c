"""Which channels are open, by the settings, and the way that each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import config
from guitaronline.notifications.channels.base import Way
from guitaronline.notifications.channels.in_app import InApp
from guitaronline.notifications.channels.sms import Sms
from guitaronline.notifications.channels.smtp import Smtp
from guitaronline.notifications.channels.telegram import Telegram
from guitaronline.notifications.models import Channel


class OpenWay(Way, Protocol):
    """A way that may keep a connection between messages."""

    def close(self) -> None: ...


WAYS: dict[
    Channel, Callable[[config.Settings], OpenWay]
] = {  # in the order of their turns: what waits for nobody first
    Channel.IN_APP: lambda settings: InApp(),
    Channel.TELEGRAM: Telegram,
    Channel.SMS: Sms,
    Channel.EMAIL: Smtp,
}


def is_on(channel: Channel, settings: config.Settings) -> bool:
    """Messages for a channel that is off are suppressed, not kept for the day it is on."""
    off = {
        Channel.EMAIL: settings.MAIL_TRANSPORT == "off",
        Channel.SMS: not settings.SMS_API_BASE,
        Channel.TELEGRAM: not settings.TELEGRAM_TOKEN,
    }
    return not off.get(channel, False)


@contextmanager
def opened(channel: Channel, settings: config.Settings) -> Iterator[OpenWay]:
    """The way, whose connection is closed politely at the end."""
    way = WAYS[channel](settings)
    try:
        yield way
    finally:
        way.close()
