"""The files of the whole cluster, and its log: from both any moment between can be restored, to the last second.

`flask backup base` copies the files now and then; `flask backup receive-log` keeps the log beside them, streamed as it is
written. They need a role that may replicate, and PostgreSQL's own programs of the server's version.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import config
from guitaronline.backups import files, manifest, programs, runs, servers
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.manifest import Manifest
from guitaronline.backups.models import BackupKind
from guitaronline.local import users
from guitaronline.local.errors import StartFailed

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

BASE, LOG_OF_BASE = "base.tar.gz", "pg_wal.tar.gz"
BASES_KEPT = 2
ENDING = "Z-base"  # of its name
SLOT = "guitaronline_backup"  # the server keeps for it what was not received yet
HISTORY = ".history"
SEGMENT = re.compile(r"[0-9A-F]{24}|[0-9A-F]{8}\.history")
PARTIAL = ".partial"  # the segment that is being written
FIRST_NEEDED = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$", re.MULTILINE)
MARGIN_SECONDS = 24 * 3600  # no base backup takes as long
RECEIVED = "received_log"  # inside the prepared folder; the server reads it from there


def copy_base(settings: config.Settings) -> Manifest:
    """The cluster's files lie in BACKUP_DIR; the newest BASES_KEPT are left, and the log that they need.

    Raises BackupFailed, after writing that down too; AlreadyRuns."""
    with runs.alone(BackupKind.BASE):
        run_id = runs.begin(BackupKind.BASE)
        try:
            home = files.place(settings)
            files.remove_parts(home, ENDING)
            made = _copy(settings, home)
            files.remove_old(home, BackupKind.BASE, keep=BASES_KEPT)
            _remove_log_before(home, files.all_of(home, BackupKind.BASE)[0])
        except BackupFailed as error:
            runs.end(run_id, runs.Outcome("", problems=(str(error),)))
            raise
        runs.end(run_id, runs.Outcome(made.name, made.moment, made.bytes))
        return made


def _copy(settings: config.Settings, home: Path) -> Manifest:
    url = servers.owner_url(settings)
    with servers.connected(url) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        major, names = servers.server_major(cursor), servers.roles(settings)
        began = _moment(cursor)
        name = f"{began:%Y%m%dT%H%M%S}{ENDING}"
        with files.new_folder(home, name) as folder:
            options = ["--format=tar", "--compress=gzip:1", "--wal-method=stream", "--checkpoint=fast", "--no-password"]
            programs.run("pg_basebackup", [*options, f"--pgdata={folder}"], url=url)
            is_sealed = files.sealed(folder, settings)
            made = Manifest(
                name=name,
                kind=BackupKind.BASE.value,
                taken_at=_moment(cursor).isoformat(),  # of its end: only later moments can be restored from it
                database=servers.database(url),
                server_major=major,
                owner=names.owner,
                application=names.application,
                migration=str(servers.value(cursor, "SELECT version_num FROM alembic_version")),
                is_sealed=is_sealed,
                files=files.stored(folder),
            )
            manifest.write(folder, made)
        return made


def receive_log(settings: config.Settings) -> None:
    """This process is pg_receivewal from here on. Raises BackupFailed."""
    url, folder = servers.owner_url(settings), files.place(settings) / files.LOG
    folder.mkdir(mode=0o700, exist_ok=True)
    programs.run("pg_receivewal", ["--create-slot", "--if-not-exists", f"--slot={SLOT}", "--no-password"], url=url)
    program = programs.program("pg_receivewal")
    arguments = [str(program), f"--directory={folder}", f"--slot={SLOT}", "--synchronous", "--no-password"]
    os.execve(program, arguments, programs.environment(url))  # noqa: S606  # no shell is wanted


def prepare(settings: config.Settings, target: Path, *, name: str = "", until: str = "") -> Manifest:
    """`target` is the data folder of a cluster that becomes, when it is started, what it was at that moment; without one,
    at the end of the log. Raises BackupFailed when the folder is in use, or no base backup is old enough."""
    moment = _parsed(until) if until else None
    home = files.place(settings)
    folder = files.named(home, name, BackupKind.BASE) if name else _newest_before(home, moment)
    told = manifest.read(folder)
    if target.exists() and any(target.iterdir()):
        raise BackupFailed(f"{target} is not empty: nothing was restored")
    files.expect_unharmed(folder, told)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="guitaronline-restore-") as scratch:
        for archive, into in ((BASE, target), (LOG_OF_BASE, target / "pg_wal")):
            with files.opened(folder, told, archive, settings, Path(scratch)) as path, tarfile.open(path) as packed:
                packed.extractall(into, filter="data")
    _take_log(home / files.LOG, target, since=first_needed(target))
    _ask_for_recovery(target, moment)
    _hand_over(target)
    return told


def _newest_before(home: Path, moment: datetime | None) -> Path:
    fit = [
        each for each in files.all_of(home, BackupKind.BASE) if moment is None or manifest.read(each).moment <= moment
    ]
    if not fit:
        raise BackupFailed(f"no base backup in {home} is older than that moment: `flask backup list` names them")
    return fit[-1]


def _take_log(received: Path, target: Path, *, since: str) -> None:
    """What was received since the base backup lies in the new cluster, so that it needs no other folder."""
    kept = target / RECEIVED
    kept.mkdir(mode=0o700)
    for path in sorted(received.iterdir()) if received.is_dir() else ():
        segment = path.name.removesuffix(PARTIAL)
        is_needed = (
            segment.endswith(HISTORY) or segment[8:] >= since[8:]
        )  # the first eight say which life of the cluster
        if SEGMENT.fullmatch(segment) and is_needed and not (kept / segment).exists():
            shutil.copyfile(path, kept / segment)


def _ask_for_recovery(target: Path, moment: datetime | None) -> None:
    lines = [f"restore_command = 'cp {RECEIVED}/%f \"%p\"'", "recovery_target_action = 'promote'"]
    lines += ["synchronous_standby_names = ''"]  # nobody follows it yet, and commits must not wait for that
    lines += [f"recovery_target_time = '{moment.isoformat()}'"] if moment else []
    with (target / "postgresql.auto.conf").open("a") as file:
        file.write("\n".join(lines) + "\n")
    (target / "standby.signal").unlink(missing_ok=True)
    (target / "recovery.signal").touch()


def _hand_over(target: Path) -> None:
    """It belongs to whom the server runs as: root's servers run as somebody else."""
    if os.geteuid() != 0:
        return
    try:
        user = users.some_user()
    except StartFailed as error:
        raise BackupFailed(str(error)) from error
    for path in (target, *target.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)


