"""Many letters, or many dead messages, at once. What is foreseen comes from the rules of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline import unit_of_work
from guitaronline.actor import Actor
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications import letters, redriving
from guitaronline.notifications.letters import Letter
from guitaronline.notifications.models import Message
from guitaronline.office.bulk_forecast import Forecast
from guitaronline.office.bulk_kinds import Arguments, BulkAction, forecast, records

ASKED_AT_MOST = 300  # putting one into words takes milliseconds; of more, each is asked when its turn comes


def letter_of(arguments: Arguments) -> Letter:
    return Letter(str(arguments.get("subject", "")), str(arguments.get("text", "")), is_news=True)


def _letter_problems(arguments: Arguments) -> list[Reason]:
    return letters.letter_problems(letter_of(arguments))


def _foresee_letters(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    people: list[User] = records(session, User, ids)
    readers = letters.readers_of(session, people, letter_of(arguments))
    return [
        forecast(each, "written", _who_reads(each, readers[each.id].ids), readers[each.id].reasons) for each in people
    ]


def _who_reads(person: User, ids: Sequence[UUID]) -> str:
    if list(ids) == [person.id]:
        return "Gets it."
    return f"{len(ids)} who stand for them get it." if len(ids) > 1 else "Who stands for them gets it."


def _write(actor: Actor, person_id: UUID, arguments: Arguments, reason: str) -> User:
    return letters.write_to(actor, person_id, letter=letter_of(arguments), reason=reason)


def _foresee_redrives(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    found: list[Message] = records(session, Message, ids)
    if len(found) > ASKED_AT_MOST:
        return [_foreseen(each, redriving.state_problems(each), "Goes now, if it is still true.") for each in found]
    return [_foreseen(each, _reasons(session, each, now), "Still true: it goes now.") for each in found]


def _reasons(session: Session, message: Message, now: datetime) -> list[Reason]:
    return redriving.state_problems(message) or redriving.outlook(session, message, now).reasons


def _foreseen(message: Message, reasons: Sequence[Reason], words: str) -> Forecast:
    label = f"{redriving.said(message.kind)} …{str(message.id)[-6:]}"
    if reasons:
        details = " ".join(each.detail for each in reasons)
        return Forecast(message.id, message.attempts, label, reasons[0].code, details, is_possible=False)
    return Forecast(message.id, message.attempts, label, "redriven", words)


def _redrive(actor: Actor, message_id: UUID, arguments: Arguments, reason: str) -> Any:
    """A queue has no versions to compare: the command asks the message's state itself, under its lock."""
    token = unit_of_work.request.set(replace(unit_of_work.request.get(), expected=None))
    try:
        return redriving.redrive_message(actor, message_id, reason=reason)
    finally:
        unit_of_work.request.reset(token)


def _told(done: Any) -> str:
    return "On its way."


ALL = (
    BulkAction(
        "people.write",
        "users",
        "Write to people",
        Permission.SEND_MESSAGES,
        _foresee_letters,
        _write,
        _told,
        final_because="What was sent cannot be called back.",
        check=_letter_problems,
        with_words=lambda arguments: f"“{arguments.get('subject', '')}”",
    ),
    BulkAction(
        "messages.redrive",
        "messages",
        "Re-drive messages",
        Permission.SEND_MESSAGES,
        _foresee_redrives,
        _redrive,
        _told,
        final_because="What was sent cannot be called back.",
    ),
)
