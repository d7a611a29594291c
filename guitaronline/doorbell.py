"""The doorbell: after a commit that has something to tell or to do, the scheduler is called, and it wakes the workers.

The command that rings only says what is wanted; one thread a process turns that into calls, many into one. A call is the name
of a job on a list in Redis. It holds no fact: a lost call costs seconds, since the timetable asks for the same work anyway.
"""

from __future__ import annotations

import os
import threading

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from guitaronline import policy, unit_of_work

CALLS = "gol:calls"  # the list; `jobs.scheduler` takes what is on it
TELL = "notifications.deliver"  # any event may be one that people are told of
WANTED = {  # topic → the job, as the timetable calls it, that somebody waits for
    "bulk.requested": "bulk.carry_out",
    "export.requested": "exports.make",
    "proof.asked": "proofs.run_asked",
    "provider_event.received": "payments.take_events",
    "refund.created": "refunds.ask_providers",
    "settlement.confirmed": "settlements.read",
    "settlement.imported": "reconciliation.match",
    "settlement.received": "settlements.read",
}
KEPT = 100  # calls of a scheduler that is not there do not pile up
TOGETHER_SECONDS = 0.02  # what is committed meanwhile is one call
ANSWER_WITHIN_SECONDS = 2.0


class Bell:
    """What is wanted, and the thread of one process."""

    def __init__(self) -> None:
        self.jobs: set[str] = set()
        self.wanted = threading.Event()
        self.quiet = threading.Event()  # set while nothing is left to call
        self.quiet.set()
        self.thread: threading.Thread | None = None

    def ring(self, jobs: set[str]) -> None:
        """Costs the caller next to nothing, whatever Redis does."""
        self.quiet.clear()
        self.jobs.update(jobs)
        self.wanted.set()
        if self.thread is None:
            self.thread = threading.Thread(target=self.call_for_ever, name="doorbell", daemon=True)
            self.thread.start()

    def call_for_ever(self) -> None:
        caller = Caller()
        while True:
            self.wanted.wait()
            threading.Event().wait(TOGETHER_SECONDS)
            self.wanted.clear()
            if jobs := self.taken():
                caller.call(jobs)
            if not self.wanted.is_set():
                self.quiet.set()

    def taken(self) -> set[str]:
        """What is wanted so far. One by one: others add to it meanwhile, and nothing of theirs may be lost."""
        jobs = set()
        while self.jobs:
            jobs.add(self.jobs.pop())
        return jobs


class Caller:
    """Keeps its connection to Redis; gives up soon, and sends nothing twice."""

    def __init__(self) -> None:
        self.url = ""
        self.connection: redis.Redis | None = None

    def call(self, jobs: set[str]) -> bool:
        """Whether Redis took it."""
        try:
            pipe = self._connected(policy.current().REDIS_URL).pipeline(transaction=False)
            pipe.lpush(CALLS, *jobs)
            pipe.ltrim(CALLS, 0, KEPT - 1)
            pipe.execute()
        except (RedisError, ValueError):
            self.connection = None
            return False
        return True

    def _connected(self, url: str) -> redis.Redis:
        if self.connection is None or url != self.url:
            within = ANSWER_WITHIN_SECONDS
            retry = Retry(NoBackoff(), 0)
            self.url = url
            self.connection = redis.Redis.from_url(
                url, socket_connect_timeout=within, socket_timeout=within, retry=retry
            )
        return self.connection


bell = Bell()


def install() -> None:
    """Every unit of work of this process rings from now on."""
    if ring not in unit_of_work.doorbell:
        unit_of_work.doorbell.append(ring)
        os.register_at_fork(after_in_child=_begin_anew)


def ring(topics: set[str]) -> None:
    """Called after the commit with what it emitted."""
    if topics:
        bell.ring({TELL} | {WANTED[topic] for topic in topics & WANTED.keys()})


def wait_until_called(seconds: float = 1.0) -> None:
    """For a process that is about to end: its last call has left, if Redis answers in time."""
    bell.quiet.wait(seconds)


def _begin_anew() -> None:
    """The thread stayed in the parent."""
    global bell
    bell = Bell()
