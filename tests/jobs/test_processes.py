"""The worker and the scheduler as real processes, on real PostgreSQL and Valkey."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from redis import Redis
from rq import Queue as RqQueue
from rq.serializers import JSONSerializer
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit import integrity
from guitaronline.booking.models import BookingStatus
from jobs import bell
from jobs.schedule import TIMETABLE, Queue
from tests.jobs.processes import Processes, eventually, kill
from tests.servers import Servers
from tests.world import World

PATIENT = {"LOCK_TIMEOUT_MS": "60000", "STATEMENT_TIMEOUT_MS": "60000"}
TICKS = "SELECT count(*) FROM job_ticks WHERE job = %s AND outcome LIKE 'done%%'"


def done(owner: Connection, job: str) -> int:
    """How often the job ended well."""
    with owner.cursor() as cursor:
        cursor.execute(TICKS, [job])
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def lapsed_hold(world: World) -> Any:
    world.package()
    with clock.moved_by(timedelta(minutes=-11)):
        return world.hold(world.slot(hours=48))


def test_everything_happens_by_itself_and_once(world: World, db: Session, run: Processes, owner: Connection) -> None:
    # given a worker, and two schedulers that know nothing of each other
    held = lapsed_hold(world)
    worker = run.start("jobs.worker", MAIL_TRANSPORT="off")
    schedulers = [run.start("jobs.scheduler"), run.start("jobs.scheduler")]

    # when each job of the timetable had its turn
    eventually(lambda: done(owner, "cleaning.clean_up") == 1)
    eventually(lambda: done(owner, "outbox.drain") >= 2)
    for process in (worker, *schedulers):
        process.terminate()

    # then they stopped when they were told
    assert [process.wait(20) for process in (worker, *schedulers)] == [0, 0, 0]

    # and everything was done, well, and once a tick
    db.rollback()
    outcomes = db.execute(text("SELECT job, outcome FROM job_ticks WHERE started_at IS NOT NULL")).all()
    assert {outcome[:4] for _, outcome in outcomes} == {"done"}
    assert {job for job, _ in outcomes} == {job.name for job in TIMETABLE}
    assert world.again(held).status is BookingStatus.EXPIRED
    assert world.again(held).package.available == 5
    assert set(db.execute(text("SELECT status FROM outbox_events")).scalars()) == {"done", "no_handler"}

    # and the audit is sealed, here and in the file that is kept elsewhere
    kept = integrity.read_checkpoints((run.place / "audit-checkpoints.log").read_text().splitlines())
    assert integrity.verify(db, kept).is_whole
    assert integrity.verify(db).sealed >= 3

    # and the log has one line for each; the doorbell's calls belong to no tick
    every = [json.loads(line) for line in run.log("jobs.worker").splitlines()]
    lines = [line for line in every if line["job_id"] is not None]
    assert {line["job"] for line in every if line["job_id"] is None} <= {"notifications.deliver"}
    assert [set(line) for line in lines] == [{"event", "level", "logger", "at", "job", "job_id", "done", "ms"}] * len(
        outcomes
    )
    assert len({line["job_id"] for line in lines}) == len(outcomes)


def test_a_wiped_redis_loses_nothing(world: World, run: Processes, redis: Redis, owner: Connection) -> None:
    # given a scheduler that has rung for everything, and nobody who heard it
    held = lapsed_hold(world)
    run.start("jobs.scheduler")
    eventually(lambda: redis.exists("rq:queue:guitaronline"))

    # when all of it is gone
    redis.flushdb()
    run.start("jobs.worker")

    # then it is rung again, also what comes only once a day
    eventually(lambda: world.again(held).status is BookingStatus.EXPIRED)
    eventually(lambda: done(owner, "cleaning.clean_up") == 1)


@contextmanager
def locked(mine: Servers, table: str) -> Iterator[None]:
    """Whoever wants to write into the table waits."""
    blocker = psycopg2.connect(mine.owner_url)
    try:
        with blocker.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield
    finally:
        blocker.close()


def waits(owner: Connection) -> bool:
    """Whether some job of ours waits for a lock."""
    with owner.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        return cursor.fetchone() is not None


def job_process(worker: subprocess.Popen[bytes]) -> int:
    [child] = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    return int(child)


WORK, MESSAGES = Queue.WORK.value, Queue.MESSAGES.value


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_killed_in_the_middle_leaves_nothing_half_done(
    world: World, db: Session, run: Processes, redis: Redis, mine: Servers, owner: Connection
) -> None:
    held = lapsed_hold(world)
    db.rollback()

    # given a job that has changed a booking and cannot yet write the ledger
    with locked(mine, "credit_entries"):
        worker = run.start("jobs.worker", WORK, **PATIENT)
        run.start("jobs.scheduler")
        eventually(lambda: waits(owner))
        child = job_process(worker)

        # when the worker is killed, its job goes with it
        kill(worker)
        eventually(lambda: not lives(child))

    # then nothing of it is left, and the next worker does it all
    eventually(lambda: not waits(owner))
    assert world.again(held).status is BookingStatus.HOLD
    db.rollback()
    bell.ring(redis, "jobs.booking.expire_holds", tick(owner, "booking.expire_holds"))
    run.start("jobs.worker")
    eventually(lambda: world.again(held).status is BookingStatus.EXPIRED)
    assert world.again(held).package.available == 5


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_job_process_that_dies_takes_nothing_with_it(
    world: World, db: Session, run: Processes, mine: Servers, owner: Connection
) -> None:
    world.slot()
    db.rollback()
    with locked(mine, "outbox_events"):
        worker = run.start("jobs.worker", MESSAGES, **PATIENT)
        run.start("jobs.scheduler")
        eventually(lambda: waits(owner))

        os.kill(job_process(worker), signal.SIGKILL)

    eventually(lambda: done(owner, "outbox.drain") >= 1)
    assert worker.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_each_queue_has_a_worker_and_one_that_is_killed_is_forked_again(
    db: Session, run: Processes, owner: Connection
) -> None:
    started = run.start("jobs.worker")
    run.start("jobs.scheduler")
    eventually(lambda: done(owner, "outbox.drain") and done(owner, "audit.seal"))
    first = workers_of(started)
    assert len(first) == len(Queue)

    os.kill(first[1], signal.SIGKILL)
    eventually(lambda: len(set(workers_of(started)) - set(first)) == 1)
    again = done(owner, "outbox.drain")
    eventually(lambda: done(owner, "outbox.drain") > again)

    kill(started)
    eventually(lambda: not any(lives(each) for each in first))


def workers_of(started: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()]


REFUSED = {
    "a function that is not ours": ["os.system", None, ["touch {place}/was-here"], {}],
    "a function of ours that is no job": ["jobs.runtime.app", None, [], {}],
    "arguments that are no ids": ["jobs.audit.seal", None, ["a b; c"], {}],
    "keywords": ["jobs.audit.seal", None, [], {"tick_id": "x"}],
    "an instance": ["jobs.audit.seal", "object", [], {}],
    "a name that is no text": [["os.system"], None, [], {}],
    "no job at all": 7,
}


def test_what_is_not_in_the_timetable_is_refused_and_the_queue_goes_on(
    db: Session, run: Processes, redis: Redis, owner: Connection
) -> None:
    # given somebody who can write to Redis
    for number, asked in enumerate(REFUSED.values()):
        smuggle(redis, f"smuggled-{number}", json.dumps(asked).replace("{place}", str(run.place)))
    bell.ring(redis, "jobs.audit.seal", tick(owner, "audit.seal"))

    # when the worker takes all that, and after it a job of the timetable
    worker = run.start("jobs.worker")
    eventually(lambda: done(owner, "audit.seal") == 1)

    # then only that was done
    assert worker.poll() is None
    assert not (run.place / "was-here").exists()
    states = {why: redis.hget(f"rq:job:smuggled-{number}", "status") for number, why in enumerate(REFUSED)}
    assert states == dict.fromkeys(REFUSED, b"failed")


def smuggle(redis: Redis, job_id: str, payload: str, **fields: str) -> None:
    queue = RqQueue(bell.QUEUE, connection=redis, serializer=JSONSerializer)
    job = queue.enqueue_call("jobs.audit.seal", job_id=job_id, failure_ttl=60, result_ttl=60)
    redis.hset(job.key, mapping={"data": payload, **fields})


def test_callbacks_and_webhooks_of_others_are_dropped(
    db: Session, run: Processes, redis: Redis, owner: Connection
) -> None:
    place = f"{run.place}/was-here"
    webhook = [{"url": "http://127.0.0.1:1/", "job_status": "finished", "method": "GET", "headers": None, "timeout": 1}]
    smuggle(
        redis,
        "smuggled",
        json.dumps(["jobs.audit.seal", None, [tick(owner, "audit.seal")], {}]),
        success_callback_name="os.mkdir",
        failure_callback_name="os.mkdir",
        stopped_callback_name="os.mkdir",
        description=place,
        webhooks=json.dumps(webhook),
    )

    run.start("jobs.worker")

    eventually(lambda: done(owner, "audit.seal") == 1)
    eventually(lambda: redis.hget("rq:job:smuggled", "status") == b"finished")
    assert "webhook" not in run.log("jobs.worker").lower()
    assert not Path(place).exists()


def tick(owner: Connection, job: str) -> str:
    """The id of a tick of that job."""
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO job_ticks (id, job, tick_at) VALUES (gen_random_uuid(), %s, now()) RETURNING id", [job]
        )
        row = cursor.fetchone()
    assert row is not None
    return str(row[0])
