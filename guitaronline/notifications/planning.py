"""From what happened to rows of `messages`: who is told, by which channel, when, and until when it makes sense.

It may run twice for one event: the constraint `uq_messages_once` makes the second time a no-op. A message that somebody
does not want, or that has nowhere to go, is written too, as suppressed: whoever asks why nothing came finds the answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.booking.models import Booking
from guitaronline.db import any_of, new_id, technical_transaction
from guitaronline.notifications import quiet
from guitaronline.notifications.addresses import ADDRESS_OF
from guitaronline.notifications.audience import Receiver, Wanted, receivers
from guitaronline.notifications.happened import Happened
from guitaronline.notifications.kinds import KINDS, Audience, Kind, kinds_of
from guitaronline.notifications.models import Channel
from guitaronline.notifications.subjects import Subject, subject_of

SOON = timedelta(hours=12)  # a change to a lesson that starts within this also goes to the phone, and somebody calls

INSERT = text("""
INSERT INTO messages (id, event_id, kind, person_id, channel, record_type, record_id, facts, status, happened_at, available_at,
                      not_after, closed_at, suppressed_because)
SELECT r.id, r.event_id, r.kind, r.person_id, r.channel, r.record_type, r.record_id, r.facts,
       CASE WHEN r.because IS NULL THEN 'queued' ELSE 'suppressed' END, r.happened_at, r.available_at, r.not_after,
       CASE WHEN r.because IS NULL THEN NULL ELSE CAST(:now AS timestamptz) END, r.because
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
       id uuid, event_id uuid, kind text, person_id uuid, channel text, record_type text, record_id uuid, facts jsonb,
       happened_at timestamptz, available_at timestamptz, not_after timestamptz, because text)
ON CONFLICT ON CONSTRAINT uq_messages_once DO NOTHING
""")


@dataclass(frozen=True)
class News:
    """One thing that several people may be told: what stands in each of its rows."""

    kind: Kind
    event_id: UUID
    record_type: str
    record_id: UUID
    facts: Mapping[str, Any]
    happened_at: datetime
    not_after: datetime | None = None
    is_soon: bool = False  # about a lesson that starts within `SOON`


def plan(happened: Happened, now: datetime) -> int:
    """The messages that this event tells are queued; returns how many rows are new."""
    return plan_all([happened], now)


def plan_all(events: Sequence[Happened], now: datetime) -> int:
    """The same of several events, in one transaction: all of them, or none."""
    told = [(event, kinds) for event in events if (kinds := kinds_of(event.topic, event.payload))]
    if not told:
        return 0
    with technical_transaction() as session:
        _kept = _bookings_of(session, [event for event, _ in told])  # holds what is read until all is planned
        planned = [
            _planned(kind, event, subject)
            for event, kinds in told
            if (subject := subject_of(session, event)) is not None
            for kind in kinds
        ]
        found = _receivers_of(session, planned)
        return write(session, [row for news, each in found for row in rows_of(news, each, now)], now)


def queue(
    session: Session,
    kind: Kind | str,
    *,
    event_id: UUID,
    person_ids: Collection[UUID],
    record_type: str,
    record_id: UUID,
    facts: Mapping[str, Any],
    happened_at: datetime,
    not_after: datetime | None = None,
) -> int:
    """These people are told; inside the caller's transaction. For a child without an address its guardians are told too."""
    kind = KINDS[kind] if isinstance(kind, str) else kind
    news = News(
        kind, event_id, record_type, record_id, facts, happened_at, _earliest(_by_kind(kind, happened_at), not_after)
    )
    found = receivers(session, [Wanted("", each) for each in person_ids], kind.preference)
    now = clock.read(session)
    return write(session, [row for each in found for row in rows_of(news, each, now)], now)


def _bookings_of(session: Session, events: Sequence[Happened]) -> Sequence[Booking]:
    """Most events are about one; read together they cost one question."""
    ids = [event.record_id for event in events if event.record_type == Booking.__tablename__]
    return session.scalars(select(Booking).where(Booking.id == any_of(ids))).all() if len(ids) > 1 else ()


