"""Everything that webhooks say no with."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid


class EndpointInvalid(Invalid):
    detail = "An endpoint cannot be stored like this."


class ReasonRequired(Invalid):
    detail = "Say why: the reason is kept with the change."


class EndpointDisabled(Conflict):
    detail = "The endpoint is disabled. Enable it first."


class StillOnItsWay(Conflict):
    detail = "It has not been delivered yet, and goes by itself."


class ReplayInvalid(Invalid):
    detail = "This stretch of time cannot be replayed."
