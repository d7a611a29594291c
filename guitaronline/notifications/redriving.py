"""Dead letters are driven again, sent ones sent again: after it was asked whether they are still true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications import addresses, queue, rendering
from guitaronline.notifications.models import Message, MessageStatus
from guitaronline.notifications.refusals import NotDead, NotSentYet, NotTrueAnyMore, NowhereToSend
from guitaronline.notifications.rendered import Rendered
from guitaronline.unit_of_work import Work, command

DRIVEN_AGAIN = frozenset({MessageStatus.FAILED, MessageStatus.UNCERTAIN, MessageStatus.SUPPRESSED})


@dataclass(frozen=True)
class Queued:
    """The message that goes now. `version`: how many attempts it has had, for it has no other."""

    id: UUID
    version: int


@dataclass(frozen=True)
class Outlook:
    """What would come of a message if it were sent now: its words and where they go, or every reason why not."""

    rendered: Rendered | None
    address: str | None
    reasons: list[Reason]


@command("message.redrive", on="messages")
def redrive_message(work: Work, message_id: UUID, *, reason: str | None = None) -> Queued:
    """The dead message is due now, with all its attempts before it. Locks it.

    Raises NotDead, NotTrueAnyMore, NowhereToSend."""
    access.require(work.actor, Permission.SEND_MESSAGES)
    message = work.lock(Message, message_id)
    if message.status not in DRIVEN_AGAIN:
        raise NotDead(reasons=state_problems(message))
    _require_true(work, message)
    return _queued(work, message, "redriven")


@command("message.resend", on="messages")
def resend_message(work: Work, message_id: UUID, *, reason: str | None = None) -> Queued:
    """What was sent goes once more, as a message of its own, in words of today. Locks the one that was sent.

    Raises NotSentYet, NotTrueAnyMore, NowhereToSend."""
    access.require(work.actor, Permission.SEND_MESSAGES)
    message = work.lock(Message, message_id)
    if message.status is not MessageStatus.SENT:
        raise NotSentYet()
    _require_true(work, message)
    return _queued(work, message, "resent")


def outlook(session: Session, message: Message, now: datetime) -> Outlook:
    """A query: what the person would be told now."""
    person = session.get_one(User, message.person_id)
    words = _in_words(session, message, person, now)
    address = addresses.address_of(session, message, person)
    reasons = [] if isinstance(words, Rendered) else [words]
    if address is None:
        reasons.append(Reason("nowhere_to_send", NowhereToSend.detail, "Correct the person's address first."))
    return Outlook(words if isinstance(words, Rendered) else None, address, reasons)


def _in_words(session: Session, message: Message, person: User, now: datetime) -> Rendered | Reason:
    try:
        words = rendering.render(session, message, person, now)
    except DBAPIError:
        raise
    except Exception as error:  # noqa: BLE001  # a message whose template breaks must be looked at, not break the page
        return Reason("cannot_be_rendered", f"It cannot be put into words: {type(error).__name__}.")
    if isinstance(words, Rendered):
        return words
    return Reason("not_true_any_more", f"It is not true any more: {said(words.because)}.")


def state_problems(message: Message) -> list[Reason]:
    """A rule: why a message in this state is not driven again."""
    if message.status in DRIVEN_AGAIN:
        return []
    words = "It was sent." if message.status is MessageStatus.SENT else "It waits for its turn already."
    return [Reason("not_dead", words)]


def said(code: str) -> str:
    """`switched_off` → `switched off`."""
    return code.replace("_", " ")


def _require_true(work: Work, message: Message) -> None:
    reasons = outlook(work.session, message, work.now).reasons
    if reasons:
        kind = NowhereToSend if reasons[0].code == "nowhere_to_send" else NotTrueAnyMore
        raise kind(reasons=reasons)


def _queued(work: Work, message: Message, because: str) -> Queued:
    queued = queue.requeue(work, message, because=because)
    return Queued(queued.id, 0)
