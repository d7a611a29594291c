"""A rehearsal restores and proves; what it finds stands on Today and in /metrics until it is mended."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

import config
from guitaronline import policy
from guitaronline.audit import integrity
from guitaronline.backups import making, rehearsing, runs
from guitaronline.backups.errors import AlreadyRuns, BackupFailed
from guitaronline.backups.models import BackupKind, BackupRun
from guitaronline.db import new_id, technical_transaction
from guitaronline.local import folder
from jobs import backups
from jobs.runtime import JobFailed
from tests.admin.browser import Browser, signed_in, words
from tests.admin.test_today import cards
from tests.owner import tamper
from tests.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def run_of(kind: BackupKind, began: datetime, *problems: str) -> BackupRun:
    with technical_transaction() as session:
        run = BackupRun(
            id=new_id(), kind=kind, name="x", started_at=began, finished_at=began + HOUR, problems=list(problems)
        )
        session.add(run)
        return run


def test_the_newest_backup_is_restored_into_a_fresh_cluster_and_proved(
    world: World, school: config.Settings, app: Flask, db: Session
) -> None:
    world.package()
    world.booking()
    integrity.seal()
    made = making.back_up(school)

    done = rehearsing.rehearse(school, replay=lambda settings, cluster: [])

    run = runs.newest(db, BackupKind.REHEARSAL)
    assert run is not None
    assert (done.problems, run.problems, run.name, run.rows) == ([], [], made.name, made.rows)
    assert run.loss_seconds is not None
    assert runs.worries(db, school, world.now) == []
    assert policy.current().DATABASE_URL == school.DATABASE_URL  # what was restored has left nothing behind
    metrics = app.test_client().get("/metrics").get_data(as_text=True)
    assert 'backup_problems{kind="rehearsal"} 0.0' in metrics
    assert "backup_loss_window_seconds " in metrics


@pytest.mark.breaks_invariants
def test_a_backup_of_a_forged_history_fails_its_rehearsal_and_turns_today_red(
    world: World, school: config.Settings, app: Flask, owner: Connection
) -> None:
    world.ann  # noqa: B018  # made on first use
    integrity.seal()
    tamper(owner, "UPDATE audit_actions SET reason = 'another'")
    making.back_up(school)

    done = rehearsing.rehearse(school, replay=lambda settings, cluster: ["erasures: not replayed"])

    assert [problem[:23] for problem in done.problems] == ["erasures: not replayed", "the audit: link 1: acti"]
    browser = signed_in(app, world.ada)
    number, url, card = cards(browser)["Backups"]
    assert (number, next(iter(cards(browser)))) == ("2", "Backups")
    assert "alarm" in card
    assert "The last rehearsal of a restore failed: erasures: not replayed" in card
    assert "the audit: link 1" in newest_run(browser, url)


def newest_run(browser: Browser, url: str) -> str:
    """The page of the newest run in the list, as it is read."""
    found = re.search(r'href="(/admin/backups/details/\?id=[0-9a-f-]+)"', browser.get(url).text)
    assert found
    return words(browser.get(found[1]).text)


def test_without_any_backup_a_rehearsal_says_so(world: World, school: config.Settings, db: Session) -> None:
    with pytest.raises(BackupFailed, match="there is no backup in"):
        rehearsing.rehearse(school)

    assert runs.worries(db, school, world.now)[1].startswith(
        "The last rehearsal of a restore failed: there is no backup in"
    )


def test_one_at_a_time_and_what_was_cut_short_is_closed(db: Session, school: config.Settings) -> None:
    with runs.alone(BackupKind.BACKUP):
        runs.begin(BackupKind.BACKUP)  # and its process is killed
        with pytest.raises(AlreadyRuns), runs.alone(BackupKind.BACKUP):
            pass
        with runs.alone(BackupKind.REHEARSAL):
            pass  # another kind does not wait for it

    with runs.alone(BackupKind.BACKUP):
        cut_short = runs.newest(db, BackupKind.BACKUP)

    assert cut_short is not None
    assert cut_short.problems == [runs.CUT_SHORT]


def test_a_young_backup_and_a_young_rehearsal_are_no_worry(world: World, school: config.Settings, db: Session) -> None:
    run_of(BackupKind.BACKUP, world.now - 25 * HOUR)
    run_of(BackupKind.REHEARSAL, world.now - 49 * HOUR)

    assert runs.worries(db, school, world.now) == []


def test_old_ones_are(world: World, school: config.Settings, db: Session) -> None:
    run_of(BackupKind.BACKUP, world.now - 27 * HOUR)
    run_of(BackupKind.REHEARSAL, world.now - 5 * DAY)
    run_of(BackupKind.REHEARSAL, world.now - 2 * DAY, "table users is missing")

    assert runs.worries(db, school, world.now) == [
        "The last good backup is 27 hours old.",
        "The last rehearsal of a restore failed: table users is missing",
        "The last good rehearsal of a restore is 5 days old.",
    ]


def test_who_never_made_one_hears_of_it_in_production_and_nowhere_else(
    world: World, settings: config.Settings, db: Session
) -> None:
    production = replace(settings, ENVIRONMENT="production")

    assert runs.worries(db, settings, world.now) == []
    assert runs.worries(db, production, world.now) == [
        "There was no good backup yet.",
        "There was no good rehearsal of a restore yet.",
    ]


def test_where_no_backups_are_made_the_jobs_do_nothing(db: Session) -> None:
    assert (backups.make(), backups.rehearse()) == (0, 0)


def test_a_job_whose_process_fails_has_failed_and_says_why(
    db: Session, school: config.Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a file").touch()
    blocked = str(tmp_path / "a file" / "backups")
    for name, value in folder.as_environment(replace(school, BACKUP_DIR=blocked)).items():
        monkeypatch.setenv(name, value)

    with policy.changed(BACKUP_DIR=blocked), pytest.raises(JobFailed, match="NotDone"):
        backups.make()

    db.rollback()
    run = runs.newest(db, BackupKind.BACKUP)
    assert run is not None
    assert "Not a directory" in run.problems[0]
