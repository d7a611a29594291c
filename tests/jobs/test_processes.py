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
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit import integrity
from guitaronline.booking.models import BookingStatus
from jobs import bell
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


def test_a_lapsed_hold_expires_by_itself(world: World, run: Processes, owner: Connection) -> None:
    held = lapsed_hold(world)

    run.start("jobs.worker")
    run.start("jobs.scheduler")
    eventually(lambda: world.again(held).status is BookingStatus.EXPIRED)

    assert world.again(held).package.available == 5
    eventually(lambda: done(owner, "booking.expire_holds") == 1)


def test_everything_of_the_timetable_runs_and_is_sealed(
    world: World, db: Session, run: Processes, owner: Connection
) -> None:
    world.package()

    run.start("jobs.worker")
    run.start("jobs.scheduler")
    eventually(lambda: done(owner, "cleaning.clean_up") == 1)

    db.rollback()
    outcomes = dict(
        db.execute(text("SELECT job, min(outcome) FROM job_ticks WHERE finished_at IS NOT NULL GROUP BY job")).all()
    )
    assert {job: outcome[:4] for job, outcome in outcomes.items()} == dict.fromkeys(outcomes, "done")
    assert len(outcomes) == 7
    assert db.execute(text("SELECT DISTINCT status FROM outbox_events")).scalars().all() == ["no_handler"]
    assert integrity.verify(db).sealed >= 3
    kept = integrity.read_checkpoints((run.place / "audit-checkpoints.log").read_text().splitlines())
    assert integrity.verify(db, kept).is_whole


def test_each_job_logs_one_line_with_its_id(world: World, run: Processes, owner: Connection) -> None:
    run.start("jobs.worker")
    run.start("jobs.scheduler")
    eventually(lambda: done(owner, "cleaning.clean_up") == 1)

    lines = [json.loads(line) for line in run.log("jobs.worker").splitlines()]

    sealing = [line for line in lines if line.get("job") == "audit.seal"]
    assert len(sealing) == done(owner, "audit.seal")
    assert sealing[0].keys() == {"event", "level", "logger", "at", "job", "job_id", "done", "ms"}


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


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_killed_in_the_middle_leaves_nothing_half_done(
    world: World, db: Session, run: Processes, mine: Servers, owner: Connection
) -> None:
    held = lapsed_hold(world)
    db.rollback()

    # given a job that has changed a booking and cannot yet write the ledger
    with locked(mine, "credit_entries"):
        worker = run.start("jobs.worker", **PATIENT)
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
    run.start("jobs.worker")
    eventually(lambda: world.again(held).status is BookingStatus.EXPIRED, within=60)
    assert world.again(held).package.available == 5


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_job_process_that_dies_takes_nothing_with_it(
    world: World, db: Session, run: Processes, mine: Servers, owner: Connection
) -> None:
    world.slot()
    db.rollback()
    with locked(mine, "outbox_events"):
        worker = run.start("jobs.worker", **PATIENT)
        run.start("jobs.scheduler")
        eventually(lambda: waits(owner))

        os.kill(job_process(worker), signal.SIGKILL)

    eventually(lambda: done(owner, "outbox.drain") >= 1)
    assert worker.poll() is None


REFUSED = {
    "a function that is not ours": ["os.system", None, ["touch {place}/was-here"], {}],
    "a function of ours that is no job": ["jobs.runtime.app", None, [], {}],
    "arguments that are no ids": ["jobs.audit.seal", None, ["a b; c"], {}],
    "keywords": ["jobs.audit.seal", None, [], {"tick_id": "x"}],
    "an instance": ["jobs.audit.seal", "object", [], {}],
    "a name that is no text": [["os.system"], None, [], {}],
    "no job at all": 7,
}


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_in_the_timetable_is_refused_and_the_queue_goes_on(
    db: Session, run: Processes, redis: Redis, asked: Any, owner: Connection
) -> None:
    # given somebody who can write to Redis
    smuggle(redis, json.dumps(asked).replace("{place}", str(run.place)))

    # when the worker takes it, and after it a job of the timetable
    worker = run.start("jobs.worker")
    bell.ring(redis, "jobs.audit.seal", tick(owner))

    # then only that was done
    eventually(lambda: done(owner, "audit.seal") == 1)
    assert worker.poll() is None
    assert not (run.place / "was-here").exists()
    assert redis.hget("rq:job:smuggled", "status") == b"failed"


def smuggle(redis: Redis, payload: str, **fields: str) -> None:
    queue = Queue(bell.QUEUE, connection=redis, serializer=JSONSerializer)
    job = queue.enqueue_call("jobs.audit.seal", job_id="smuggled", failure_ttl=60, result_ttl=60)
    redis.hset(job.key, mapping={"data": payload, **fields})


def test_callbacks_and_webhooks_of_others_are_dropped(
    db: Session, run: Processes, redis: Redis, owner: Connection
) -> None:
    place = f"{run.place}/was-here"
    webhook = [{"url": "http://127.0.0.1:1/", "job_status": "finished", "method": "GET", "headers": None, "timeout": 1}]
    smuggle(
        redis,
        json.dumps(["jobs.audit.seal", None, [tick(owner)], {}]),
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


def tick(owner: Connection) -> str:
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO job_ticks (id, job, tick_at) VALUES (gen_random_uuid(), 'audit.seal', now()) RETURNING id"
        )
        row = cursor.fetchone()
    assert row is not None
    return str(row[0])


def test_worker_and_scheduler_stop_when_they_are_told(db: Session, run: Processes, owner: Connection) -> None:
    worker, scheduler = run.start("jobs.worker"), run.start("jobs.scheduler")
    eventually(lambda: done(owner, "cleaning.clean_up") == 1)

    worker.terminate()
    scheduler.terminate()

    assert (worker.wait(15), scheduler.wait(15)) == (0, 0)


def test_two_schedulers_tick_once(db: Session, run: Processes, owner: Connection) -> None:
    run.start("jobs.worker")
    run.start("jobs.scheduler")
    run.start("jobs.scheduler")

    eventually(lambda: done(owner, "outbox.drain") >= 3)

    assert done(owner, "cleaning.clean_up") == 1
    runs = [json.loads(line) for line in run.log("jobs.worker").splitlines()]
    ids = [line["job_id"] for line in runs if line.get("event") == "job"]
    assert len(ids) == len(set(ids))
