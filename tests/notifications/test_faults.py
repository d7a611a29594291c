"""Workers that are killed or stopped at every point, and servers that go away: nothing is lost, and nothing is sent twice but
where bare SMTP leaves no choice. Real processes; each guard is shown beside what happens without it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking
from guitaronline.local import binaries, process, schema, valkey
from guitaronline.local.ports import free_port
from guitaronline.notifications.delivery import deliver_due
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Message, MessageStatus
from tests.jobs.processes import Processes, eventually, kill
from tests.notifications.letters import KIND, letter, letters, mailing, make_due, now_of
from tests.notifications.mail_server import MailServer, hang, mail_server, once
from tests.servers import Servers, with_database
from tests.world import World

COURIER = "tests.notifications.courier"


def courier(run: Processes, server: MailServer, *asked: str, **more: str) -> subprocess.Popen[bytes]:
    return run.start(COURIER, *asked, **{**to(server), "SMTP_TIMEOUT_SECONDS": "5", **more})


def carry(server: MailServer) -> int:
    """This process is another worker, and takes its turn to the end."""
    with mailing(server):
        return deliver_due()


def statuses(messages: list[Message]) -> set[str]:
    return {now_of(each).status.value for each in messages}


@contextmanager
def unwritable(mine: Servers) -> Iterator[None]:
    """What an attempt came to cannot be written down."""
    blocker = psycopg2.connect(mine.owner_url)
    try:
        with blocker.cursor() as cursor:
            cursor.execute("LOCK TABLE message_attempts IN SHARE MODE")
        yield
    finally:
        blocker.close()


def waits(owner: Connection) -> bool:
    with owner.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        return cursor.fetchone() is not None


def test_killed_after_the_claim_the_lease_keeps_others_off_and_then_lets_them(
    world: World, booking: Booking, run: Processes, db: Session
) -> None:
    waiting = letters(world.ann, booking, number=5)
    with mail_server(greeting=once(hang)) as server:
        # given a worker that has claimed all of them, and is killed before it could send one
        first = courier(run, server)
        eventually(server.asked.is_set)
        kill(first)
        assert {now_of(each).attempts for each in waiting} == {1}

        # then nobody touches them before the lease is over
        assert carry(server) == 0

        # and afterwards each goes once, and alone: one of them may be what killed it
        make_due(db)
        assert [carry(server) for _ in range(6)] == [1, 1, 1, 1, 1, 0]

    assert statuses(waiting) == {"sent"}
    assert len(server.got) == len(set(server.references)) == 5


def killed_between_acceptance_and_record(
    run: Processes, server: MailServer, mine: Servers, owner: Connection, *asked: str
) -> None:
    with unwritable(mine):
        first = courier(run, server, *asked)
        eventually(lambda: server.got)
        eventually(lambda: waits(owner))
        kill(first)
    eventually(lambda: not waits(owner))


def test_killed_after_acceptance_it_goes_out_again_as_the_same_mail(
    world: World, booking: Booking, run: Processes, mine: Servers, owner: Connection, db: Session
) -> None:
    """The one case that bare SMTP leaves; a mailbox tells by the Message-ID."""
    waiting = letter(world.ann, booking)
    with mail_server() as server:
        killed_between_acceptance_and_record(run, server, mine, owner)
        make_due(db)
        carry(server)

    assert now_of(waiting).status is MessageStatus.SENT
    assert (len(server.got), len(set(server.references))) == (2, 1)


def test_killed_after_acceptance_of_what_is_about_money_people_decide(
    world: World,
    booking: Booking,
    run: Processes,
    mine: Servers,
    owner: Connection,
    db: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KINDS, KIND, replace(KINDS[KIND], is_money=True))
    waiting = letter(world.ann, booking)
    with mail_server() as server:
        killed_between_acceptance_and_record(run, server, mine, owner, "money=1")
        make_due(db)
        carry(server)

    assert now_of(waiting).status is MessageStatus.UNCERTAIN
    assert len(server.got) == 1


def test_killed_after_the_record_nothing_is_left_to_do(
    world: World, booking: Booking, run: Processes, db: Session
) -> None:
    waiting = letters(world.ann, booking, number=2)
    with mail_server(MAIL=second_time(hang)) as server:
        first = courier(run, server)
        eventually(lambda: now_of(waiting[0]).status is MessageStatus.SENT)
        eventually(server.asked.is_set)
        kill(first)
        make_due(db)
        carry(server)

    assert statuses(waiting) == {"sent"}
    assert len(server.got) == len(set(server.references)) == 2


def second_time(then: Any) -> Any:
    """The second word of this kind, of all connections, is answered so; all others as usual."""
    heard: list[int] = []

    def answer(talk: Any) -> str | None:
        heard.append(1)
        return then(talk) if len(heard) == 2 else None

    return answer


def stopped_beyond_its_lease(run: Processes, server: MailServer, seconds: float, **more: str) -> None:
    """A worker sleeps while it talks to the server; another takes over; the first wakes up."""
    first = courier(run, server, f"lease={seconds}", **more)
    eventually(server.asked.is_set)
    first.send_signal(signal.SIGSTOP)
    Event().wait(seconds + 0.5)
    carry(server)
    assert len(server.got) == 1
    server.release.set()
    first.send_signal(signal.SIGCONT)
    first.wait(30)


def test_a_worker_that_slept_over_its_lease_hands_nothing_over(world: World, booking: Booking, run: Processes) -> None:
    waiting = letter(world.ann, booking)
    with mail_server(greeting=once(hang)) as server:
        stopped_beyond_its_lease(run, server, 6.0, SMTP_TIMEOUT_SECONDS="2")

    assert (now_of(waiting).status, len(server.got)) == (MessageStatus.SENT, 1)


def test_without_a_time_out_below_the_lease_it_would(world: World, booking: Booking, run: Processes) -> None:
    """The same without the guard: it may talk for longer than the lease lasts."""
    letter(world.ann, booking)
    with mail_server(greeting=once(hang)) as server:
        stopped_beyond_its_lease(run, server, 6.0, SMTP_TIMEOUT_SECONDS="20")
        eventually(lambda: len(server.got) == 2)


def test_two_sweeps_at_once_send_everything_once(world: World, booking: Booking, run: Processes) -> None:
    waiting = letters(world.ann, booking, number=80)
    with mail_server() as server:
        both = [courier(run, server), courier(run, server)]
        assert [each.wait(60) for each in both] == [0, 0]

    assert statuses(waiting) == {"sent"}
    assert len(server.got) == len(set(server.references)) == 80


# --- the database


@contextmanager
def database_away(mine: Servers, newer_than: int) -> Iterator[None]:
    """Connections made after that many are cut, and nobody gets a new one."""
    elsewhere = schema.connect(with_database(mine.owner_url, "postgres"))
    elsewhere.autocommit = True
    name = mine.owner_url.rpartition("/")[2]
    try:
        with elsewhere.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = %s"
                " ORDER BY backend_start OFFSET %s) newer",
                [name, newer_than],
            )
            yield
            cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        elsewhere.close()


def connections(owner: Connection) -> int:
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def database_restarts_after_acceptance(
    run: Processes, server: MailServer, mine: Servers, owner: Connection, *asked: str
) -> int:
    """The exit code of the worker that had the mail in its hands."""
    before = connections(owner)
    first = courier(run, server, *asked)
    eventually(server.asked.is_set)
    with database_away(mine, before):
        server.release.set()
        eventually(lambda: server.got)
        Event().wait(1.0)
    return first.wait(30)


def test_a_database_that_is_started_again_makes_nothing_go_out_twice(
    world: World, booking: Booking, run: Processes, mine: Servers, owner: Connection, db: Session
) -> None:
    waiting = letters(world.ann, booking, number=3)
    db.rollback()
    with mail_server(content=once(hang)) as server:
        assert database_restarts_after_acceptance(run, server, mine, owner) == 0

    assert statuses(waiting) == {"sent"}
    assert len(server.got) == len(set(server.references)) == 3


def test_without_patience_it_would(
    world: World, booking: Booking, run: Processes, mine: Servers, owner: Connection, db: Session
) -> None:
    letter(world.ann, booking)
    db.rollback()
    with mail_server(content=once(hang)) as server:
        assert database_restarts_after_acceptance(run, server, mine, owner, "patience=0") != 0
        make_due(db)
        carry(server)

    assert (len(server.got), len(set(server.references))) == (2, 1)


# --- the whole machinery


def to(server: MailServer) -> dict[str, str]:
    return {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.port), "SMTP_TLS": "none"}


def test_two_schedulers_and_two_workers_send_everything_once(world: World, booking: Booking, run: Processes) -> None:
    waiting = letters(world.ann, booking, number=40)
    with mail_server() as server:
        run.start("jobs.worker", "messages", **to(server))
        run.start("jobs.worker", "messages", **to(server))
        run.start("jobs.scheduler")
        run.start("jobs.scheduler")
        eventually(lambda: statuses(waiting) == {"sent"})

    assert len(server.got) == len(set(server.references)) == 40


def test_a_wiped_redis_loses_no_message(world: World, booking: Booking, run: Processes, mine: Servers) -> None:
    waiting = letters(world.ann, booking, number=5)
    with mail_server() as server, Redis.from_url(mine.redis_url) as redis:
        run.start("jobs.scheduler")
        eventually(lambda: redis.exists("rq:queue:messages"))
        redis.flushdb()
        run.start("jobs.worker", "messages", **to(server))
        eventually(lambda: statuses(waiting) == {"sent"})

    assert len(server.got) == 5


def test_a_mailbox_that_hangs_costs_only_its_own_attempt(world: World, booking: Booking, db: Session) -> None:
    waiting = letters(world.ann, booking, number=20)
    with mail_server(RCPT=once(hang)) as server:
        carry(server)
        found = [now_of(each) for each in waiting]

    assert sorted({each.status.value for each in found}) == ["queued", "sent"]
    assert [each.attempts for each in found] == [1] * 20
    db.rollback()
    assert db.execute(text("SELECT count(*) FROM messages WHERE status = 'queued'")).scalar_one() == 1


# --- Redis of its own, which may be stopped


class OwnRedis:
    """A Valkey at one port, started and stopped as the test likes."""

    def __init__(self, place: Path) -> None:
        self.place, self.port = place, free_port()
        self.child: process.Child | None = None
        self.url = f"redis://:secret@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.place.mkdir(exist_ok=True)
        config = self.place / "valkey.conf"
        config.write_text(valkey.config_text(self.place, self.port, "secret", durable=False))
        log = self.place / "valkey.log"
        self.child = process.start("valkey", [binaries.find_valkey(), config], cwd=self.place, log=log)
        valkey.wait_until_ready(self.child, self.port, "secret", log)

    def stop(self) -> None:
        if self.child is not None:
            process.end_all([self.child], patience=5)
            self.child = None


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    made = OwnRedis(tmp_path / "redis")
    made.start()
    yield made
    made.stop()


def machinery(run: Processes, server: MailServer, redis: OwnRedis) -> None:
    run.start("jobs.worker", REDIS_URL=redis.url, **to(server))
    run.start("jobs.scheduler", REDIS_URL=redis.url)


def test_while_redis_is_stopped_messages_wait_and_then_go(
    world: World, booking: Booking, run: Processes, own_redis: OwnRedis
) -> None:
    first = letter(world.ann, booking)
    with mail_server() as server:
        machinery(run, server, own_redis)
        eventually(lambda: now_of(first).status is MessageStatus.SENT)

        own_redis.stop()
        Event().wait(3.0)  # whatever job was at work has ended
        waiting = letters(world.ann, booking, number=3)
        Event().wait(2.0)
        assert statuses(waiting) == {"queued"}
        own_redis.start()
        eventually(lambda: statuses(waiting) == {"sent"}, within=60)

    assert len(server.got) == len(set(server.references)) == 4


def test_a_redis_without_memory_delays_and_loses_nothing(
    world: World, booking: Booking, run: Processes, own_redis: OwnRedis
) -> None:
    first = letter(world.ann, booking)
    with mail_server() as server, Redis.from_url(own_redis.url) as redis:
        machinery(run, server, own_redis)
        eventually(lambda: now_of(first).status is MessageStatus.SENT)

        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", "1")
        waiting = letters(world.ann, booking, number=3)
        Event().wait(3.0)
        redis.config_set("maxmemory", "0")
        eventually(lambda: statuses(waiting) == {"sent"}, within=90)

    assert len(server.got) == len(set(server.references)) == 4
