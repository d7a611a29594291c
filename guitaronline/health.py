"""What machines ask: /health (this process answers), /ready (all it needs answers), /metrics (Prometheus).

Most numbers come from the database, so they are the same whichever web process answers. What the processes count themselves
stands in `meters.py`.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import flask
import structlog
from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import config
from guitaronline import logs
from guitaronline.db import session
from guitaronline.meters import meters

if TYPE_CHECKING:
    from prometheus_client.metrics_core import GaugeMetricFamily

SWEEP, MESSAGES_SWEEP = "booking.expire_holds", "outbox.drain"  # one of each queue, for each has a worker of its own
SWEEP_LATE_SECONDS = 90  # every 30 s it is asked for; its supervisor may take 30 s to start it again
LONG_JOBS = ["checks.run", "audit.seal_rest", "cleaning.clean_up"]  # the worker may be at one of these for minutes
REDIS_ANSWERS_WITHIN_SECONDS = 1.0
BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # seconds
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # a stranger may send any word
LEAVING = "leaving"
LOOPBACK = frozenset({"127.0.0.1", "::1"})
FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "Forwarded")
VERSIONS = Path(__file__).resolve().parents[1] / "migrations" / "versions"
REVISION = re.compile(r"""^(down_)?revision\b[^=]*=\s*(.+)$""", re.MULTILINE)
STARTED = time.monotonic()

log = structlog.get_logger("guitaronline.health")
health = Blueprint("health", __name__)


def init_health(app: Flask) -> None:
    app.register_blueprint(health)
    app.before_request(begin_counting)
    app.after_request(count_request)


@health.get("/health")
def alive() -> tuple[dict[str, str], int]:
    """This process answers; nothing else is asked. 503 once somebody has put the file `leaving` into VAR_DIR: the proxy sends
    nobody here any more, and the process may be ended without breaking a request."""
    settings: config.Settings = current_app.config["SETTINGS"]
    leaving = (Path(settings.VAR_DIR) / LEAVING).exists()
    return ({"status": "leaving"}, 503) if leaving else ({"status": "ok"}, 200)


@health.get("/ready")
def ready() -> Response:
    """200 when everything this process needs is there, else 503 and what is wrong."""
    wrong = {name: problem for name, look in LOOKS.items() if (problem := look()) is not None}
    answer = flask.jsonify({"status": "not ready", "wrong": wrong} if wrong else {"status": "ready"})
    answer.status_code = 503 if wrong else 200
    return answer


def database_problem() -> str | None:
    """The database answers and its schema is the one of this code, or of a later release."""
    try:
        found = session().execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    except DBAPIError as error:
        session().rollback()
        return f"does not answer as it should: {logs.in_words(error)}"
    if found == [newest_migration()] or is_later(list(found)):
        return None
    return f"at migration {', '.join(found)}, the code is at {newest_migration()}"


def is_later(found: list[str]) -> bool:
    """The schema is of a later release: this code serves beside it while that is rolled out, or after it was rolled back.
    Migrations are made so that it can (docs/runbooks/release.md)."""
    return len(found) == 1 and found[0] > newest_migration() and not any(VERSIONS.glob(f"{found[0]}_*.py"))


def redis_problem() -> str | None:
    from redis import Redis
    from redis.exceptions import RedisError

    settings: config.Settings = current_app.config["SETTINGS"]
    within = REDIS_ANSWERS_WITHIN_SECONDS
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=within, socket_timeout=within, retry=None
        ) as redis:
            redis.ping()
    except (RedisError, ValueError) as error:
        return f"does not answer: {type(error).__name__}"
    return None


def worker_problem() -> str | None:
    """The worker finished a sweep lately. After a start it has as long again, for nobody swept before."""
    return _late(SWEEP, LONG_JOBS)


def messages_problem() -> str | None:
    """The same of the worker that tells people; its jobs are all short."""
    return _late(MESSAGES_SWEEP, [])


def _late(sweep: str, long_jobs: list[str]) -> str | None:
    try:
        age = session().execute(LAST_SWEEP, {"sweep": [sweep], "long": long_jobs}).scalar_one()
    except DBAPIError:
        session().rollback()
        return None  # `database` says it
    up = time.monotonic() - STARTED
    return None if min(up, age if age is not None else up) < SWEEP_LATE_SECONDS else f"no sweep for {age or up:.0f} s"


LOOKS = {
    "database": database_problem,
    "redis": redis_problem,
    "worker": worker_problem,
    "messages": messages_problem,
}
LAST_SWEEP = text("""
SELECT extract(epoch FROM clock_timestamp() - max(
         CASE WHEN outcome LIKE 'done%' THEN finished_at
              WHEN finished_at IS NULL AND t.job = ANY(:long) THEN least(started_at + interval '30 minutes', clock_timestamp()) END))::float8
  FROM unnest(CAST(:sweep AS text[]) || CAST(:long AS text[])) AS asked(job),
       LATERAL (SELECT * FROM job_ticks WHERE job_ticks.job = asked.job ORDER BY tick_at DESC LIMIT 20) t
