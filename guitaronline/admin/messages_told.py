"""Messages on the timeline of a record or a person: what was told, to whom, and what each attempt came to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from guitaronline.admin import ages, gate, message_words, show
from guitaronline.admin.history import TableChange, Told
from guitaronline.admin.subjects import Kind, subjects_of
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications import desk
from guitaronline.notifications.models import Message, MessageAttempt
from guitaronline.notifications.redriving import said

KINDS = frozenset({Kind.ALL, Kind.MESSAGES})
Entries = list[tuple[UUID, Told]]  # by ids that tell the time, newest first


def among(
    entries: Entries, record: Any, kind: Kind, *, is_all: bool, before: UUID | None, limit: int
) -> tuple[Entries, bool]:
    """The page of actions with the messages of the same stretch among them; and whether nothing is older.

    Both kinds of ids tell when they were made, so one order holds for both and pages together are the whole."""
    found = _told_about(record, kind, before, limit) if kind in KINDS and gate.may(Permission.READ_MESSAGES) else []
    whole = sorted([*entries, *found], key=lambda each: each[0], reverse=True)
    return whole[:limit], is_all and len(whole) <= limit


def _told_about(record: Any, kind: Kind, before: UUID | None, limit: int) -> Entries:
    person_id = record.id if isinstance(record, User) else None
    found = desk.told_about(session(), subjects_of(record, kind), person_id, before=before, limit=limit + 1)
    attempts = desk.attempts_of(session(), [each.id for each in found])
    return [(each.id, _told(each, attempts[each.id])) for each in found]


def _told(message: Message, attempts: list[MessageAttempt]) -> Told:
    to = show.html("to {} by {}", show.link(message.person), message_words.channel_words(message.channel))
    fields = [(f"attempt {each.number}", None, _attempt(each)) for each in attempts]
    if message.suppressed_because:
        fields.append(("not sent", None, said(message.suppressed_because)))
    return Told(
        title=show.html("Message: {}", message_words.link(message)),
        who="",
        role="",
        at=message.happened_at,
        when=show.when(message.happened_at),
        ago=ages.ago(message.happened_at, gate.now()),
        reason=None,
        changes=[TableChange(to, message_words.message_state(message), "", fields)],
        events=[],
    )


def _attempt(attempt: MessageAttempt) -> Any:
    words = " ".join(str(each) for each in (attempt.code, attempt.answer) if each)
    return show.html("{}{}", show.word(attempt.outcome), f": {words}" if words else "")
