"""Whether this instance is fit for production. `flask check-deploy` tells everything that stands in the way, each with what to do.

What the settings alone can tell is `config.unfit_for_production`, by which the start refuses as well. The rest is what only
the servers know: the database's roles, its schema, who can sign in with what, and what lies in Redis.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import config
from guitaronline import health, logs, policy
from guitaronline.actor import STAFF_ROLES
from guitaronline.db import session

NAME_AT_MOST = 10
JOBS_LOOKED_AT = 1_000
INVENTED = "%.example"  # nobody can have such an address (RFC 2606): demo and tests

ROLE = text("""
SELECT rolsuper, rolcreatedb OR rolcreaterole OR rolbypassrls AS is_mighty,
       EXISTS (SELECT FROM pg_class WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace AND relkind = 'r') AS is_owner,
       has_schema_privilege('public', 'CREATE') AS may_create,
       has_table_privilege('audit_actions', 'UPDATE, DELETE, TRUNCATE') OR has_table_privilege('audit_changes', 'UPDATE, DELETE, TRUNCATE')
         AS may_rewrite
  FROM pg_roles r WHERE rolname = current_user
""")
WITHOUT_TOTP = text("""
SELECT reference FROM users
 WHERE role = ANY(CAST(:staff AS text[])) AND is_active AND password_hash IS NOT NULL AND totp_secret IS NULL ORDER BY reference
""")
INVENTED_PEOPLE = text("""
SELECT reference FROM users WHERE is_active AND password_hash IS NOT NULL AND email_key LIKE :invented ORDER BY reference LIMIT :most
""")


@click.command("check-deploy")
def check_deploy() -> None:
    """Tell what stands in the way of production, and what to do; exit code 1 when something does."""
    found = obstacles(policy.current(), os.environ, session())
    for each in found:
        click.echo(each)
    click.echo(f"{len(found)} in the way of production" if found else "fit for production")
    raise SystemExit(1 if found else 0)


def obstacles(settings: config.Settings, environ: Mapping[str, str], session: Session) -> list[str]:
    """Each as `WHERE: what must be`. Asks each server once; one that does not answer is an obstacle itself."""
    found = [] if settings.is_production else ["ENVIRONMENT: must be production; until then the start refuses nothing"]
    found += config.unfit_for_production(settings, environ)
    found += of_database(session)
    return found + of_redis(settings.REDIS_URL)


def of_database(session: Session) -> list[str]:
    problem = health.database_problem()
    if problem is not None:
        return [f"database: {problem}; start it, or run `flask --app wsgi db upgrade` with DATABASE_OWNER_URL"]
    try:
        return [*_of_role(session), *_of_people(session)]
    except DBAPIError as error:
        session.rollback()
        return [f"database: cannot be looked at: {logs.in_words(error)}"]


def _of_role(session: Session) -> list[str]:
    role = session.execute(ROLE).one()
    return [
        f"DATABASE_URL: {message}"
        for unfit, message in (
            (role.rolsuper, "its role is a superuser; ALTER ROLE … NOSUPERUSER"),
            (role.is_mighty, "its role may make databases or roles, or pass row security; ALTER ROLE … NOCREATEDB NOCREATEROLE NOBYPASSRLS"),
            (role.is_owner, "its role owns the tables; let another own them (DATABASE_OWNER_URL) and migrate as that"),
            (role.may_create, "its role may make tables; REVOKE CREATE ON SCHEMA public FROM …"),
            (role.may_rewrite, "its role may rewrite the audit; REVOKE UPDATE, DELETE, TRUNCATE ON audit_actions, audit_changes FROM …"),
        )
        if unfit
    ]  # fmt: skip


def _of_people(session: Session) -> list[str]:
    bare = list(session.scalars(WITHOUT_TOTP, {"staff": sorted(STAFF_ROLES)}))
    invented = list(session.scalars(INVENTED_PEOPLE, {"invented": INVENTED, "most": NAME_AT_MOST + 1}))
    return [
        message
        for people, message in (
            (bare, f"people: {_named(bare)} of the staff without an authenticator app; they enrol, or are deactivated"),
            (invented, f"people: {_named(invented)} of a demo, with known passwords; deactivate them"),
        )
        if people
    ]


def _named(references: list[str]) -> str:
    shown = ", ".join(references[:NAME_AT_MOST])
    return f"{shown} and others" if len(references) > NAME_AT_MOST else shown


def of_redis(url: str) -> list[str]:
    """It answers, and no job in it would be unpickled: that runs whatever somebody put there."""
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(url, socket_connect_timeout=1.0, socket_timeout=1.0, retry=None) as redis:
            strange = sum(not _is_json(data) for data in _jobs_in(redis))
    except (RedisError, ValueError) as error:
        return [f"REDIS_URL: does not answer: {type(error).__name__}"]
    return [f"Redis: {strange} jobs that are not JSON; find out who put them there, then FLUSHALL"] if strange else []


def _jobs_in(redis: Any) -> list[bytes]:
    """What some of the jobs there carry."""
    names = [name for name, _ in zip(redis.scan_iter("rq:job:*", count=500), range(JOBS_LOOKED_AT), strict=False)]
    return [data for name in names if redis.type(name) == b"hash" and (data := redis.hget(name, "data"))]


def _is_json(data: bytes) -> bool:
    try:
        json.loads(zlib.decompress(data))
    except (zlib.error, ValueError):
        return False
    return True