def _planned(kind: Kind, happened: Happened, subject: Subject) -> tuple[News, list[Wanted]]:
    """What stands in the messages, and who wants them as far as the event says."""
    wanted = [
        Wanted("", person_id, with_guardians=audience is Audience.STUDENT)
        for audience in kind.audience
        for person_id in subject.people.get(audience, ())
    ]
    news = News(
        kind,
        uuid5(happened.record_id, kind.name) if kind.is_once else happened.id,
        happened.record_type,
        happened.record_id,
        {**happened.payload, **subject.facts},
        happened.created_at,
        _earliest(_by_kind(kind, happened.created_at), subject.not_after),
        is_soon=is_soon(subject.starts_at, happened.created_at),
    )
    return news, wanted


def _receivers_of(session: Session, planned: Sequence[tuple[News, list[Wanted]]]) -> Iterator[tuple[News, Receiver]]:
    """Everybody who is told of each; a question for each preference that may switch it off."""
    for preference in {news.kind.preference for news, _ in planned}:
        asked = {str(n): each for n, each in enumerate(planned) if each[0].kind.preference == preference}
        keyed = [replace(person, key=key) for key, (_, wanted) in asked.items() for person in wanted]
        for receiver in receivers(session, keyed, preference):
            yield asked[receiver.key][0], receiver


def rows_of(
    news: News, receiver: Receiver, now: datetime, available_at: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """A row for each channel. `available_at`: worked out by the caller, who looks ahead."""
    due = available_at or when_to_tell(news, receiver, now)
    is_late = news.not_after is not None and news.not_after < now
    for channel in channels_of(news, receiver):
        yield {
            "id": str(new_id()),
            "event_id": str(news.event_id),
            "kind": news.kind.name,
            "person_id": str(receiver.person_id),
            "channel": channel.value,
            "record_type": news.record_type,
            "record_id": str(news.record_id),
            "facts": dict(news.facts),
            "happened_at": news.happened_at.isoformat(),
            "available_at": due.isoformat(),
            "not_after": news.not_after.isoformat() if news.not_after else None,
            "because": suppressed_because(news, receiver, channel) or ("too_late" if is_late else None),
        }


def channels_of(news: News, receiver: Receiver) -> list[Channel]:
    """The kind's; the phone only where the school sends texts, the person has a number, and it cannot wait for the mail."""
    has_phone = news.is_soon and receiver.has_phone and bool(policy.current().SMS_API_BASE)
    return [channel for channel in news.kind.channels if channel is not Channel.SMS or has_phone]


def suppressed_because(news: News, receiver: Receiver, channel: Channel) -> str | None:
    """Why this is not sent, as far as it is known already; a code."""
    found = [
        (not receiver.is_active, "inactive"),
        (not receiver.is_wanted, "switched_off"),
        (_has_no_address(news, receiver, channel), "no_address"),
    ]
    return next((code for applies, code in found if applies), None)


def _has_no_address(news: News, receiver: Receiver, channel: Channel) -> bool:
    return channel is Channel.EMAIL and not receiver.has_email and news.kind.name not in ADDRESS_OF


def when_to_tell(news: News, receiver: Receiver, now: datetime) -> datetime:
    """Now; what can wait, at the end of the receiver's quiet hours."""
    if not news.kind.is_quiet:
        return now
    hours = quiet.read_quiet_hours(policy.current().QUIET_HOURS)
    return quiet.after_quiet(now, ZoneInfo(receiver.timezone), hours, latest=news.not_after)


def is_soon(starts_at: datetime | None, happened_at: datetime) -> bool:
    return starts_at is not None and happened_at <= starts_at <= happened_at + SOON


def write(session: Session, rows: list[dict[str, Any]], now: datetime) -> int:
    """One statement for all of them; what is there already stays as it is. Returns how many are new."""
    if not rows:
        return 0
    done = session.execute(INSERT, {"rows": json.dumps(rows), "now": now})
    return int(done.rowcount)  # type: ignore[attr-defined]


def _by_kind(kind: Kind, happened_at: datetime) -> datetime | None:
    return happened_at + kind.makes_sense_for if kind.makes_sense_for else None


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)
