"""`flask backup …` and `flask restore`: backups from the command line. Exit code 1 when something is not as it should be."""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from flask import current_app

import config
from guitaronline.backups import (
    clusters,
    erasures,
    files,
    making,
    manifest,
    physical,
    proving,
    restoring,
    runs,
    sealing,
    servers,
)
from guitaronline.backups import rehearsing as rehearsals
from guitaronline.backups.errors import AlreadyRuns, BackupFailed
from guitaronline.backups.models import BackupKind
from guitaronline.db import session

A_NIGHT = timedelta(hours=20)  # a backup that is younger need not be made again


class Told(click.Group):
    """What stops a backup is one sentence, not a trace."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BackupFailed as error:
            raise click.ClickException(str(error)) from error
        except AlreadyRuns:
            click.echo("another process is at it; nothing was done")
            return None


@click.group("backup", cls=Told, invoke_without_command=True, help="Backups; without a word: make one.")
@click.pass_context
def backup(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        context.invoke(make)


@backup.command("make")
@click.option("--when-due", is_flag=True, help="Only when the last good one is older than 20 hours.")
def make(*, when_due: bool = False) -> None:
    """Put a backup of now into BACKUP_DIR; older ones than the newest BACKUP_KEEP go."""
    if when_due and not runs.is_due(session(), BackupKind.BACKUP, every=A_NIGHT):
        click.echo("the last backup is young enough; nothing was done")
        return
    made = making.back_up(_settings())
    click.echo(f"{made.name}: {made.rows:,} rows of {len(made.tables)} tables in {_megabytes(made.bytes)}")


@backup.command("list")
def list_all() -> None:
    """Name the backups in BACKUP_DIR, oldest first."""
    home = files.place(_settings())
    for folder in sorted(each for kind in runs.MADE for each in files.all_of(home, kind)):
        told = manifest.read(folder)
        sealed = ", sealed" if told.is_sealed else ""
        click.echo(f"{told.name}  {told.kind}  {_megabytes(told.bytes)}{sealed}  {told.rows:,} rows")


@backup.command("rehearse")
@click.argument("name", default="")
@click.option("--when-due", is_flag=True, help="Only when the last good one is older than BACKUP_REHEARSE_DAYS.")
def rehearse(name: str, *, when_due: bool) -> None:
    """Restore a backup (the newest) into a fresh cluster, compare every row, prove audit, books and invariants."""
    settings = _settings()
    every = timedelta(days=settings.BACKUP_REHEARSE_DAYS) - (timedelta(days=1) - A_NIGHT)
    if when_due and not runs.is_due(session(), BackupKind.REHEARSAL, every=every):
        click.echo("the last good rehearsal is young enough; nothing was done")
        return
    if when_due and not files.all_of(files.place(settings), BackupKind.BACKUP):
        click.echo("there is no backup to rehearse yet; nothing was done")
        return
    done = rehearsals.rehearse(settings, name, replay=_replay if "privacy" in current_app.cli.commands else None)
    _tell(done.problems)
    told = done.manifest
    click.echo(
        f"{told.name}: {told.rows:,} rows of {len(told.tables)} tables restored and compared in {done.restore_seconds:.0f} s,"
        f" proved in {done.proof_seconds:.0f} s; {done.loss_seconds / 3600:.1f} hours would have been lost"
    )
    sys.exit(1 if done.problems else 0)


def _replay(settings: config.Settings, cluster: clusters.Cluster) -> list[str]:
    return erasures.replay(
        settings, owner_url=cluster.owner_url, application_url=cluster.application_url, scratch=cluster.scratch
    )


@backup.command("key")
@click.argument("file", type=click.Path(path_type=Path))
def key(file: Path) -> None:
    """Make a key for BACKUP_KEY_FILE. Without it no sealed backup opens: keep a copy where the backups are not."""
    sealing.make_key(file)
    click.echo(f"wrote {file}")


@backup.command("base")
def base() -> None:
    """Copy the files of the cluster into BACKUP_DIR: with the log since then any later moment can be restored."""
    made = physical.copy_base(_settings())
    click.echo(f"{made.name}: the cluster in {_megabytes(made.bytes)}")


@backup.command("receive-log")
def receive_log() -> None:
    """Keep BACKUP_DIR/wal as new as the database, until stopped. One process, restarted by whatever watches it."""
    physical.receive_log(_settings())


@click.group("restore", cls=Told, help="Out of a backup.")
def restore() -> None:
    pass


@restore.command("database")
@click.argument("name", default="")
def restore_database(name: str) -> None:
    """Make the empty database of DATABASE_OWNER_URL what a backup (the newest) shows, compare every row, and prove it."""
    settings = _settings()
    folder = files.named(files.place(settings), name, BackupKind.BACKUP)
    with tempfile.TemporaryDirectory(prefix="guitaronline-restore-") as scratch:
        done = restoring.restore(folder, settings, url=servers.owner_url(settings), scratch=Path(scratch))
    told = done.manifest
    click.echo(f"{told.name}: {told.rows:,} rows of {len(told.tables)} tables, as they were at {told.taken_at}")
    wrong = [*done.differences, *proving.problems(settings, application_url=settings.DATABASE_URL)]
    runs.note_restore(told.name, told.moment, told.bytes, told.rows, wrong)
    _tell(wrong)
    click.echo("next: flask privacy replay FILE, flask audit seal; see docs/runbooks/restore.md")
    sys.exit(1 if wrong else 0)


@restore.command("cluster")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--base", "name", default="", help="Which base backup; the newest that is old enough when left out.")
@click.option("--until", default="", help="The moment, like 2026-11-28 02:15:00+00; the end of the log when left out.")
def restore_cluster(folder: Path, name: str, until: str) -> None:
    """Write a data folder from which PostgreSQL starts as it was at a moment: a base backup and the log since then."""
    made = physical.prepare(_settings(), folder, name=name, until=until)
    click.echo(
        f"{folder} is ready, from {made.name}: start PostgreSQL on it as its own user; it ends the recovery by itself"
    )


def _settings() -> config.Settings:
    settings: config.Settings = current_app.config["SETTINGS"]
    return settings


def _tell(problems: list[str]) -> None:
    for sentence in problems:
        click.echo(f"PROBLEM: {sentence}")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MB"
