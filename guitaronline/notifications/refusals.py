"""What is refused about messages."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid


class NotDead(Conflict):
    detail = "It waits for its turn, or was sent: there is nothing to re-drive."


class NotSentYet(Conflict):
    detail = "It was not sent yet, so it cannot be sent again."


class NotTrueAnyMore(Conflict):
    detail = "What it says is not true any more, so it is not sent."


class NowhereToSend(Conflict):
    detail = "There is no address to send it to."


class LetterInvalid(Invalid):
    detail = "This cannot be sent like this."
