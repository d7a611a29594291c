"""`python -m jobs.worker`: takes jobs off the queues and does each in a process of its own.

The application is loaded once, before the first fork; then each queue has a worker of its own, a fork of this process, so
that messages wait for no long job and a second worker costs next to no memory. A job's process shares that memory too, may
crash or be killed, and takes nothing with it but its own transaction. A worker that ends (when Redis goes away during a job)
is forked again. `python -m jobs.worker messages` serves one queue only, where another machine serves the others.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import rq
from redis import Redis
from rq.serializers import JSONSerializer
from rq.utils import import_attribute
from sqlalchemy.orm import configure_mappers

import config
from jobs import bell, runtime, schedule, triggers

PR_SET_PDEATHSIG = 1
FORK_AGAIN_SECONDS = 1.0


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


def main(asked: Sequence[str]) -> int:
    queues = [schedule.Queue(name) for name in asked] or list(schedule.Queue)
    settings = config.load()
    triggers.check()
    runtime.app()
    load_jobs()
    gc.collect()
    gc.freeze()  # the collector of a forked process must not touch, and thereby copy, what it shares
    return serve(settings, queues[0]) if len(queues) == 1 else Several(settings, queues).run()


def serve(settings: config.Settings, queue: schedule.Queue) -> int:
    """Takes jobs off one queue until it is told to stop (0), or Redis goes away (1)."""
    connection = Redis.from_url(settings.REDIS_URL)
    worker = Worker(
        [bell.queue(connection, queue)],
        connection=connection,
        job_class=bell.AllowedJob,
        serializer=JSONSerializer,
        worker_ttl=30,  # seconds; with RQ's defaults a killed worker's jobs stayed stuck for over 12 minutes
        maintenance_interval=15,
        job_monitoring_interval=5,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING")
    return 0 if worker.was_told_to_stop else 1


class Several:
    """One worker a queue, each a fork of this process; none of them outlives it."""

    def __init__(self, settings: config.Settings, queues: Sequence[schedule.Queue]) -> None:
        self.settings, self.queues = settings, queues
        self.workers: dict[int, schedule.Queue] = {}
        self.is_stopping = False

    def run(self) -> int:
        """Ends when it is told to and every worker has finished its job; a second signal does not wait for that."""
        signal.signal(signal.SIGTERM, self.pass_on)
        signal.signal(signal.SIGINT, self.pass_on)
        for queue in self.queues:
            self.fork(queue)
        while self.workers:
            ended, _ = os.wait()
            if ended not in self.workers:
                continue  # whoever is a container's first process inherits the orphans of others
            left = self.workers.pop(ended)
            if not self.is_stopping:
                time.sleep(FORK_AGAIN_SECONDS)
                self.fork(left)
        return 0

    def fork(self, queue: schedule.Queue) -> None:
        """The queue has a worker. One that the signal to stop has just missed is told here."""
        parent, child = os.getpid(), os.fork()
        if not child:
            end_with(parent)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            sys.exit(serve(self.settings, queue))
        self.workers[child] = queue
        if self.is_stopping:
            os.kill(child, signal.SIGTERM)

    def pass_on(self, number: int, frame: Any) -> None:
        self.is_stopping = True
        for each in self.workers:
            os.kill(each, number)


def load_jobs() -> None:
    """Every job's module is imported and every mapper made before the first fork: no job has to do it again."""
    for function in schedule.BY_FUNCTION:
        import_attribute(function)
    configure_mappers()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
