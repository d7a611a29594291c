"""Messages that are due go out, each by its channel, and what came of it is written down.

1. The channel allows it (`breaker`): it is not down, and its pace has room.
2. Some messages are claimed, for as long as a lease.
3. One by one: asked again whether it is true, put into words, handed over outside of any transaction, recorded.
4. What there was no time for is released as if it had not been claimed.

A worker that slept beyond its lease hands nothing over any more: it asks the machine's clock, which goes on while it sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2
import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import joinedload

import config
from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.back_off import BACK_OFF, wait_after
from guitaronline.db import any_of, new_id, session
from guitaronline.identity.address_problems import note_address_problem
from guitaronline.identity.models import User
from guitaronline.notifications import addresses, breaker, lookups, queue, rendering
from guitaronline.notifications.channels import ways
from guitaronline.notifications.channels.base import Outgoing, Permanent, Temporary, Unknown
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Channel, Message, MessageStatus, Outcome
from guitaronline.notifications.queue import Result
from guitaronline.notifications.rendered import Rendered, Untrue

AT_ONCE = 100
RUN_SECONDS = 30.0
RECORD_SECONDS = 15.0  # so long the database may be away when the channel has said yes already
AGAIN_SECONDS = 0.2
GROUP = 50  # read ahead together …
FRESH_SECONDS = 0.25  # … and read again when they have waited so long: what they tell of may have changed

log = structlog.get_logger("notifications.delivery")


def deliver_due(*, most: int = AT_ONCE, seconds: float = RUN_SECONDS, lease: timedelta = queue.LEASE) -> int:
    """Of each channel at most `most` due messages were tried once; returns how many. Ends soon after `seconds`."""
    until = time.monotonic() + seconds
    return sum(_deliver(channel, most, until, lease) for channel in queue.channels_due(ways.WAYS))


@dataclass
class Turn:
    """What one channel does now: its claimed messages, and until when they are ours. `pause`: between two of them."""

    channel: Channel
    way: ways.OpenWay
    token: UUID
    left: list[UUID]
    until: float  # by `_seconds`, as the next: no message is begun
    ours_until: float  # none is handed over: what is begun before has ended before its lease does
    began_at: datetime
    began: float
    pause: float = 0.0
    tried: int = 0
    is_down: bool = False  # the channel itself failed

    @property
    def goes_on(self) -> bool:
        return not self.is_down and _seconds() < min(self.until, self.ours_until)

    @property
    def now(self) -> datetime:
        """By the database's clock, without asking it each time."""
        return self.began_at + timedelta(seconds=_seconds() - self.began)


def _deliver(channel: Channel, most: int, until: float, lease: timedelta) -> int:
    settings = policy.current()
    if not ways.is_on(channel, settings):
        return queue.close_for_channel_off(channel, limit=most)
    left, rate = until - time.monotonic(), _rate_of(channel, settings)
    allowed = breaker.leave(channel, most=most, rate=rate) if left > 0 else breaker.Leave(0)
    if not allowed.most:
        return 0
    token, claimed = new_id(), _seconds()
    ids = queue.claim(channel, token, limit=allowed.most, lease=lease)
    if not ids:
        if allowed.is_probe:
            breaker.give_back(channel)
        return 0
    time.sleep(breaker.reserve(channel, number=len(ids), rate=rate))
    now = clock.read(session())
    with ways.opened(channel, settings) as way:
        turn = Turn(
            channel,
            way,
            token,
            ids,
            until=claimed + left,
            ours_until=claimed + lease.total_seconds() * 2 / 3,
            began_at=now,
            began=_seconds(),
            pause=1 / rate if rate else 0.0,
        )
        for message in _one_by_one(turn):
            _hand_over(turn, message)
            time.sleep(turn.pause)
    _close(turn, was_down=allowed.is_probe)
    return turn.tried


def _close(turn: Turn, *, was_down: bool) -> None:
    queue.release(turn.left, turn.token)
    if turn.tried and not turn.is_down:
        if was_down:
            log.info("channel works again", channel=turn.channel.value)
        breaker.note_success(turn.channel)


def _one_by_one(turn: Turn) -> Iterator[Message]:
    """The messages, each with what it tells of as it is now, read for many at a time."""
    while turn.left:
        session().expire_all()
        group = _load(turn.left[:GROUP])
        _kept = lookups.read_ahead(session(), group)  # holds what is read as long as its group is at work
        fresh_until = _seconds() + FRESH_SECONDS
        for message in group:
            if not turn.goes_on:
                return
            turn.left.remove(message.id)
            turn.tried += 1
            yield message
            if _seconds() > fresh_until:
                break
        if not group:  # erased meanwhile
            del turn.left[:GROUP]


def _load(ids: Sequence[UUID]) -> list[Message]:
    query = select(Message).where(Message.id == any_of(ids)).options(joinedload(Message.person))
    found = {message.id: message for message in session().scalars(query)}
    return [found[each] for each in ids if each in found]


