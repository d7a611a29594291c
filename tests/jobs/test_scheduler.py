"""The scheduler's rounds, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

import config
from jobs import bell
from jobs.schedule import BY_FUNCTION, DAY, TIMETABLE, Job, Queue
from jobs.scheduler import LONGEST_BACK_OFF_SECONDS, ROUND_SECONDS, Scheduler
from tests.concurrency import at_once

SEAL = (Job("audit.seal", DAY, "for this test"),)


@pytest.fixture
def scheduler(db: Session, settings: config.Settings) -> Iterator[Scheduler]:
    made = Scheduler(settings, SEAL)
    yield made
    made.hang_up()


def queued(redis: Redis) -> list[str]:
    """In all queues."""
    return [job_id.decode() for queue in Queue for job_id in redis.lrange(f"rq:queue:{queue}", 0, -1)]


def test_a_due_tick_is_written_down_and_rung_once(scheduler: Scheduler, db: Session, redis: Redis) -> None:
    assert [scheduler.round(), scheduler.round(), scheduler.round()] == [ROUND_SECONDS] * 3

    [tick] = db.execute(text("SELECT id, job, tick_at, started_at FROM job_ticks")).all()
    assert (tick.job, tick.tick_at.hour, tick.started_at) == ("audit.seal", 0, None)
    assert queued(redis) == [f"tick-{tick.id}"]


def test_two_schedulers_at_once_tick_once(db: Session, app: Flask, settings: config.Settings, redis: Redis) -> None:
    both = [Scheduler(settings), Scheduler(settings)]

    at_once(app, *(scheduler.round for scheduler in both))

    ticks = db.execute(text("SELECT id, job FROM job_ticks")).all()
    assert sorted(job for _, job in ticks) == sorted(job.name for job in TIMETABLE)
    assert sorted(queued(redis)) == sorted(f"tick-{tick_id}" for tick_id, _ in ticks)
    for scheduler in both:
        scheduler.hang_up()


def test_what_was_begun_is_not_rung_again(scheduler: Scheduler, db: Session, redis: Redis) -> None:
    scheduler.round()
    db.execute(text("UPDATE job_ticks SET started_at = now()"))
    db.commit()
    redis.flushdb()

    scheduler.round()

    assert queued(redis) == []


def test_what_was_begun_and_never_ended_is_rung_again(scheduler: Scheduler, db: Session, redis: Redis) -> None:
    scheduler.round()
    db.execute(text("UPDATE job_ticks SET started_at = now() - interval '10 minutes'"))
    db.commit()
    redis.flushdb()

    scheduler.round()

    assert len(queued(redis)) == 1


def test_without_redis_the_tick_waits(db: Session, settings: config.Settings, redis: Redis) -> None:
    deaf = Scheduler(replace(settings, REDIS_URL="redis://127.0.0.1:1/0"), SEAL)
    hearing = Scheduler(settings, SEAL)

    assert deaf.round() == ROUND_SECONDS
    assert not deaf.rung
    hearing.round()

    assert len(queued(redis)) == 1
    deaf.hang_up()
    hearing.hang_up()


def test_without_the_database_it_waits_longer_each_time_and_goes_on(settings: config.Settings, db: Session) -> None:
    scheduler = Scheduler(replace(settings, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"), SEAL)

    waits = [scheduler.round() for _ in range(6)]
    scheduler.settings = settings

    assert waits == [4, 8, 16, LONGEST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS]
    assert scheduler.round() == ROUND_SECONDS
    assert scheduler.failures == 0
    scheduler.hang_up()


def test_every_job_of_the_timetable_can_be_found_and_says_why() -> None:
    from rq.utils import import_attribute

    assert all(callable(import_attribute(function)) for function in BY_FUNCTION)
    assert all(job.why and job.every >= timedelta(seconds=5) and job.after < job.every for job in TIMETABLE)


def test_a_ring_carries_an_id_and_keeps_nothing(db: Session, redis: Redis) -> None:
    assert bell.ring(redis, "jobs.audit.seal", "0192-a")
    assert bell.ring(redis, "jobs.audit.seal", "0192-a")

    job = bell.queue(redis).fetch_job("tick-0192-a")
    assert job is not None
    assert (job.func_name, job.args, job.result_ttl, job.failure_ttl, job.timeout) == (
        "jobs.audit.seal",
        ["0192-a"],
        0,
        60,
        60,
    )
    assert 0 < redis.ttl("rq:job:tick-0192-a") <= 300
    assert len(queued(redis)) == 1


def test_without_redis_a_ring_says_so() -> None:
    assert not bell.ring(bell.connect("redis://127.0.0.1:1/0"), "jobs.audit.seal", "0192-a")
