"""After a commit the worker is called; Redis may do what it likes."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import doorbell, policy
from guitaronline.booking.models import Booking
from guitaronline.doorbell import CALLS, TELL, WANTED
from guitaronline.notifications.models import MessageStatus
from guitaronline.office import proofs
from guitaronline.states import StateTable
from jobs import bell, schedule, scheduler
from jobs.scheduler import Scheduler
from tests.jobs.processes import Processes, eventually
from tests.notifications.letters import letter, now_of
from tests.notifications.mail_server import mail_server
from tests.servers import Servers
from tests.world import World, as_actor


@pytest.fixture
def redis(mine: Servers) -> Iterator[Redis]:
    with Redis.from_url(mine.redis_url) as connection:
        doorbell.wait_until_called()
        connection.flushdb()
        yield connection
        connection.flushdb()


def test_a_commit_that_tells_something_calls(world: World, redis: Redis) -> None:
    with policy.changed(REDIS_URL=url_of(redis)):
        world.slot()
        eventually(lambda: redis.llen(CALLS))


def url_of(redis: Redis) -> str:
    at = redis.connection_pool.connection_kwargs
    return f"redis://:{at['password']}@{at['host']}:{at['port']}/{at['db']}"


def test_a_proof_that_somebody_asked_for_calls(world: World, redis: Redis) -> None:
    with policy.changed(REDIS_URL=url_of(redis)):
        proofs.ask_for_checks(as_actor(world.ada))
        eventually(lambda: b"proofs.run_asked" in redis.lrange(CALLS, 0, -1))


def test_what_emits_nothing_calls_nobody(redis: Redis) -> None:
    doorbell.ring(set())
    doorbell.wait_until_called()

    assert redis.llen(CALLS) == 0


def test_many_commits_are_few_calls(redis: Redis) -> None:
    with policy.changed(REDIS_URL=url_of(redis)):
        [doorbell.ring({"x"}) for _ in range(1000)]
        doorbell.wait_until_called()

    assert 1 <= redis.llen(CALLS) < 10


def test_ringing_costs_nothing_while_redis_is_away() -> None:
    with policy.changed(REDIS_URL="redis://127.0.0.1:1/0"):
        began = monotonic()
        [doorbell.ring({"x"}) for _ in range(1000)]
        took = monotonic() - began
        doorbell.wait_until_called()

    assert took < 0.1


def test_calls_of_a_scheduler_that_is_away_do_not_pile_up(redis: Redis) -> None:
    caller = doorbell.Caller()
    with policy.changed(REDIS_URL=url_of(redis)):
        assert all(caller.call({"exports.make"}) for _ in range(doorbell.KEPT + 20))

    assert redis.llen(CALLS) == doorbell.KEPT


def test_the_scheduler_knows_the_list_by_the_same_name() -> None:
    assert scheduler.CALLS == CALLS


def test_calls_become_one_job_of_the_messages_queue(redis: Redis, world: World) -> None:
    redis.lpush(CALLS, TELL, TELL, TELL)
    listening = Scheduler(policy.current(), ())
    listening.redis = bell.connect(url_of(redis))

    listening.listen(0.3)

    [job_id] = redis.lrange("rq:queue:messages", 0, -1)
    assert job_id.startswith(b"called-notifications-deliver-")
    assert not redis.exists(CALLS)


def test_each_job_that_is_called_for_is_rung_on_its_own_queue(redis: Redis, world: World) -> None:
    listening = Scheduler(policy.current(), ())
    listening.redis = bell.connect(url_of(redis))

    with policy.changed(REDIS_URL=url_of(redis)):
        doorbell.ring({"export.requested", "booking.held"})
        listening.listen(0.3)

    [work], [messages] = redis.lrange("rq:queue:guitaronline", 0, -1), redis.lrange("rq:queue:messages", 0, -1)
    assert work.startswith(b"called-exports-make-")
    assert messages.startswith(b"called-notifications-deliver-")


def test_what_the_timetable_does_not_know_is_not_rung(redis: Redis, world: World) -> None:
    redis.lpush(CALLS, "os.system", b"\xff", TELL)
    listening = Scheduler(policy.current(), ())
    listening.redis = bell.connect(url_of(redis))

    listening.listen(0.3)

    assert redis.keys("rq:queue:*") == [b"rq:queue:messages"]
    assert not listening.called


def test_what_is_called_for_stands_in_the_timetable() -> None:
    assert {f"jobs.{name}" for name in (TELL, *WANTED.values())} <= schedule.BY_FUNCTION.keys()


def test_topics_that_call_are_topics_that_exist(app: Flask) -> None:
    emitted = {move.event for table in StateTable.known.values() for move in table.moves}
    technical = {"proof.asked", "provider_event.received"}  # a proof is no record; and the door of webhooks

    assert WANTED.keys() - technical <= emitted


def test_a_call_while_its_job_is_at_work_is_passed_on_afterwards(redis: Redis, world: World) -> None:
    listening = Scheduler(policy.current(), ())
    listening.redis = bell.connect(url_of(redis))
    assert bell.ring_for_call(redis, TELL)
    redis.delete("rq:queue:messages")  # the worker has it

    redis.lpush(CALLS, TELL)
    listening.listen(0.3)
    assert listening.called == {TELL}
    redis.flushdb()  # it has ended
    listening.listen(0.3)

    assert not listening.called
    assert redis.llen("rq:queue:messages") == 1


def test_without_redis_the_scheduler_waits_out_its_round(world: World) -> None:
    listening = Scheduler(policy.current(), ())
    listening.redis = bell.connect("redis://127.0.0.1:1/0")
    began = monotonic()

    listening.listen(0.3)

    assert 0.25 < monotonic() - began < 2


def test_a_mail_goes_at_once_and_not_with_the_next_tick(
    world: World, booking: Booking, run: Processes, redis: Redis, db: Session
) -> None:
    with mail_server() as server:
        # given a worker and a scheduler whose last tick has just been served
        to = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.port), "SMTP_TLS": "none"}
        run.start("jobs.worker", "messages", **to)
        run.start("jobs.scheduler")
        eventually(lambda: served(db) > 0)
        before = served(db)
        eventually(lambda: served(db) > before)

        # when a message is there, and the bell rings
        waiting = letter(world.ann, booking)
        began = monotonic()
        with policy.changed(REDIS_URL=url_of(redis)):
            doorbell.ring({"booking.confirmed"})
            eventually(lambda: server.got, within=4)

    assert server.got[0][0] - began < 2.5
    eventually(lambda: now_of(waiting).status is MessageStatus.SENT)


def served(db: Session) -> int:
    db.rollback()
    done = "SELECT count(*) FROM job_ticks WHERE job = 'notifications.deliver' AND outcome LIKE 'done%'"
    return int(db.execute(text(done)).scalar_one())
