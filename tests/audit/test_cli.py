"""The proofs from the command line: an exit code that a script can trust."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from guitaronline.audit import integrity
from tests.owner import tamper
from tests.world import World


def flask(app: Flask, db: Session, *words: str) -> Result:
    db.rollback()
    return app.test_cli_runner().invoke(args=list(words))


def test_seal_and_verify_a_whole_chain(world: World, db: Session, app: Flask) -> None:
    world.ann  # noqa: B018  # made on first use

    assert "1 not yet" in flask(app, db, "audit", "verify").output
    assert flask(app, db, "audit", "seal").output == "sealed 1 actions\n"
    done = flask(app, db, "audit", "verify")

    assert (done.exit_code, done.output) == (0, "1 actions with 1 changes are sealed, 0 not yet\n")


@pytest.mark.breaks_invariants
def test_verify_fails_and_names_what_is_broken(world: World, db: Session, app: Flask, owner: Connection) -> None:
    world.ann  # noqa: B018  # made on first use
    integrity.seal()
    tamper(owner, "UPDATE audit_actions SET reason = 'another'")

    done = flask(app, db, "audit", "verify")

    assert done.exit_code == 1
    assert done.output.startswith("BROKEN: link 1: ")


@pytest.mark.breaks_invariants
def test_verify_uses_a_kept_checkpoint(
    world: World, db: Session, app: Flask, owner: Connection, tmp_path: Path
) -> None:
    world.ann  # noqa: B018  # made on first use
    integrity.seal()
    checkpoint = integrity.newest_checkpoint(db)
    assert checkpoint is not None
    integrity.append_checkpoint(tmp_path / "kept", checkpoint)
    db.rollback()
    tamper(owner, "DELETE FROM audit_seals", "DELETE FROM audit_checkpoints")

    assert flask(app, db, "audit", "verify").exit_code == 0
    assert flask(app, db, "audit", "verify", "--checkpoint", str(tmp_path / "kept")).exit_code == 1


def test_a_file_that_is_no_checkpoint_is_refused_in_words(db: Session, app: Flask, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("hello\n")

    done = flask(app, db, "audit", "verify", "--checkpoint", str(tmp_path / "other"))

    assert (done.exit_code, done.output) == (1, "Error: not a checkpoint: 'hello'\n")


def test_checks_run_says_that_all_is_well(world: World, db: Session, app: Flask) -> None:
    done = flask(app, db, "checks", "run")

    assert done.exit_code == 0
    assert "0 rows break one" in done.output


@pytest.mark.breaks_invariants
def test_checks_run_names_the_row_that_breaks_one(world: World, db: Session, app: Flask, owner: Connection) -> None:
    package = world.package()
    db.rollback()
    tamper(owner, "UPDATE packages SET available = available - 1, consumed = consumed + 1")

    done = flask(app, db, "checks", "run")

    assert done.exit_code == 1
    assert "I1 buckets" in done.output
    assert package.reference in done.output
