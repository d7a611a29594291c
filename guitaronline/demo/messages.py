"""What people were told of the last days: messages in every state, and a few that the worker sends when it starts.

Events older than that are closed without a word: nobody wants six weeks of mail on the first day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload

from guitaronline.audit.models import OutboxEvent, OutboxStatus
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.demo.stage import School
from guitaronline.identity.models import User
from guitaronline.identity.service import create_task
from guitaronline.notifications import addresses, letters, planning, rendering
from guitaronline.notifications.happened import Happened
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.letter_texts import LETTER_TEXTS
from guitaronline.notifications.letters import Letter
from guitaronline.notifications.models import (
    Channel,
    Message,
    MessageAttempt,
    MessageBody,
    MessageStatus,
    Outcome,
)
from guitaronline.notifications.rendered import Rendered

TOLD_DAYS = 4
EVENTS_MOST = 400
LEFT_OVER = 4  # messages that wait for the worker
LOST = (7, 16)  # the how manieth mails that no mailbox took
UNKNOWN = 2  # the how manieth mail about money of which nobody knows
CLOSE = text("""
UPDATE outbox_events e SET closed_at = a.recorded_at + interval '250 milliseconds',
       status = CASE WHEN e.topic = ANY(:told) THEN 'done' ELSE 'no_handler' END
  FROM audit_actions a WHERE a.id = e.action_id AND e.status = 'pending' AND e.created_at <= :until
""")


# Ids tell the time, and the school's days were lived a moment ago: a message stands where its event stands.
IN_ORDER = text("""
UPDATE messages SET id = CAST(left(replace(CAST(event_id AS text), '-', ''), 20) || right(CAST(id AS text), 12) AS uuid)
 WHERE substr(CAST(event_id AS text), 15, 1) = '7'
""")


def run(school: School) -> None:
    """Plan what the office writes, and whom it still has to call."""
    school.on(school.ago(hours=5), partial(_write, school))
    school.on(school.ago(minutes=50), partial(_has_to_call, school))


def _write(school: School, _: datetime) -> None:
    sheet = LETTER_TEXTS["contact"]
    for student in [each for each in school.students if not each.is_child and each.id][1:4]:
        letter = Letter(sheet.subject, sheet.text, is_news=False)
        letters.write_to(school.support, student.known_id, letter=letter, reason="the number we have is wrong")


def _has_to_call(school: School, _: datetime) -> None:
    student = next(each for each in school.students if not each.is_child and each.id)
    assert school.support.id is not None
    create_task(
        school.support,
        record_type="users",
        record_id=student.known_id,
        title=f"Call {student.full_name}: the lesson of tomorrow is moved",
        owner_id=school.support.id,
    )


def tell(school: School) -> int:
    """The last days' events are told and told messages are sent, as it would have been; returns how many messages there are."""
    for event in _told_events(school):
        with technical_transaction():
            planning.plan(event, event.created_at)
    with technical_transaction() as current:
        current.execute(CLOSE, {"told": _topics(), "until": school.now})
        current.execute(IN_ORDER)
        return _send(current, school.now)


def _topics() -> list[str]:
    return sorted({kind.topic for kind in KINDS.values() if kind.topic})


def _told_events(school: School) -> list[Happened]:
    """The newest of the last days, oldest first."""
    query = (
        select(OutboxEvent)
        .where(OutboxEvent.status == OutboxStatus.PENDING, OutboxEvent.topic.in_(_topics()))
        .where(OutboxEvent.created_at > school.ago(TOLD_DAYS))
        .order_by(OutboxEvent.created_at.desc(), OutboxEvent.id.desc())
        .limit(EVENTS_MOST)
    )
    found = [
        Happened(each.id, each.topic, each.record_type, each.record_id, each.payload, each.created_at)
        for each in session().scalars(query)
    ]
    session().rollback()
    return found[::-1]


def _send(current: Session, now: datetime) -> int:
    query = select(Message).where(Message.status == MessageStatus.QUEUED).order_by(Message.happened_at, Message.id)
    found = list(current.scalars(query.options(joinedload(Message.person))))
    post = _Post()
    for message in found[:-LEFT_OVER]:
        _close(current, message, now, post)
    return len(found)


class _Post:
    """What becomes of each mail."""

    def __init__(self) -> None:
        self.mails, self.about_money = count(), count()

    def status_of(self, message: Message) -> MessageStatus:
        if message.channel is not Channel.EMAIL:
            return MessageStatus.SENT
        if KINDS[message.kind].is_money and next(self.about_money) == UNKNOWN:
            return MessageStatus.UNCERTAIN
        return MessageStatus.FAILED if next(self.mails) in LOST else MessageStatus.SENT


def _close(current: Session, message: Message, now: datetime, post: _Post) -> None:
    """Sent a moment after it happened; not where it was not true for long, or there was nowhere to send it."""
    person = message.person
    words = rendering.render(current, message, person, now)
    address = addresses.address_of(current, message, person)
    sent_at = message.happened_at + timedelta(milliseconds=180 + message.id.int % 700)
    if not isinstance(words, Rendered) or address is None:
        because = "nowhere_to_send" if isinstance(words, Rendered) else words.because
        _set(message, MessageStatus.SUPPRESSED, sent_at, suppressed_because=because)
        return
    status = post.status_of(message)
    if status is MessageStatus.SENT:
        _set(message, status, sent_at, sent_at=sent_at, attempts=1, reference=f"<{message.id}@school.example>")
        current.add(_body(message, person, address, words, sent_at))
    else:
        _set(message, status, sent_at, attempts=1, last_error="550" if status is MessageStatus.FAILED else "timeout")
    current.add(_attempt(message, status, sent_at))


def _set(message: Message, status: MessageStatus, at: datetime, **values: object) -> None:
    for name, value in {"status": status, "closed_at": at, **values}.items():
        setattr(message, name, value)


def _body(message: Message, person: User, address: str, words: Rendered, at: datetime) -> MessageBody:
    return MessageBody(
        id=message.id,
        sent_to=address,
        language=words.language,
        subject=words.subject,
        text=_hidden(words.text, words.secrets),
        html=_hidden(words.html, words.secrets) if words.html else None,
        calendar=words.calendar,
        created_at=at,
    )


def _id_at(moment: datetime) -> UUID:
    """As made at that moment (UUID version 7)."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (new_id().int & ((1 << 80) - 1)))


def _hidden(text_: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text_ = text_.replace(secret, "…")
    return text_


def _attempt(message: Message, status: MessageStatus, at: datetime) -> MessageAttempt:
    outcome, code, answer = {
        MessageStatus.SENT: (Outcome.ACCEPTED, "250", "2.0.0 queued"),
        MessageStatus.FAILED: (Outcome.PERMANENT, "550", "5.1.1 no such mailbox here"),
    }.get(status, (Outcome.UNKNOWN, "timeout", None))
    started_at = at - timedelta(milliseconds=120)
    return MessageAttempt(
        id=_id_at(started_at),
        message_id=message.id,
        number=1,
        outcome=outcome,
        code=code,
        answer=answer,
        started_at=started_at,
        finished_at=at,
    )