def _hand_over(turn: Turn, message: Message) -> None:
    """The message has had its attempt, and its row says so, if it is still ours."""
    person, now = message.person, turn.now
    ready = _prepared(message, person, now)
    session().commit()  # nothing was written; nothing stays open while the channel is asked
    if isinstance(ready, Result):
        queue.record(message.id, turn.token, ready, started_at=now)
        return
    address, rendered = ready
    is_ours = not KINDS[message.kind].is_money or queue.note_handing(message.id, turn.token)
    if not is_ours or _seconds() >= turn.ours_until:
        log.warning("fenced out", message_id=str(message.id), kind=message.kind)
        return
    outgoing = Outgoing(message.id, reference_of(message), address, person.full_name, rendered)
    result, is_address = _sent(turn, message, outgoing)
    if not _record_patiently(message.id, turn.token, result, started_at=now, sent_to=address, rendered=rendered):
        log.warning("fenced out after it was handed over", message_id=str(message.id), kind=message.kind)
    if is_address and turn.channel is Channel.EMAIL:
        note_address_problem(SYSTEM, person.id, address=address, problem=result.code or "refused")


def _record_patiently(message_id: UUID, token: UUID, result: Result, **more: Any) -> bool:
    """A database that is started again just now must not make a message go out twice."""
    give_up_at = time.monotonic() + RECORD_SECONDS
    while True:
        try:
            return queue.record(message_id, token, result, **more)
        except (DBAPIError, psycopg2.OperationalError, psycopg2.InterfaceError):
            if time.monotonic() > give_up_at:
                raise
            time.sleep(AGAIN_SECONDS)


def _prepared(message: Message, person: User, now: datetime) -> Result | tuple[str, Rendered]:
    """Address and words; or what it came to without being handed over."""
    kind = KINDS.get(message.kind)
    if kind is None:
        return Result(MessageStatus.FAILED, code="kind_unknown")
    if message.handed_at is not None:  # about money, and the worker that had it died
        return Result(MessageStatus.UNCERTAIN, Outcome.UNKNOWN, code="worker_died")
    if message.attempts > len(BACK_OFF):
        return Result(MessageStatus.FAILED, code="attempts_used_up")
    if message.not_after is not None and now > message.not_after:
        return Result(MessageStatus.SUPPRESSED, because="too_late")
    address = addresses.address_of(session(), message, person)
    if address is None:
        return Result(MessageStatus.SUPPRESSED, because="nowhere")
    if addresses.has_problem(message, person, address):
        return Result(MessageStatus.FAILED, code="address_problem")
    words = _in_words(message, person, now)
    if isinstance(words, Untrue):
        return Result(MessageStatus.SUPPRESSED, because=words.because)
    return words if isinstance(words, Result) else (address, words)


def _in_words(message: Message, person: User, now: datetime) -> Rendered | Untrue | Result:
    try:
        return rendering.render(session(), message, person, now)
    except DBAPIError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever a template meets, the next message must have its turn
        log.warning(
            "cannot be put into words", message_id=str(message.id), kind=message.kind, error=type(error).__name__
        )
        session().rollback()
        return Result(MessageStatus.FAILED, code=f"unrenderable_{type(error).__name__}")


def _sent(turn: Turn, message: Message, outgoing: Outgoing) -> tuple[Result, bool]:
    """What the channel said; and whether the address is to blame."""
    try:
        accepted = turn.way.send(outgoing)
    except Temporary as error:
        if error.is_channel:
            turn.is_down = True
            breaker.note_failure(turn.channel, error.code)
            log.warning("channel is down", channel=turn.channel.value, error=error.code)
            return Result(MessageStatus.QUEUED, Outcome.TEMPORARY, error.code, error.answer, given_back=True), False
        return _again_or_dead(message, Outcome.TEMPORARY, error.code, error.answer), False
    except Permanent as error:
        return Result(MessageStatus.FAILED, Outcome.PERMANENT, error.code, error.answer), error.is_address
    except Unknown as error:
        return _after_silence(message, error), False
    except Exception as error:  # noqa: BLE001  # a message that our own code cannot send must not stop the others
        log.warning("broke", message_id=str(message.id), kind=message.kind, error=type(error).__name__)
        turn.way.close()
        return Result(MessageStatus.FAILED, Outcome.PERMANENT, f"broke_{type(error).__name__}"), False
    return Result(MessageStatus.SENT, Outcome.ACCEPTED, None, accepted.answer, reference=accepted.reference), False


def _after_silence(message: Message, error: Unknown) -> Result:
    """It may have arrived. What is about money is left to people; the rest is better twice than never."""
    if KINDS[message.kind].is_money:
        return Result(MessageStatus.UNCERTAIN, Outcome.UNKNOWN, error.code, error.answer)
    return _again_or_dead(message, Outcome.UNKNOWN, error.code, error.answer)


def _again_or_dead(message: Message, outcome: Outcome, code: str, answer: str) -> Result:
    wait = wait_after(message.attempts)
    status = MessageStatus.FAILED if wait is None else MessageStatus.QUEUED
    return Result(status, outcome, code, answer, wait=wait)


def reference_of(message: Message) -> str:
    """The Message-ID: the same at every attempt, so that a mailbox that was given it twice can tell."""
    return f"<{message.id}@{policy.current().MAIL_FROM.rpartition('@')[2]}>"


def _rate_of(channel: Channel, settings: config.Settings) -> int:
    return {
        Channel.EMAIL: settings.MAIL_RATE_PER_SECOND,
        Channel.SMS: settings.SMS_RATE_PER_SECOND,
        Channel.TELEGRAM: settings.TELEGRAM_RATE_PER_SECOND,
    }.get(channel, 0)


def _seconds() -> float:
    """A clock that also goes on while this process, or the whole machine, sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
