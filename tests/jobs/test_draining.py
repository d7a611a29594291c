"""A worker that is told to stop finishes what it has begun and begins nothing more; and two releases share one Redis."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from psycopg2.extensions import connection as Connection
from redis import Redis
from rq import Queue as RqQueue
from rq.serializers import JSONSerializer

from guitaronline.booking.models import BookingStatus
from jobs import bell, schedule
from jobs.schedule import Queue
from tests.jobs.processes import ROOT, Processes, eventually
from tests.jobs.test_processes import PATIENT, lapsed_hold, locked, tick, waits
from tests.servers import Servers
from tests.world import World

WORK = Queue.WORK.value

# What the release before may still have rung for when this one starts. A job that goes stays for one release after the last
# one that rang for it.
RUNG_BEFORE = set(
    """
    audit.seal audit.seal_rest billing.expire_packages billing.warn_of_expiry booking.expire_holds
    bulk.carry_out checks.run cleaning.clean_up exports.make kpis.roll_up notifications.deliver
    notifications.remind notifications.take_reports outbox.drain payments.ask_providers
    payments.take_events proofs.run_asked reconciliation.match refunds.ask_providers
    refunds.carry_out_alone scheduling.extend_horizons settlements.fetch settlements.read
    viewing.end_over waitlist.go_round
    """.split()
)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_told_to_stop_finishes_its_job_and_takes_no_other(
    world: World, run: Processes, redis: Redis, mine: Servers, owner: Connection
) -> None:
    held = lapsed_hold(world)

    # given a job that is at work, and another one behind it
    bell.ring(redis, "jobs.booking.expire_holds", tick(owner, "booking.expire_holds"))
    with locked(mine, "credit_entries"):
        started = run.start("jobs.worker", **PATIENT)
        eventually(lambda: waits(owner))
        behind = tick(owner, "viewing.end_over")
        bell.ring(redis, "jobs.viewing.end_over", behind)

        # when the worker is told to stop
        started.terminate()
        eventually(lambda: stopping(redis))

        # then it does not leave its job
        assert started.poll() is None

    # and ends when that is done
    assert started.wait(20) == 0
    assert world.again(held).status is BookingStatus.EXPIRED
    assert redis.lrange(f"rq:queue:{WORK}", 0, -1) == [f"tick-{behind}".encode()]


def stopping(redis: Redis) -> bool:
    """Whether the worker of this queue has heard that it is to stop."""
    return any(redis.hget(key, "shutdown_requested_date") for key in redis.smembers(f"rq:workers:{WORK}"))


def test_every_job_that_the_release_before_rang_for_is_still_done() -> None:
    assert RUNG_BEFORE - {job.name for job in schedule.TIMETABLE} == set()


def test_a_ring_is_a_name_and_an_id_and_nothing_of_this_release(redis: Redis) -> None:
    bell.ring(redis, "jobs.audit.seal", "0193e6a0-0000-7000-8000-000000000001")

    job = RqQueue(WORK, connection=redis, serializer=JSONSerializer).jobs[0]

    assert json.loads(JSONSerializer.dumps([job.func_name, job.args, job.kwargs])) == [
        "jobs.audit.seal",
        ["0193e6a0-0000-7000-8000-000000000001"],
        {},
    ]


ORPHAN = """
import os, sys
import config
from jobs.schedule import Queue
from jobs.worker import Several

seen, ends = os.pipe()
orphan = os.fork()
if not orphan:
    os._exit(0)  # its end of the pipe closes with it
worker = os.fork()
if not worker:
    os.close(ends)
    os.read(seen, 1)
    os._exit(0)
os.close(ends)
several = Several(config.load(), [])
several.workers, several.is_stopping = {worker: Queue.WORK}, True
sys.exit(several.run())
"""


def test_orphans_of_others_do_not_end_the_worker(run: Processes) -> None:
    """A container's first process is the parent of whoever lost theirs: of a worker's job, when the worker is killed."""
    ended = subprocess.run(
        [sys.executable, "-c", ORPHAN], cwd=ROOT, env=run.environment, capture_output=True, check=False
    )

    assert ended.returncode == 0, ended.stderr.decode()
