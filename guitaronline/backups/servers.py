"""Connections of the owner to the server that is backed up or restored into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg2
from psycopg2.extensions import parse_dsn

import config
from guitaronline.backups import programs
from guitaronline.backups.errors import BackupFailed

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

PATIENT = "-c statement_timeout=0 -c lock_timeout=10s -c timezone=UTC"  # reading everything takes as long as it takes


@dataclass(frozen=True)
class Roles:
    """Who owns everything, and who works in it."""

    owner: str
    application: str


def owner_url(settings: config.Settings) -> str:
    return settings.DATABASE_OWNER_URL or settings.DATABASE_URL


def roles(settings: config.Settings) -> Roles:
    """As the two addresses name them."""
    owner = parse_dsn(plain(owner_url(settings)))["user"]
    return Roles(owner, parse_dsn(plain(settings.DATABASE_URL))["user"])


def database(url: str) -> str:
    return str(parse_dsn(plain(url))["dbname"])


def plain(url: str) -> str:
    """As libpq knows it."""
    return url.replace("+psycopg2", "", 1)


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection that is closed afterwards. Raises BackupFailed when the server does not answer."""
    try:
        connection = psycopg2.connect(plain(url), connect_timeout=10, options=PATIENT)
    except psycopg2.Error as error:
        raise BackupFailed(f"the database does not answer: {str(error).strip().splitlines()[0]}") from error
    try:
        yield connection
    finally:
        connection.close()


def value(cursor: Cursor, query: str, *values: object) -> object:
    """The first value of the answer."""
    cursor.execute(query, values or None)
    row = cursor.fetchone()
    return row[0] if row else None


def server_major(cursor: Cursor) -> int:
    """Raises BackupFailed when our programs are too old for the server."""
    major = int(str(value(cursor, "SHOW server_version_num"))) // 10000
    if programs.major() < major:
        raise BackupFailed(
            f"the server is PostgreSQL {major}, the programs on this machine are of {programs.major()}: install those of {major}"
        )
    return major
