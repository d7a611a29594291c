"""`python -m jobs.scheduler`: writes down each tick of the timetable once, and rings the worker for it.

There is no leader: the database takes a tick of the same name and time only once, so two schedulers are one. The newest
tick of a job that nobody has begun is rung again in every round, so a wiped Redis costs seconds; so is one that was begun
and never ended. Between its rounds it hears the doorbell of commits (`guitaronline.doorbell`), and rings for what they call
for at once. Loads neither the application nor the domains.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import psycopg2
import structlog
from redis import Redis
from redis.exceptions import RedisError

import config
from guitaronline import logs
from jobs import bell, triggers
from jobs.schedule import BY_FUNCTION, TIMETABLE, Job

ROUND_SECONDS = 2.0
LONGEST_BACK_OFF_SECONDS = 30.0
AGAIN_SECONDS = 0.1  # a call that came while its job was at work is passed on as soon as that has ended
MOST_CALLS = 200  # taken at once; the doorbell keeps no more than that
CALLS = "gol:calls"  # as `guitaronline.doorbell` names it, whose import would load the domains
GRACE_SECONDS = 90  # RQ kills a job 60 s after its time is up
PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}  # as the web has
DATABASE_OPTIONS = "-c statement_timeout=5s -c lock_timeout=2s -c timezone=UTC"

WRITE_TICKS = """
INSERT INTO job_ticks (id, job, tick_at)
SELECT gen_random_uuid(), job, to_timestamp(floor((extract(epoch FROM clock_timestamp()) - after) / every) * every + after)
  FROM unnest(%s::text[], %s::numeric[], %s::numeric[]) AS due(job, every, after)
ON CONFLICT (job, tick_at) DO NOTHING
"""
OPEN_TICKS = """
SELECT newest.id::text, due.job
  FROM unnest(%s::text[], %s::numeric[]) WITH ORDINALITY AS due(job, within, place),
       LATERAL (SELECT * FROM job_ticks t WHERE t.job = due.job ORDER BY tick_at DESC LIMIT 1) newest
 WHERE newest.started_at IS NULL
    OR (newest.finished_at IS NULL AND newest.started_at < clock_timestamp() - make_interval(secs => within::float8 + %s))
 ORDER BY due.place
"""

log = structlog.get_logger("jobs.scheduler")


class Scheduler:
    def __init__(self, settings: config.Settings, timetable: Sequence[Job] = TIMETABLE) -> None:
        self.settings, self.timetable = settings, timetable
        self.redis: Redis = bell.connect(settings.REDIS_URL)
        self.database: Any = None
        self.failures = 0
        self.rung = True  # whether Redis took the last ring
        self.called: set[str] = set()  # jobs that commits have called for, and no worker was told yet

    def run(self) -> None:
        """For ever, whatever the database and Redis do."""
        while True:
            self.listen(self.round())

    def round(self) -> float:
        """One round; the seconds until the next. The ticks in the database are its sign of life, seen by /metrics."""
        try:
            ticks = self.open_ticks()
        except psycopg2.Error as error:
            self.failures += 1
            self.hang_up()
            log.warning("no database", error=logs.in_words(error), failures=self.failures)
            return min(ROUND_SECONDS * 2.0**self.failures, LONGEST_BACK_OFF_SECONDS)
        self.failures = 0
        heard = [bell.ring(self.redis, f"jobs.{name}", tick_id) for tick_id, name in ticks]
        rung = all(heard)
        if ticks and rung != self.rung:
            self.rung = rung
            log.warning("Redis answers again" if rung else "no Redis: jobs run late")
        return ROUND_SECONDS

    def listen(self, seconds: float) -> None:
        """So long, commits that call are heard; without Redis it only waits."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self.called |= self.calls(left)
            except RedisError:
                time.sleep(left)
                return
            self.called -= {name for name in self.called if bell.ring_for_call(self.redis, name)}
            if self.called:
                time.sleep(AGAIN_SECONDS)

    def calls(self, seconds: float) -> set[str]:
        """Waits for a call, or looks only, where one is waiting to be passed on; the jobs called for, each once.

        Anything may stand on the list: what the timetable does not know is dropped."""
        longest = max(
            min(seconds, bell.ANSWER_WITHIN_SECONDS / 2), 0.01
        )  # 0 is for ever; Redis answers before the connection gives up
        first: Any = None if self.called else self.redis.blpop([CALLS], timeout=longest)
        others: Any = self.redis.lpop(CALLS, MOST_CALLS) or []
        heard = [first[1], *others] if first else others
        names = {each.decode(errors="replace") for each in heard}
        return {name for name in names if f"jobs.{name}" in BY_FUNCTION}

    def open_ticks(self) -> list[tuple[str, str]]:
        """(id, job) of the newest tick of each job that is still to be done; due ticks are written down first."""
        if self.database is None:
            url = self.settings.DATABASE_URL.replace("+psycopg2", "", 1)
            self.database = psycopg2.connect(url, options=DATABASE_OPTIONS, application_name="scheduler", **PATIENCE)
            self.database.autocommit = True
        names = [job.name for job in self.timetable]
        every = [job.every.total_seconds() for job in self.timetable]
        after = [job.after.total_seconds() for job in self.timetable]
        within = [job.within.total_seconds() for job in self.timetable]
        with self.database.cursor() as cursor:
            cursor.execute(WRITE_TICKS, [names, every, after])
            cursor.execute(OPEN_TICKS, [names, within, GRACE_SECONDS])
            found: list[tuple[str, str]] = cursor.fetchall()
        return found

    def hang_up(self) -> None:
        if self.database is not None:
            self.database.close()
            self.database = None


def main() -> None:
    settings = config.load()
    triggers.check()
    logs.configure(settings.LOG_LEVEL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    Scheduler(settings).run()


if __name__ == "__main__":
    main()
