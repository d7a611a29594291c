"""The message table as a queue: claimed with a lease, recorded by who still holds it, released, queued again.

Times are those of the database's clock. An attempt counts from the claim, so a message that kills its worker runs out; one that
was in the hands of a worker that died is claimed alone from then on, so it takes no others with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text, update

from guitaronline.db import Prepared, new_id, quick, technical_transaction
from guitaronline.notifications.models import Channel, Message, MessageStatus, Outcome
from guitaronline.notifications.rendered import Rendered
from guitaronline.unit_of_work import Work

LEASE = timedelta(seconds=60)  # three times what handing over one message may take

DUE = text("""
SELECT channel FROM unnest(CAST(:channels AS text[])) WITH ORDINALITY AS asked(channel, place)
 WHERE EXISTS (SELECT FROM messages m WHERE m.channel = asked.channel AND status = 'queued' AND available_at <= statement_timestamp()
                  AND (lease_until IS NULL OR lease_until < statement_timestamp()))
 ORDER BY place
""")
CLAIM = text("""
WITH due AS MATERIALIZED (
       SELECT id, lease_token IS NOT NULL AS was_leased FROM messages
        WHERE channel = :channel AND status = 'queued' AND available_at <= statement_timestamp()
          AND (lease_until IS NULL OR lease_until < statement_timestamp())
        ORDER BY available_at, id LIMIT :limit FOR UPDATE SKIP LOCKED),
     chosen AS (
       SELECT id FROM due WHERE NOT EXISTS (SELECT FROM due WHERE was_leased)
       UNION ALL (SELECT id FROM due WHERE was_leased LIMIT 1))
UPDATE messages m SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease
  FROM chosen WHERE m.id = chosen.id
RETURNING m.id, m.available_at
""")
RELEASE = text("""
UPDATE messages SET attempts = attempts - 1, lease_token = NULL, lease_until = NULL
 WHERE id = ANY(CAST(:ids AS uuid[])) AND lease_token = :token AND status = 'queued'
""")
HANDING = text("""
UPDATE messages SET handed_at = clock_timestamp()
 WHERE id = :id AND lease_token = :token AND status = 'queued' AND lease_until > clock_timestamp()
""")
CLOSE_OFF = text("""
UPDATE messages SET status = 'suppressed', suppressed_because = 'channel_off', closed_at = clock_timestamp(),
       lease_token = NULL, lease_until = NULL
 WHERE id = ANY(ARRAY(SELECT id FROM messages WHERE channel = :channel AND status = 'queued'
                      ORDER BY available_at, id LIMIT :limit FOR UPDATE SKIP LOCKED))
""")
RECORD = Prepared(
    "record_message",
    "uuid, uuid, text, interval, int, text, text, text, timestamptz, uuid, text, text, text, text, text, text, text, text, text",
    """
WITH mine AS (
       UPDATE messages SET status = $3, available_at = coalesce(clock_timestamp() + $4, available_at),
              attempts = attempts - $5, reference = coalesce($6, reference), last_error = $7, suppressed_because = $8,
              handed_at = CASE WHEN $3 = 'uncertain' THEN handed_at END,
              sent_at = CASE WHEN $3 = 'sent' THEN clock_timestamp() ELSE sent_at END,
              closed_at = CASE WHEN $3 <> 'queued' THEN clock_timestamp() END,
              lease_token = NULL, lease_until = NULL
        WHERE id = $1 AND lease_token = $2 AND status = 'queued'
       RETURNING id, attempts),
     tried AS (
       INSERT INTO message_attempts (id, message_id, number, outcome, code, answer, started_at)
       SELECT $10, id, attempts + $5, $11, $12, $13, $9 FROM mine WHERE $11 IS NOT NULL),
     kept AS (
       INSERT INTO message_bodies (id, sent_to, language, subject, text, html, calendar)
       SELECT id, $14, $15, $16, $17, $18, $19 FROM mine WHERE $16 IS NOT NULL
       ON CONFLICT (id) DO UPDATE SET sent_to = excluded.sent_to, language = excluded.language, subject = excluded.subject,
              text = excluded.text, html = excluded.html, calendar = excluded.calendar, created_at = clock_timestamp())