def first_needed(base: Path) -> str:
    """The first segment of the log that the unpacked base backup needs."""
    found = FIRST_NEEDED.search((base / "backup_label").read_text())
    if found is None:
        raise BackupFailed(f"{base / 'backup_label'} does not say where the log begins")
    return found[1]


def _remove_log_before(home: Path, oldest: Path) -> None:
    """The log that no base backup needs any more is gone. A sealed base does not say where it begins: by its time, then."""
    limit = manifest.read(oldest).moment.timestamp() - MARGIN_SECONDS
    folder = home / files.LOG
    for path in folder.iterdir() if folder.is_dir() else ():
        if SEGMENT.fullmatch(path.name) and path.suffix != HISTORY and path.stat().st_mtime < limit:
            path.unlink()


def _moment(cursor: Cursor) -> datetime:
    found = servers.value(cursor, "SELECT clock_timestamp()")
    assert isinstance(found, datetime)
    return found


def _parsed(until: str) -> datetime:
    try:
        moment = datetime.fromisoformat(until)
    except ValueError as error:
        raise BackupFailed(f"--until={until!r}: must be a moment like 2026-11-28 02:15:00+00:00") from error
    if moment.tzinfo is None:
        raise BackupFailed(f"--until={until!r}: must say its zone, like 2026-11-28 02:15:00+00:00")
    return moment
