"""`python -m jobs.alive web|worker|scheduler`: ends with 0 when that process of this machine gives a sign of life.

For the health check of a container, every few seconds: loads neither the application nor RQ.
"""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable, Sequence

import config
from jobs.schedule import Queue

WITHIN_SECONDS = 2.0
TICKS_WITHIN_SECONDS = 60


def web(settings: config.Settings) -> bool:
    """It answers; whether everything it needs is there is /ready's to say, and no reason to start it again."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.PORT, timeout=WITHIN_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def worker(settings: config.Settings) -> bool:
    """Redis has heard, within its time to live, of a worker of this machine for each queue."""
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=WITHIN_SECONDS, socket_timeout=WITHIN_SECONDS
        ) as redis:
            return all(
                any(redis.hget(key, "hostname") == _host() for key in redis.smembers(f"rq:workers:{queue}"))
                for queue in Queue
            )
    except RedisError:
        return False


def scheduler(settings: config.Settings) -> bool:
    """A tick was written down lately; of several schedulers it may have been another's."""
    import psycopg2

    query = (
        "SELECT max(tick_at) > clock_timestamp() - make_interval(secs => %s) FROM job_ticks WHERE job = 'outbox.drain'"
    )
    try:
        connection = psycopg2.connect(settings.DATABASE_URL.replace("+psycopg2", "", 1), connect_timeout=2)
    except psycopg2.OperationalError:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, [TICKS_WITHIN_SECONDS])
            return cursor.fetchone() == (True,)
    finally:
        connection.close()


def _host() -> bytes:
    return socket.gethostname().encode()


PROCESSES: dict[str, Callable[[config.Settings], bool]] = {"web": web, "worker": worker, "scheduler": scheduler}


def main(asked: Sequence[str]) -> int:
    looked = PROCESSES.get(asked[0] if len(asked) == 1 else "")
    if looked is None:
        sys.stderr.write(f"one of {', '.join(PROCESSES)}\n")
        return 2
    return 0 if looked(config.load()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