""")


@cache
def newest_migration() -> str:
    """Read from the files: loading Alembic for it would cost every web process 10 MB."""
    names: set[str] = set()
    followed: set[str] = set()
    for file in VERSIONS.glob("*.py"):
        for is_down, value in REVISION.findall(file.read_text()):
            (followed if is_down else names).update(re.findall(r"""["']([^"']+)["']""", value))
    return ", ".join(sorted(names - followed))


@health.get("/metrics")
def metrics() -> Response:
    if not may_read_metrics():
        flask.abort(403)
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    registry = meters().registry()
    registry.register(FromDatabase())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def may_read_metrics() -> bool:
    """The token, or this machine itself; what came through a proxy did not come from this machine."""
    settings: config.Settings = current_app.config["SETTINGS"]
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if settings.METRICS_TOKEN and hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode()):
        return True
    is_direct = not any(name in request.headers for name in FORWARDED)
    return not settings.METRICS_TOKEN and is_direct and request.remote_addr in LOOPBACK


def begin_counting() -> None:
    """The first request makes the meters, before its own commands run."""
    meters()


def count_request(answer: Response) -> Response:
    meters().count(request.method, logs.route(), answer.status_code, logs.elapsed_ms() / 1000)
    return answer


GAUGES = {
    "outbox_events": ("Events in the outbox by state.", "status"),
    "outbox_oldest_pending_seconds": ("How long the oldest due event has waited.", None),
    "job_last_success_seconds": ("Time since the job last ended well.", "job"),
    "job_last_tick_seconds": ("Time since the scheduler last asked for the job.", "job"),
    "job_failures_24h": ("Failed runs in the last 24 hours.", "job"),
    "job_longest_seconds_24h": ("The longest run of the last 24 hours.", "job"),
    "audit_last_checkpoint_seconds": ("Time since the audit was last sealed.", None),
    "audit_sealed_changes": ("Changes under seal.", None),
    "invariant_findings": ("Rows that broke an invariant in the last run of the checks.", None),
    "invariant_last_run_seconds": ("Time since the checks last ran.", None),
    "messages": ("Messages that wait, or that no further attempt is made of, by state.", "status"),
    "messages_oldest_pending_seconds": ("How long the oldest due message has waited.", "channel"),
    "messages_sent_1h": ("Messages that their channel took in the last hour.", "channel"),
    "message_attempts_1h": ("Attempts to send in the last hour, by how they ended.", "outcome"),
    "messages_delivery_seconds": ("From the event to the channel's yes, of the newest 1,000 messages.", "quantile"),
    "channel_paused": ("1 while the circuit breaker of a channel is open.", "channel"),
    "channel_failures": ("Failures of a channel in a row.", "channel"),
    "backup_last_success_seconds": (
        "Since the last good backup or rehearsal of a restore began; +Inf where there was none.",
        "kind",
    ),
    "backup_problems": ("What went wrong in the last backup or rehearsal.", "kind"),
    "backup_seconds": ("How long the last good backup or rehearsal took.", "kind"),
    "backup_loss_window_seconds": (
        "What would have been lost, had the database gone when the last rehearsal began.",
        None,
    ),
    "address_problems": ("People to whom mail does not arrive.", None),
    "locks_waiting": ("Statements that wait for a lock just now.", None),
    "locks_oldest_wait_seconds": ("How long the first of them has waited.", None),
    "transactions_oldest_seconds": ("How long the oldest open transaction of the application has run.", None),
    "database_connections": ("Connections to the database, by what they do.", "state"),
    "database_connections_free": ("Connections that the server still has for the application.", None),
    "database_deadlocks": ("Deadlocks since the server's statistics began.", None),
    "reconciliation_exceptions": ("Differences that nobody has decided; 10001 is more than that.", "status"),
    "reconciliation_oldest_exception_seconds": ("How long the oldest open one has waited.", None),
    "payment_exceptions_oldest_seconds": ("How long the oldest payment that does not fit has waited.", None),
    "provider_events": ("Events of providers that are not applied, by state; 10001 is more than that.", "status"),
    "provider_events_oldest_due_seconds": ("How long the oldest due event of a provider has waited.", None),
    "payments_unknown": ("Payments whose provider does not answer.", None),
    "refunds_oldest_due_seconds": ("How long the oldest refund that is due has waited to be asked for.", None),
}
NUMBERS = text("""
SELECT 'outbox_events' AS name, status AS label, count(*)::float8 AS value FROM outbox_events WHERE status IN ('pending', 'dead') GROUP BY status
UNION ALL SELECT 'outbox_oldest_pending_seconds', NULL, coalesce(extract(epoch FROM clock_timestamp() - min(available_at)), 0)
  FROM outbox_events WHERE status = 'pending' AND available_at <= clock_timestamp()
