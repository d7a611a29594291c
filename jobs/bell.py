"""The doorbell: RQ carries a job's name and the id of its tick, no more. PostgreSQL knows what is due.

Whoever reaches Redis can put anything there, so a job is JSON, and only functions of the timetable run, with plain ids as
arguments and without callbacks, webhooks, repeats or dependents.
"""

from __future__ import annotations

import re
import time
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DeserializationError, DuplicateJobError
from rq.job import UNEVALUATED, Job
from rq.serializers import JSONSerializer

from jobs import schedule

QUEUE = schedule.Queue.WORK
CALL_SECONDS = 10  # within them one job answers all calls; the next ones do not wait for a job that was killed
RING_SECONDS = 300  # a ring that nobody heard for so long is forgotten; the scheduler rings again
FAILED_SECONDS = 60
ANSWER_WITHIN_SECONDS = 2.0
PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class RefusedJob(DeserializationError):
    """Not a job of the timetable."""


class AllowedJob(Job):
    """A job whose function stands in the timetable. Anything else fails when its function is looked up."""

    def _deserialize_data(self) -> None:
        super()._deserialize_data()  # type: ignore[no-untyped-call]
        if not is_allowed(self._func_name, self._instance, self._args, self._kwargs):
            self._func_name = self._instance = self._args = self._kwargs = UNEVALUATED
            raise RefusedJob

    def restore(self, raw_data: Any) -> None:
        """Raising here would stop the queue, so what we never use is dropped without a word."""
        super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        self.retries_left = self.repeats_left = None
        self._dependency_ids = []


def is_allowed(function: Any, instance: Any, args: Any, kwargs: Any) -> bool:
    """Whether it is a job of the timetable with plain ids. All four come from Redis and may be anything."""
    return (
        isinstance(function, str)
        and function in schedule.BY_FUNCTION
        and not instance
        and not kwargs
        and isinstance(args, list | tuple)
        and all(isinstance(each, str) and PLAIN_ID.fullmatch(each) for each in args)
    )


def connect(url: str) -> Redis:
    """For ringing: gives up soon, sends nothing twice."""
    return Redis.from_url(
        url,
        socket_connect_timeout=ANSWER_WITHIN_SECONDS,
        socket_timeout=ANSWER_WITHIN_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def queue(connection: Redis, name: str = QUEUE) -> Queue:
    return Queue(name, connection=connection, serializer=JSONSerializer, job_class=AllowedJob)


def ring(connection: Redis, function: str, tick_id: str) -> bool:
    """The worker will hear of this tick, or has been told before. False: Redis does not answer; ring again later."""
    try:
        _enqueue(connection, function, (tick_id,), job_id=f"tick-{tick_id}")
    except DuplicateJobError:
        return True
    except RedisError:
        return False
    return True


def ring_for_call(connection: Redis, name: str) -> bool:
    """The worker will do what the doorbell of a commit has called for. False: it is at it just now, or Redis does not answer;
    ring again soon, for it may have looked already."""
    job_id = f"called-{name.replace('.', '-')}-{int(time.time()) // CALL_SECONDS}"
    try:
        _enqueue(connection, f"jobs.{name}", (), job_id=job_id)
    except (DuplicateJobError, RedisError):
        return False
    return True


def _enqueue(connection: Redis, function: str, args: tuple[str, ...], *, job_id: str) -> None:
    job = schedule.BY_FUNCTION[function]
    queue(connection, job.queue).enqueue_call(
        function,
        args=args,
        timeout=int(job.within.total_seconds()),
        result_ttl=0,
        failure_ttl=FAILED_SECONDS,
        ttl=RING_SECONDS,
        job_id=job_id,
        description=function,
        unique=True,
    )
