"""The doorbell: after a commit that has something to tell, the scheduler is called, and it wakes the workers.

The command that rings only sets a flag; one thread a process turns flags into calls, many into one. A call is a word on a
list in Redis. It holds no fact: a lost call costs seconds, since the timetable asks for the same work anyway.
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
WORD = "tell"  # there is one kind of call
KEPT = 100  # calls of a scheduler that is not there do not pile up
TOGETHER_SECONDS = 0.02  # what is committed meanwhile is one call
ANSWER_WITHIN_SECONDS = 2.0


class Bell:
    """The flag and the thread of one process."""

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self.quiet = threading.Event()  # set while nothing is left to call
        self.quiet.set()
        self.thread: threading.Thread | None = None

    def ring(self) -> None:
        """Costs the caller next to nothing, whatever Redis does."""
        self.quiet.clear()
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
            caller.call()
            if not self.wanted.is_set():
                self.quiet.set()


class Caller:
    """Keeps its connection to Redis; gives up soon, and sends nothing twice."""

    def __init__(self) -> None:
        self.url = ""
        self.connection: redis.Redis | None = None

    def call(self) -> bool:
        """Whether Redis took it."""
        try:
            pipe = self._connected(policy.current().REDIS_URL).pipeline(transaction=False)
            pipe.lpush(CALLS, WORD)
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
        bell.ring()


def wait_until_called(seconds: float = 1.0) -> None:
    """For a process that is about to end: its last call has left, if Redis answers in time."""
    bell.quiet.wait(seconds)


def _begin_anew() -> None:
    """The thread stayed in the parent."""
    global bell
    bell = Bell()