UNION ALL SELECT told.name, jobs.job, told.value FROM (
    SELECT job, extract(epoch FROM clock_timestamp() - max(finished_at) FILTER (WHERE outcome LIKE 'done%')) AS success,
           extract(epoch FROM clock_timestamp() - max(tick_at)) AS tick,
           count(*) FILTER (WHERE outcome LIKE 'failed%' AND tick_at > now() - interval '1 day') AS failures,
           extract(epoch FROM max(finished_at - started_at) FILTER (WHERE tick_at > now() - interval '1 day')) AS longest
      FROM job_ticks GROUP BY job) jobs, LATERAL (VALUES ('job_last_success_seconds', success), ('job_last_tick_seconds', tick),
         ('job_failures_24h', failures), ('job_longest_seconds_24h', longest)) AS told(name, value) WHERE told.value IS NOT NULL
UNION ALL (SELECT 'audit_last_checkpoint_seconds', NULL, extract(epoch FROM clock_timestamp() - at) FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1)
UNION ALL (SELECT 'audit_sealed_changes', NULL, changes FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1)
UNION ALL (SELECT 'invariant_findings', NULL, jsonb_array_length(findings -> 'findings') FROM check_runs ORDER BY at DESC LIMIT 1)
UNION ALL (SELECT 'invariant_last_run_seconds', NULL, extract(epoch FROM clock_timestamp() - at) FROM check_runs ORDER BY at DESC LIMIT 1)
UNION ALL SELECT 'messages', 'queued', count(*) FROM messages WHERE status = 'queued'
UNION ALL SELECT 'messages', status, count(m.id) FROM (VALUES ('failed'), ('uncertain')) AS dead(status)
  LEFT JOIN (SELECT id, status AS state FROM messages WHERE status IN ('failed', 'uncertain')) m ON m.state = dead.status GROUP BY status
UNION ALL SELECT 'messages_oldest_pending_seconds', c.channel, coalesce(extract(epoch FROM clock_timestamp() - due.at), 0)
  FROM (VALUES ('email'), ('sms'), ('telegram'), ('in_app')) AS c(channel) LEFT JOIN LATERAL
       (SELECT CASE WHEN attempts = 0 THEN available_at ELSE happened_at END AS at FROM messages m WHERE m.status = 'queued'
           AND m.channel = c.channel AND (m.available_at <= clock_timestamp() OR m.attempts > 0) ORDER BY m.available_at, m.id LIMIT 1) due ON true
UNION ALL SELECT 'messages_sent_1h', channel, count(*) FROM messages WHERE sent_at > now() - interval '1 hour' GROUP BY channel
UNION ALL SELECT 'message_attempts_1h', outcome, count(*) FROM message_attempts
  WHERE id > CAST(lpad(to_hex(CAST(extract(epoch FROM now() - interval '1 hour') * 1000 AS bigint)), 12, '0') || repeat('0', 20) AS uuid)
  GROUP BY outcome
UNION ALL SELECT 'messages_delivery_seconds', quantile::text, percentile_disc(quantile) WITHIN GROUP (ORDER BY took) FROM (VALUES (0.5), (0.95)) AS q(quantile),
       (SELECT extract(epoch FROM sent_at - happened_at) AS took FROM messages WHERE sent_at IS NOT NULL AND channel <> 'in_app' ORDER BY sent_at DESC LIMIT 1000) newest
  GROUP BY quantile
