"""`flask backup rehearse`: the newest backup is restored into a fresh cluster and proved there, as after a fire."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import config
from guitaronline.backups import clusters, files, manifest, proving, restoring, runs
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.manifest import Manifest
from guitaronline.backups.models import BackupKind
from guitaronline.db import technical_transaction

Replay = Callable[[config.Settings, clusters.Cluster], list[str]]


@dataclass(frozen=True)
class Rehearsal:
    """What came of it. `restore_seconds` and `proof_seconds` are its two long parts."""

    manifest: Manifest
    problems: list[str]
    restore_seconds: float
    proof_seconds: float
    loss_seconds: float  # what would have been lost, had the database gone when it began


def rehearse(settings: config.Settings, name: str = "", *, replay: Replay | None = None) -> Rehearsal:
    """The backup of that name, else the newest, was restored into a cluster of its own, compared row by row and proved;
    what came of it is written down. Nothing of the cluster is left.

    `replay`: erases again who was erased since. Raises BackupFailed, after writing that down too; AlreadyRuns."""
    with runs.alone(BackupKind.REHEARSAL):
        run_id = runs.begin(BackupKind.REHEARSAL)
        try:
            done = _rehearsed(settings, name, replay)
        except BackupFailed as error:
            runs.end(run_id, runs.Outcome(name, problems=(str(error),)))
            raise
        told = done.manifest
        outcome = runs.Outcome(told.name, told.moment, told.bytes, told.rows, done.loss_seconds, tuple(done.problems))
        runs.end(run_id, outcome)
        return done


def _rehearsed(settings: config.Settings, name: str, replay: Replay | None) -> Rehearsal:
    folder = files.named(files.place(settings), name, BackupKind.BACKUP)
    told = manifest.read(folder)
    loss_seconds = max((_now() - told.moment).total_seconds(), 0.0)
    began = time.monotonic()
    with clusters.fresh(told, settings) as cluster:
        found = restoring.restore(folder, settings, url=cluster.owner_url, scratch=cluster.scratch).differences
        restored = time.monotonic()
        problems = [
            *found,
            *(replay(settings, cluster) if replay else ()),
            *proving.problems(settings, application_url=cluster.application_url),
        ]
    return Rehearsal(told, problems, restored - began, time.monotonic() - restored, loss_seconds)


def _now() -> datetime:
    with technical_transaction() as session:
        moment: datetime = session.execute(runs.NOW).scalar_one()
        return moment
