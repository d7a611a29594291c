"""`flask restore`: a backup becomes the database again, with its owner, its grants and every row."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2 import sql

import config
from guitaronline.backups import counting, files, manifest, programs, servers
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.making import DUMP
from guitaronline.backups.manifest import Manifest

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

FASTER = "-c maintenance_work_mem=256MB -c synchronous_commit=off -c statement_timeout=0 -c lock_timeout=0"
A_TABLE = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace LIMIT 1"


@dataclass(frozen=True)
class Restored:
    """What was restored; `differences` from what the backup says it had, in sentences."""

    manifest: Manifest
    differences: list[str]


def restore(folder: Path, settings: config.Settings, *, url: str, scratch: Path) -> Restored:
    """The empty database at `url`, whose user owns it, is what the backup in `folder` shows, and was compared with it.

    `scratch`: where a sealed backup is opened. Raises BackupFailed before anything is written when the database is not
    empty, a role is missing, or a file was harmed."""
    told = manifest.read(folder)
    files.expect_unharmed(folder, told)
    with servers.connected(url) as connection, connection.cursor() as cursor:
        _expect_fit(cursor, told)
    with files.opened(folder, told, DUMP, settings, scratch) as dump:
        hands = f"--jobs={os.cpu_count() or 1}"
        options = ["--no-owner", "--exit-on-error", "--no-password", hands]
        programs.run("pg_restore", [*options, f"--dbname={servers.database(url)}", dump], url=url, options=FASTER)
    with servers.connected(url) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            _let_in(cursor, told)
            cursor.execute("ANALYZE")
            return Restored(told, counting.differences(told, cursor, server_major=servers.server_major(cursor)))


def _expect_fit(cursor: Cursor, told: Manifest) -> None:
    """Raises BackupFailed saying what stands in the way."""
    database, user = servers.value(cursor, "SELECT current_database()"), servers.value(cursor, "SELECT current_user")
    if table := servers.value(cursor, A_TABLE):
        raise BackupFailed(
            f"the database {database} is not empty (it has a table {table}): nothing was restored. Make an empty one and try again"
        )
    if user != told.owner:
        raise BackupFailed(
            f"everything in the backup belongs to the role {told.owner}: DATABASE_OWNER_URL has to be of that role, not of {user}"
        )
    if not servers.value(cursor, "SELECT 1 FROM pg_roles WHERE rolname = %s", told.application):
        raise BackupFailed(f"the role {told.application} that works in it does not exist here: CREATE ROLE it first")
    if servers.server_major(cursor) < told.server_major:
        raise BackupFailed(f"the backup is of PostgreSQL {told.server_major}, this server is older")


def _let_in(cursor: Cursor, told: Manifest) -> None:
    """Only the two roles may enter the database; what they may do in it came with the backup."""
    name, role = (
        sql.Identifier(str(servers.value(cursor, "SELECT current_database()"))),
        sql.Identifier(told.application),
    )
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, role))