UNION ALL SELECT 'channel_paused', channel, CASE WHEN open_until > clock_timestamp() THEN 1 ELSE 0 END FROM channel_states
UNION ALL SELECT 'channel_failures', channel, failures FROM channel_states
UNION ALL SELECT 'address_problems', NULL, count(*) FROM users WHERE address_problem IS NOT NULL
UNION ALL SELECT told.name, asked.kind, told.value FROM (VALUES ('backup', ARRAY['backup', 'base']), ('rehearsal', ARRAY['rehearsal'])) AS asked(kind, kinds)
  LEFT JOIN LATERAL (SELECT * FROM backup_runs r WHERE r.kind = ANY(kinds) AND finished_at IS NOT NULL AND problems = '[]'
                      ORDER BY started_at DESC LIMIT 1) good ON true
  LEFT JOIN LATERAL (SELECT * FROM backup_runs r WHERE r.kind = ANY(kinds) AND finished_at IS NOT NULL
                      ORDER BY started_at DESC LIMIT 1) last ON true,
  LATERAL (VALUES ('backup_last_success_seconds', coalesce(extract(epoch FROM clock_timestamp() - good.started_at), 'infinity')),
                  ('backup_problems', coalesce(jsonb_array_length(last.problems), 0)),
                  ('backup_seconds', extract(epoch FROM good.finished_at - good.started_at))) AS told(name, value) WHERE told.value IS NOT NULL
UNION ALL (SELECT 'backup_loss_window_seconds', NULL, loss_seconds FROM backup_runs
  WHERE kind = 'rehearsal' AND loss_seconds IS NOT NULL ORDER BY started_at DESC LIMIT 1)
UNION ALL SELECT unnest(ARRAY['locks_waiting', 'locks_oldest_wait_seconds']), NULL,
                 unnest(ARRAY[count(*), coalesce(extract(epoch FROM clock_timestamp() - min(l.waitstart)), 0)])
  FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()
UNION ALL SELECT 'transactions_oldest_seconds', NULL, coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)
  FROM pg_stat_activity WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
UNION ALL SELECT 'database_connections', s.state, count(a.pid)
  FROM unnest(ARRAY['active', 'idle', 'idle in transaction', 'other']) AS s(state) LEFT JOIN pg_stat_activity a
    ON a.datname = current_database() AND s.state = CASE WHEN a.state IN ('active', 'idle', 'idle in transaction') THEN a.state ELSE 'other' END GROUP BY s.state
UNION ALL SELECT 'database_connections_free', NULL, current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
  - current_setting('reserved_connections')::int - sum(numbackends) FROM pg_stat_database
UNION ALL SELECT 'database_deadlocks', NULL, deadlocks FROM pg_stat_database WHERE datname = current_database()
UNION ALL SELECT 'reconciliation_exceptions', s.status, (SELECT count(*) FROM
       (SELECT 1 FROM reconciliation_exceptions e WHERE e.status = s.status LIMIT 10001) capped) FROM (VALUES ('open'), ('escalated')) AS s(status)
UNION ALL SELECT 'reconciliation_oldest_exception_seconds', NULL, coalesce(extract(epoch FROM clock_timestamp() -
       (SELECT created_at FROM reconciliation_exceptions WHERE status = 'open' ORDER BY id LIMIT 1)), 0)
UNION ALL SELECT 'payment_exceptions_oldest_seconds', NULL, coalesce(extract(epoch FROM clock_timestamp() -
       (SELECT created_at FROM payment_exceptions WHERE resolved_at IS NULL ORDER BY created_at LIMIT 1)), 0)
UNION ALL SELECT 'provider_events', s.status, (SELECT count(*) FROM
       (SELECT 1 FROM provider_events e WHERE e.status = s.status LIMIT 10001) capped) FROM (VALUES ('received'), ('parked'), ('dead')) AS s(status)
UNION ALL SELECT 'provider_events_oldest_due_seconds', NULL, coalesce(extract(epoch FROM clock_timestamp() -
       (SELECT min(available_at) FROM provider_events WHERE status IN ('received', 'parked') AND available_at <= clock_timestamp())), 0)
UNION ALL SELECT 'payments_unknown', NULL, count(*) FROM payment_asks WHERE unknown_since IS NOT NULL
UNION ALL SELECT 'refunds_oldest_due_seconds', NULL, coalesce(extract(epoch FROM clock_timestamp() -
       (SELECT min(due_at) FROM refund_calls WHERE closed_at IS NULL AND due_at <= clock_timestamp())), 0)
""")


class FromDatabase:
    """The gauges that the database knows; without it only `database_up` 0."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        try:
            rows = session().execute(NUMBERS).all()
        except DBAPIError as error:
            session().rollback()
            log.warning("no numbers of the database", error=logs.in_words(error))
            rows = []
        yield GaugeMetricFamily("database_up", "Whether the database answered.", value=1 if rows else 0)
        for name, (words, label) in GAUGES.items() if rows else ():
            family = GaugeMetricFamily(name, words, labels=[label] if label else None)
            for row in rows:
                if row.name == name:
                    family.add_metric([row.label] if label else [], row.value)
            yield family
