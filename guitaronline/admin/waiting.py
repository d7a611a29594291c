"""The filter "Waiting": what of a list waits for somebody. Today's queues lead here."""

from __future__ import annotations

from collections.abc import Mapping

from guitaronline.admin import gate
from guitaronline.admin.filters import Choice
from guitaronline.booking.waiting import Condition


class Waiting(Choice):
    """One of the named conditions of what waits, as of now."""

    def __init__(self, conditions: Mapping[str, Condition]) -> None:
        super().__init__("waiting", "Waiting", tuple(conditions), lambda value: conditions[value](gate.now()))
