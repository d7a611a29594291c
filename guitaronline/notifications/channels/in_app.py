"""The list in the app: what stands in the table is there to be read, so it has arrived."""

from __future__ import annotations

from guitaronline.notifications.channels.base import Accepted, Outgoing
from guitaronline.notifications.models import Channel


class InApp:
    channel = Channel.IN_APP

    def send(self, outgoing: Outgoing) -> Accepted:
        return Accepted(outgoing.reference, "")

    def close(self) -> None:
        """Nothing stays open."""
