"""A backup comes back whole, and whatever is not as it was is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

import config
from guitaronline.audit import integrity
from guitaronline.backups import counting, files, making, proving, restoring, runs, sealing
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.manifest import Manifest
from guitaronline.backups.models import BackupKind
from guitaronline.backups.servers import connected, value
from tests import servers
from tests.owner import tamper
from tests.world import World


def told(owner: Connection, made: Manifest) -> list[str]:
    with owner.cursor() as cursor:
        return counting.differences(made, cursor, server_major=made.server_major)


def as_it_is(owner: Connection) -> Manifest:
    """What a backup of now would say."""
    with owner.cursor() as cursor:
        return Manifest(
            name="now",
            kind="backup",
            taken_at="2026-11-28T02:00:00+00:00",
            database="school",
            server_major=18,
            owner="o",
            application="a",
            migration="0034",
            tables=counting.tables(cursor),
            shape=counting.shape(cursor),
            sequences=counting.sequences(cursor),
        )


def privileges(url: str, table: str) -> list[str]:
    """What the application's role may do with it."""
    kinds = "unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS kind"
    query = f"SELECT array_agg(kind ORDER BY kind) FROM {kinds} WHERE has_table_privilege(%s, kind)"
    with connected(url) as connection, connection.cursor() as cursor:
        found = value(cursor, query, table)
    assert isinstance(found, list)
    return found


def restored(made: Manifest, school: config.Settings, url: str, scratch: Path) -> restoring.Restored:
    return restoring.restore(Path(school.BACKUP_DIR) / made.name, school, url=url, scratch=scratch)


def test_everything_comes_back_into_an_empty_database_with_its_grants_and_proofs(
    world: World, school: config.Settings, elsewhere: servers.Servers, tmp_path: Path
) -> None:
    world.package()
    world.booking()
    integrity.seal()
    made = making.back_up(school)

    found = restored(made, school, elsewhere.owner_url, tmp_path)

    assert found.differences == []
    assert made.tables["bookings"].number == 1
    assert proving.problems(school, application_url=elsewhere.app_url) == []
    assert privileges(elsewhere.app_url, "audit_actions") == ["INSERT", "SELECT"]


def test_a_sealed_backup_comes_back_only_with_its_key(
    world: World, school: config.Settings, elsewhere: servers.Servers, tmp_path: Path
) -> None:
    world.ann  # noqa: B018  # made on first use
    key, another = tmp_path / "key", tmp_path / "another"
    sealing.make_key(key)
    sealing.make_key(another)
    with_key = replace(school, BACKUP_KEY_FILE=str(key))
    made = making.back_up(with_key)

    with pytest.raises(BackupFailed, match="does not open"):
        restored(made, replace(school, BACKUP_KEY_FILE=str(another)), elsewhere.owner_url, tmp_path)
    found = restored(made, with_key, elsewhere.owner_url, tmp_path)

    assert list(made.files) == ["database.dump.sealed"]
    assert found.differences == []


def test_a_database_that_is_not_empty_is_left_alone(world: World, school: config.Settings, tmp_path: Path) -> None:
    made = making.back_up(school)

    with pytest.raises(BackupFailed, match="is not empty"):
        restored(made, school, school.DATABASE_OWNER_URL, tmp_path)


def test_only_the_owner_of_everything_may_restore_it(
    world: World, school: config.Settings, elsewhere: servers.Servers, tmp_path: Path
) -> None:
    made = making.back_up(school)

    with pytest.raises(BackupFailed, match="belongs to the role"):
        restored(made, school, elsewhere.app_url, tmp_path)


def test_a_harmed_file_is_found_before_anything_is_written(
    world: World, school: config.Settings, elsewhere: servers.Servers, tmp_path: Path
) -> None:
    made = making.back_up(school)
    dump = Path(school.BACKUP_DIR) / made.name / making.DUMP
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)

    with pytest.raises(BackupFailed, match="its SHA-256 differs"):
        restored(made, school, elsewhere.owner_url, tmp_path)


@pytest.mark.breaks_invariants
@pytest.mark.parametrize(
    ("harm", "mend", "sentence"),
    [
        ("UPDATE users SET full_name = 'Anne'", "", "table users: what they say is not what the backup had"),
        ("DELETE FROM audit_changes", "", "table audit_changes: 0 rows, the backup had 1"),
        (
            "DROP INDEX ix_backup_runs_kind",
            "CREATE INDEX ix_backup_runs_kind ON backup_runs (kind, started_at)",
            "indexes",
        ),
        ("ALTER TABLE bookings DISABLE TRIGGER audit_row", "ALTER TABLE bookings ENABLE TRIGGER audit_row", "triggers"),
        (
            "GRANT DELETE ON audit_seals TO guitaronline_app",
            "REVOKE DELETE ON audit_seals FROM guitaronline_app",
            "grants",
        ),
    ],
)
def test_what_is_not_as_it_was_is_told(world: World, owner: Connection, harm: str, mend: str, sentence: str) -> None:
    world.ann  # noqa: B018  # made on first use
    before = as_it_is(owner)

    tamper(owner, harm)
    [found] = told(owner, before)
    tamper(owner, mend or "SELECT 1")

    assert found.startswith(sentence)
    assert mend == "" or told(owner, before) == []


def test_only_the_newest_backups_are_kept(world: World, school: config.Settings) -> None:
    home = files.place(school)
    made = making.back_up(school)
    older = "20200101T000000Z"
    (home / older).mkdir()
    (home / older / "manifest.json").write_bytes((home / made.name / "manifest.json").read_bytes())
    (home / f"{older}.part").mkdir()

    files.remove_parts(home, making.ENDING)
    gone = files.remove_old(home, "backup", keep=1)

    assert gone == [older]
    assert [each.name for each in home.iterdir()] == [made.name]


def test_a_backup_that_fails_leaves_nothing_half_done_and_is_written_down(
    world: World, school: config.Settings, db: Session
) -> None:
    without = replace(school, BACKUP_KEY_FILE="/nowhere/key")

    with pytest.raises(BackupFailed, match="BACKUP_KEY_FILE"):
        making.back_up(without)

    assert list(Path(school.BACKUP_DIR).iterdir()) == []
    run = runs.newest(db, BackupKind.BACKUP)
    assert run is not None
    assert run.problems[0].startswith("BACKUP_KEY_FILE=/nowhere/key cannot be read")
