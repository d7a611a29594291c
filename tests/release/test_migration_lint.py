"""What a migration may do beside running code, and what it must give a reason for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import config
from migrations import lint

ROOT = Path(__file__).resolve().parents[2]
NEW_TABLE = [
    "CREATE TABLE things (id UUID NOT NULL, at TIMESTAMPTZ NOT NULL, CONSTRAINT pk_things PRIMARY KEY (id))",
    "ALTER TABLE things ADD CONSTRAINT fk_things_id FOREIGN KEY (id) REFERENCES users (id)",
    "CREATE INDEX ix_things_at ON things (at)",
    "UPDATE things SET at = now()",
    "SELECT app_grant('things', 'SELECT, INSERT')",
]


def rules(*statements: str) -> list[str]:
    return [each.rule for each in lint.findings("0099", list(statements))]


def test_a_table_that_nobody_uses_yet_is_made_as_one_likes() -> None:
    assert rules(*NEW_TABLE) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE INDEX ix_bookings_x ON bookings (status)", "require-concurrent-index-creation"),
        ("DROP INDEX ix_bookings_x", "require-concurrent-index-deletion"),
        ("ALTER TABLE bookings ADD CONSTRAINT ck_x CHECK (price > 0)", "constraint-missing-not-valid"),
        (
            "ALTER TABLE bookings ADD CONSTRAINT fk_x FOREIGN KEY (a) REFERENCES users (id)",
            "adding-foreign-key-constraint",
        ),
        ("ALTER TABLE bookings ADD COLUMN x INTEGER NOT NULL", "adding-required-field"),
        ("ALTER TABLE bookings ALTER COLUMN x SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE bookings ALTER COLUMN x TYPE TEXT", "changing-column-type"),
        ("ALTER TABLE bookings ADD CONSTRAINT uq_x UNIQUE (a)", "disallowed-unique-constraint"),
        ("ALTER TABLE bookings DROP COLUMN x", "ban-drop-column"),
        ("ALTER TABLE bookings RENAME COLUMN x TO y", "renaming-column"),
        ("ALTER TABLE bookings RENAME TO reservations", "renaming-table"),
        ("DROP TABLE bookings", "ban-drop-table"),
        ("UPDATE bookings SET x = 1", "rows-changed"),
        ("WITH old AS (SELECT 1) DELETE FROM bookings", "rows-changed"),
        ("DO $$ BEGIN UPDATE bookings SET x = 1; END $$", "rows-changed"),
        ("LOCK TABLE bookings IN EXCLUSIVE MODE", "table-locked"),
    ],
)
def test_what_holds_up_or_breaks_running_code_is_found(statement: str, rule: str) -> None:
    assert rule in rules(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE bookings ADD COLUMN x INTEGER",
        "ALTER TABLE bookings ADD CONSTRAINT ck_x CHECK (price > 0) NOT VALID",
        "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN UPDATE bookings SET x = 1; RETURN NEW; END $body$",
    ],
)
def test_what_harms_nobody_is_left_alone(statement: str) -> None:
    assert rules(statement) == []


def test_a_finding_shows_its_own_statement() -> None:
    first, second = lint.findings("0099", ["DROP TABLE a", "CREATE INDEX i ON b (c)"])

    assert first.words.endswith("— DROP TABLE a;")
    assert second.words.endswith("— CREATE INDEX i ON b (c);")


def test_a_reason_is_heard_and_one_without_a_finding_is_not_kept() -> None:
    found = lint.findings("0099", ["DROP TABLE bookings", "UPDATE bookings SET x = 1"])
    reasons = {"0099": {"rows-changed": "ten rows", "renaming-table": "long ago", "ban-drop-table": " "}}

    wrong = lint.unexcused(found, reasons)

    assert [each.split(": ")[:2] for each in wrong] == [["0099", "ban-drop-table"], ["0099", "renaming-table"]]


def test_reasons_stand_in_the_migration(tmp_path: Path) -> None:
    path = tmp_path / "0099_x.py"
    path.write_text('revision = "0099"\nSAFE_BECAUSE = {"rows-changed": "ten rows"}\n')

    assert lint.excuses(path) == {"rows-changed": "ten rows"}


def test_a_statement_belongs_to_the_stamp_that_follows() -> None:
    stamp = "UPDATE alembic_version SET version_num='{}' WHERE alembic_version.version_num = '{}'"

    found = lint.by_migration(["A", stamp.format("0030", "0029"), "B", "C", stamp.format("0031", "0030"), "COMMIT"])

    assert found == {"0030": ["A"], "0031": ["B", "C"]}


def test_a_migration_gives_up_before_those_who_wait_behind_it() -> None:
    time_outs = re.findall(r"lock_timeout=(\d+)s", (ROOT / "migrations" / "env.py").read_text())

    assert [int(each) * 1000 < config.Settings().LOCK_TIMEOUT_MS for each in time_outs] == [True]
