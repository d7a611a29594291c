"""`flask backup`: everything in the database as one moment shows it, in a folder, with a manifest of what is in it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import config
from guitaronline.backups import counting, files, manifest, programs, runs, servers
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.manifest import Manifest
from guitaronline.backups.models import BackupKind

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

DUMP = "database.dump"
ENDING = "Z"  # of its name
GENTLY = "SET max_parallel_workers_per_gather = 0"  # people work on it meanwhile


def back_up(settings: config.Settings) -> Manifest:
    """A backup of now lies in BACKUP_DIR, the run is written down, and what is older than the newest BACKUP_KEEP is gone.

    Raises BackupFailed, after writing that down too; AlreadyRuns."""
    with runs.alone(BackupKind.BACKUP):
        run_id = runs.begin(BackupKind.BACKUP)
        try:
            home = files.place(settings)
            files.remove_parts(home, ENDING)
            made = _write(settings, home)
            files.remove_old(home, BackupKind.BACKUP, keep=settings.BACKUP_KEEP)
        except BackupFailed as error:
            runs.end(run_id, runs.Outcome("", problems=(str(error),)))
            raise
        runs.end(run_id, runs.Outcome(made.name, made.moment, made.bytes, made.rows))
        return made


def _write(settings: config.Settings, home: Path) -> Manifest:
    """1. One snapshot for all that is read. 2. pg_dump by it. 3. Every table counted by it. 4. Sealed and digested.

    The manifest is the last file, and the folder gets its name after it."""
    url = servers.owner_url(settings)
    with servers.connected(url) as connection, connection.cursor() as cursor:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor.execute(GENTLY)
        told = _begun(settings, cursor)
        with files.new_folder(home, told.name) as folder:
            snapshot = servers.value(cursor, "SELECT pg_export_snapshot()")
            options = ["--format=custom", "--compress=gzip:1", f"--snapshot={snapshot}", "--no-password"]
            programs.run("pg_dump", [*options, f"--file={folder / DUMP}"], url=url)
            tables, shape = counting.tables(cursor), counting.shape(cursor)
            is_sealed = files.sealed(folder, settings)
            whole = Manifest(
                **{
                    **told.__dict__,
                    "is_sealed": is_sealed,
                    "files": files.stored(folder),
                    "tables": tables,
                    "shape": shape,
                }
            )
            manifest.write(folder, whole)
        return whole


def _begun(settings: config.Settings, cursor: Cursor) -> Manifest:
    """What is known before anything is read. Sequences first: the dump reads them later, so they can only be ahead."""
    taken_at = servers.value(cursor, "SELECT clock_timestamp()")
    assert isinstance(taken_at, datetime)
    names = servers.roles(settings)
    return Manifest(
        name=f"{taken_at:%Y%m%dT%H%M%S}{ENDING}",
        kind=BackupKind.BACKUP.value,
        taken_at=taken_at.isoformat(),
        database=str(servers.value(cursor, "SELECT current_database()")),
        server_major=servers.server_major(cursor),
        owner=names.owner,
        application=names.application,
        migration=str(servers.value(cursor, "SELECT version_num FROM alembic_version")),
        sequences=counting.sequences(cursor),
    )
