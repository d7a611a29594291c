"""Signs of life of the processes of this machine, for the health checks of containers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg2.extensions import connection as Connection
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

import config
from guitaronline.local.ports import free_port
from jobs import alive
from jobs.schedule import Queue
from tests.jobs.processes import Processes, eventually
from tests.jobs.test_processes import tick
from tests.servers import Servers

NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def here(settings: config.Settings, mine: Servers) -> config.Settings:
    return replace(settings, DATABASE_URL=mine.app_url, REDIS_URL=mine.redis_url, PORT=free_port())


def test_without_servers_nobody_is_alive(here: config.Settings) -> None:
    lost = replace(here, **NOWHERE)

    assert [looked(lost) for looked in alive.PROCESSES.values()] == [False, False, False]


def test_a_worker_is_alive_when_every_queue_has_one(here: config.Settings, run: Processes, redis: Redis) -> None:
    assert not alive.worker(here)

    run.start("jobs.worker", Queue.WORK.value)
    eventually(lambda: redis.smembers(f"rq:workers:{Queue.WORK.value}"))
    assert not alive.worker(here)

    for queue in (Queue.MESSAGES, Queue.BACKUPS):
        run.start("jobs.worker", queue.value)
    eventually(lambda: alive.worker(here))


def test_a_worker_of_another_machine_is_not_ours(here: config.Settings, redis: Redis) -> None:
    for queue in Queue:
        redis.sadd(f"rq:workers:{queue}", f"rq:worker:{queue}")
        redis.hset(f"rq:worker:{queue}", "hostname", "elsewhere")

    assert not alive.worker(here)


def test_the_scheduler_is_alive_while_it_writes_ticks(here: config.Settings, db: Session, owner: Connection) -> None:
    assert not alive.scheduler(here)

    tick(owner, "outbox.drain")
    assert alive.scheduler(here)

    db.execute(text("UPDATE job_ticks SET tick_at = now() - interval '61 seconds'"))
    db.commit()
    assert not alive.scheduler(here)


def test_who_asks_for_nobody_is_told_whom_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert alive.main([]) == 2
    assert capsys.readouterr().err == "one of web, worker, scheduler\n"
