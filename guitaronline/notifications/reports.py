"""The inbox of reports: signature over the raw bytes first, stored, answered; applied afterwards by a job.

A report is claimed with a lease like everything that waits, and closed only by who still holds it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.back_off import BACK_OFF, wait_after
from guitaronline.billing.providers import signatures
from guitaronline.billing.providers.base import BadSignature
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.identity.address_problems import note_address_problem
from guitaronline.notifications import bounces
from guitaronline.notifications.bounces import Bounce
from guitaronline.notifications.models import Channel
from guitaronline.notifications.report_models import MessageReport, ReportStatus

HEADER = "Message-Signature"
AT_ONCE = 20
LEASE = timedelta(seconds=60)
MAX_BYTES = 200_000

CLAIM = text("""
UPDATE message_reports SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease
 WHERE id = ANY(ARRAY(SELECT id FROM message_reports
               WHERE status = 'received' AND available_at <= statement_timestamp()
                 AND (lease_until IS NULL OR lease_until < statement_timestamp())
               ORDER BY available_at, id LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING id, channel, body, attempts
""")
CLOSE = text("""
UPDATE message_reports SET status = :status, message_id = :message, last_error = :error, lease_until = NULL,
       available_at = coalesce(clock_timestamp() + CAST(:wait AS interval), available_at),
       closed_at = CASE WHEN :status <> 'received' THEN clock_timestamp() END
 WHERE id = :id AND lease_token = :token AND status = 'received'
""")
BOUNCED = text("""
WITH back AS (
       UPDATE messages SET status = 'failed', last_error = :code, closed_at = clock_timestamp()
        WHERE id = (SELECT id FROM messages WHERE reference = :reference AND channel = :channel AND status = 'sent'
                    ORDER BY id DESC LIMIT 1 FOR UPDATE)
       RETURNING id, person_id, attempts),
     tried AS (
       INSERT INTO message_attempts (id, message_id, number, outcome, code, answer, started_at)
       SELECT :attempt, id, attempts, 'bounced', :code, :answer, clock_timestamp() FROM back)
SELECT back.id, back.person_id, b.sent_to FROM back LEFT JOIN message_bodies b ON b.id = back.id
""")

AGAIN = text("""
SELECT m.id, m.person_id, b.sent_to FROM messages m LEFT JOIN message_bodies b ON b.id = m.id
 WHERE m.reference = :reference AND m.channel = :channel AND m.status = 'failed'
   AND EXISTS (SELECT FROM message_attempts a WHERE a.message_id = m.id AND a.outcome = 'bounced')
 ORDER BY m.id DESC LIMIT 1
""")
ON_ITS_WAY = text("SELECT 1 FROM messages WHERE id = :id AND channel = :channel AND status = 'queued'")
OURS = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@")  # as `delivery.reference_of` makes them

log = structlog.get_logger("notifications.reports")


class TooEarly(Exception):
    """It came back before it was written down that it was sent."""


class ReportUnsigned(BadSignature):
    detail = "This is not signed by who sends the school's messages."


@dataclass(frozen=True)
class Due:
    """A claimed report."""

    id: UUID
    channel: Channel
    body: bytes
    attempts: int


def receive(channel: Channel, raw: bytes, signature: str | None) -> None:
    """The report is stored, once. Raises ReportUnsigned, and then there is no row."""
    now = clock.read(session())
    secrets = [each.strip() for each in policy.current().MESSAGE_WEBHOOK_SECRETS.split(",")]
    try:
        signatures.verify(raw, signature, secrets, now=now)
    except BadSignature as error:
        raise ReportUnsigned(error.text if error.text != BadSignature.detail else None) from None
    store(channel, raw)


def store(channel: Channel, raw: bytes) -> None:
    """What came from where no signature is needed: the machine itself. Told twice, it is stored once."""
    now = clock.read(session())
    row = {
        "id": new_id(),
        "channel": channel,
        "event_id": bounces.event_id_of(raw) or hashlib.sha256(raw).hexdigest(),
        "body": raw[:MAX_BYTES],
        "received_at": now,
        "available_at": now,
    }
    with technical_transaction() as current:
        current.execute(insert(MessageReport).values(row).on_conflict_do_nothing(constraint="uq_message_reports_once"))


def take_due() -> int:
    """Some reports have had their effect; returns how many were taken."""
    token = new_id()
    with technical_transaction() as current:
        rows = current.execute(CLAIM, {"token": token, "lease": LEASE, "limit": AT_ONCE}).all()
    for row in rows:
        _take(Due(row.id, Channel(row.channel), bytes(row.body), row.attempts), token)
    return len(rows)


def _take(due: Due, token: UUID) -> None:
    if due.attempts > len(BACK_OFF):  # one that kills its worker each time
        return _close(due, token, ReportStatus.DEAD, error="attempts_used_up")
    try:
        bounce = bounces.bounce_in(due.body)
        message_id = _apply(due, bounce) if bounce else None
    except (ValueError, LookupError) as error:
        _close(due, token, ReportStatus.DEAD, error=type(error).__name__)
    except Exception as error:  # noqa: BLE001  # whatever one report meets, the next must have its turn
        session().rollback()
        log.warning("report not applied", report_id=str(due.id), error=type(error).__name__)
        wait = wait_after(due.attempts)
        status = ReportStatus.DEAD if wait is None else ReportStatus.RECEIVED
        _close(due, token, status, error=type(error).__name__, wait=wait)
    else:
        _close(due, token, ReportStatus.APPLIED if message_id else ReportStatus.IGNORED, message_id=message_id)


def _apply(due: Due, bounce: Bounce) -> UUID | None:
    """The message counts as failed, and the address as one that mail does not reach. None: it is not a message of ours that
    counts as sent. Raises TooEarly."""
    facts = {
        "channel": due.channel.value,
        "reference": bounce.reference,
        "code": bounce.code,
        "answer": bounce.answer,
        "attempt": new_id(),
    }
    with technical_transaction() as current:
        row = current.execute(BOUNCED, facts).one_or_none()
        if row is None and due.attempts > 1:  # who had it before may have died between the message and the person
            row = current.execute(AGAIN, facts).one_or_none()
    if row is None:
        _refuse_too_early(due, bounce)
        return None
    if due.channel is Channel.EMAIL and row.sent_to:
        note_address_problem(SYSTEM, row.person_id, address=row.sent_to, problem=bounce.code)
    message_id: UUID = row.id
    return message_id


def _refuse_too_early(due: Due, bounce: Bounce) -> None:
    ours = OURS.match(bounce.reference)
    if ours and session().execute(ON_ITS_WAY, {"id": ours[1], "channel": due.channel.value}).first():
        raise TooEarly


def _close(
    due: Due,
    token: UUID,
    status: ReportStatus,
    *,
    message_id: UUID | None = None,
    error: str | None = None,
    wait: timedelta | None = None,
) -> None:
    facts = {"id": due.id, "token": token, "status": status.value, "message": message_id, "error": error, "wait": wait}
    with technical_transaction() as current:
        current.execute(CLOSE, facts)
