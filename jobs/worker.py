"""`python -m jobs.worker`: takes jobs off the queue and does each in a process of its own.

The application is loaded once, before the first fork; a job's process shares that memory, may crash or be killed, and
takes nothing with it but its own transaction. When Redis goes away during a job the worker ends, and its supervisor
starts it again.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from typing import Any

import rq
from redis import Redis
from rq.serializers import JSONSerializer
from rq.utils import import_attribute
from sqlalchemy.orm import configure_mappers

import config
from jobs import bell, runtime, schedule

PR_SET_PDEATHSIG = 1


class Worker(rq.Worker):
    """RQ's forking worker; its job processes do not outlive it."""

    max_connection_wait_time = 5.0  # seconds between attempts while Redis is away
    log_result_lifespan = False
    was_told_to_stop = False  # RQ itself remembers it only while a job is running

    def request_stop(self, signum: int, frame: Any) -> None:
        self.was_told_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ has none

    def main_work_horse(self, job: Any, queue: Any) -> None:
        end_with(self.pid)
        super().main_work_horse(job, queue)


def end_with(parent: int | None) -> None:
    """Linux: this process is killed when its parent dies, also when that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def main() -> int:
    settings = config.load()
    runtime.app()
    load_jobs()
    connection = Redis.from_url(settings.REDIS_URL)
    worker = Worker(
        [bell.queue(connection)],
        connection=connection,
        job_class=bell.AllowedJob,
        serializer=JSONSerializer,
        worker_ttl=30,  # seconds; with RQ's defaults a killed worker's jobs stayed stuck for over 12 minutes
        maintenance_interval=15,
        job_monitoring_interval=5,
        log_job_description=False,
    )
    gc.collect()
    gc.freeze()  # the collector of a job's process must not touch, and thereby copy, what it shares
    worker.work(logging_level="WARNING")
    return 0 if worker.was_told_to_stop else 1


def load_jobs() -> None:
    """Every job's module is imported and every mapper made before the first fork: no job has to do it again."""
    for function in schedule.BY_FUNCTION:
        import_attribute(function)
    configure_mappers()


if __name__ == "__main__":
    sys.exit(main())