SELECT count(*) FROM mine
""",
)


@dataclass(frozen=True)
class Result:
    """What one attempt came to. `wait`: until the next one; `given_back`: it did not count; `outcome` None: none was made."""

    status: MessageStatus
    outcome: Outcome | None = None
    code: str | None = None
    answer: str | None = None
    wait: timedelta | None = None
    given_back: bool = False
    reference: str | None = None
    because: str | None = None


def channels_due(channels: Iterable[Channel]) -> list[Channel]:
    """Those for which something can be claimed, in the given order: in a quiet hour one question instead of one each."""
    with technical_transaction() as session:
        rows = session.scalars(DUE, {"channels": [each.value for each in channels]}).all()
    return [Channel(each) for each in rows]


def claim(channel: Channel, token: UUID, *, limit: int, lease: timedelta = LEASE) -> list[UUID]:
    """Due messages, longest due first, ours until the lease ends. ix_messages_due"""
    facts = {"channel": channel.value, "token": token, "limit": limit, "lease": lease}
    with technical_transaction() as session:
        rows = session.execute(CLAIM, facts).all()
    return [row.id for row in sorted(rows, key=lambda row: (row.available_at, row.id))]


def release(ids: list[UUID], token: UUID) -> None:
    """Those that are still ours are due as before, as if they had not been claimed."""
    if ids:
        with technical_transaction() as session:
            session.execute(RELEASE, {"ids": list(map(str, ids)), "token": token})


def note_handing(message_id: UUID, token: UUID) -> bool:
    """From here on a worker's death leaves it `uncertain`. False: it is not ours any more."""
    with technical_transaction() as session:
        done = session.execute(HANDING, {"id": message_id, "token": token})
        return bool(done.rowcount)  # type: ignore[attr-defined]


def record(
    message_id: UUID,
    token: UUID,
    result: Result,
    *,
    started_at: datetime,
    sent_to: str | None = None,
    rendered: Rendered | None = None,
) -> bool:
    """Status, attempt and body are written, in one statement of its own transaction. False: the lease had run out and
    somebody else has it; then nothing was."""
    body = _kept(rendered) if rendered is not None and result.status is not MessageStatus.QUEUED else (None,) * 5
    with quick(alone=True) as connection:
        row = connection.one(
            RECORD,
            message_id,
            token,
            result.status.value,
            result.wait,
            int(result.given_back),
            result.reference,
            None if result.status is MessageStatus.SENT else result.code,
            result.because,
            started_at,
            new_id(),
            result.outcome.value if result.outcome else None,
            result.code,
            result.answer or None,
            sent_to,
            *body,
        )
    return row is not None and row[0] == 1


def close_for_channel_off(channel: Channel, *, limit: int) -> int:
    """Nobody will take them: some of them are suppressed; returns how many."""
    with technical_transaction() as session:
        done = session.execute(CLOSE_OFF, {"channel": channel.value, "limit": limit})
        return int(done.rowcount)  # type: ignore[attr-defined]


def requeue(work: Work, message: Message, *, because: str) -> Message:
    """Step: the message is due now, with all its attempts before it. One that was sent before is sent as a new one, so that
    what was told then stays to be seen. `because` is a code, kept among its facts. Locks the message; asks nobody whether it
    is still true. The worker is woken."""
    locked = work.lock(Message, message.id)
    work.topics.add("message.queued_again")  # no event: the message itself is the news
    if locked.status is MessageStatus.SENT:
        return _again(work, locked, because)
    again = update(Message).where(Message.id == locked.id)
    again = again.values(
        status=MessageStatus.QUEUED,
        available_at=work.now,
        attempts=0,
        closed_at=None,
        handed_at=None,
        lease_token=None,
        lease_until=None,
        suppressed_because=None,
        facts={**locked.facts, "queued_again": because},
    )
    work.session.execute(again, execution_options={"synchronize_session": False})
    work.session.refresh(locked)
    return locked


def _again(work: Work, sent: Message, because: str) -> Message:
    copy = Message(
        id=new_id(),
        event_id=new_id(),
        kind=sent.kind,
        person_id=sent.person_id,
        channel=sent.channel,
        record_type=sent.record_type,
        record_id=sent.record_id,
        facts={**sent.facts, "queued_again": because, "first_sent_as": str(sent.id)},
        status=MessageStatus.QUEUED,
        happened_at=work.now,
        available_at=work.now,
        not_after=None,
    )
    work.add(copy)
    return copy


def _kept(rendered: Rendered) -> tuple[str | None, ...]:
    """Language, subject, text, HTML and calendar as they are kept: what signs somebody in stands as `…`."""
    words = (rendered.language, rendered.subject, rendered.text, rendered.html, rendered.calendar)
    return tuple(_without(each, rendered.secrets) for each in words)


def _without(words: str | None, secrets: tuple[str, ...]) -> str | None:
    for secret in secrets:
        words = words.replace(secret, "…") if words is not None else None
    return words.replace("\x00", "") if words is not None else None
