"""A start that cannot work says why, in words, and leaves nothing running."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.local.project import make_project, started


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product whose servers have been started once, for a quick start of each test."""
    made = make_project(tmp_path_factory.mktemp("refusals"))
    with started(made) as run:
        run.wait_for("ready ")
    return made


def test_bad_settings_are_all_named_and_nothing_is_started(project: Path, tmp_path: Path) -> None:
    with started(project, var=tmp_path / "var", PORT="http", BOOKING_HOLD_MINUTES="0") as run:
        assert run.popen.wait(10) == 2

    assert "PORT='http'" in run.said
    assert "BOOKING_HOLD_MINUTES='0'" in run.said
    assert not (tmp_path / "var").exists()


def test_a_taken_port_is_named_with_the_way_out(project: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with started(project, port=port) as run:
            assert run.popen.wait(10) == 1

    assert f"port {port} is taken by another program" in run.said
    assert "PORT=" in run.said


def test_a_process_that_never_works_ends_the_start_with_its_own_words(project: Path) -> None:
    worker, wsgi = project / "jobs" / "worker.py", project / "wsgi.py"
    works = {path: path.read_text() for path in (worker, wsgi)}
    worker.write_text("raise SystemExit('no strings on this guitar')\n")
    wsgi.write_text(works[wsgi].replace("return str(cursor.fetchone()[0])", "return 'nobody sweeps', 503"))

    with started(project) as run:
        assert run.popen.wait(30) == 1
    for path, text in works.items():
        path.write_text(text)

    assert "stopped: worker does not start" in run.said
    assert "no strings on this guitar" in run.said
    assert not run.processes()


def test_a_failing_migration_ends_the_start_with_its_own_words(project: Path) -> None:
    second = project / "migrations" / "versions" / "0002_second.py"
    second.write_text('revision = "0002"\ndown_revision = "0001"\n')

    with started(project) as run:
        assert run.popen.wait(30) == 1
    second.unlink()

    assert "migrating" in run.said
    assert "stopped: the migration failed (exit 1)" in run.said
    assert 'relation "alembic_version" already exists' in run.said
    assert not run.processes()


def test_lost_passwords_of_existing_data_are_not_made_anew(project: Path) -> None:
    secrets = project / "var" / "secrets.env"
    kept = secrets.read_text()
    secrets.unlink()

    with started(project) as run:
        assert run.popen.wait(10) == 1
    secrets.write_text(kept)

    assert f"{secrets} is missing" in run.said


def test_a_folder_that_cannot_be_made_is_named(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with started(project, var=tmp_path / "file" / "var") as run:
        assert run.popen.wait(10) == 1

    assert f"VAR_DIR={tmp_path}/file/var: Not a directory" in run.said


def test_an_owner_address_alone_is_refused(project: Path) -> None:
    with started(project, DATABASE_OWNER_URL="postgresql://somewhere.example/db") as run:
        assert run.popen.wait(10) == 1

    assert "DATABASE_OWNER_URL is set and DATABASE_URL is not" in run.said


def test_an_outside_database_that_does_not_answer_is_reported_without_a_trace(project: Path) -> None:
    with started(
        project, DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/db", REDIS_URL="redis://127.0.0.1:1/0"
    ) as run:
        assert run.popen.wait(10) == 1

    assert "the database does not answer" in run.said
    assert "Traceback" not in run.said


def test_an_interrupted_demo_school_is_told(project: Path) -> None:
    mark = project / "var" / "demo-unfinished"
    mark.touch()

    with started(project) as run:
        run.wait_for("ready ")
    mark.unlink()

    assert "loading the demo school was interrupted" in run.said


def test_wipe_removes_what_runs_have_made_and_nothing_else(tmp_path: Path) -> None:
    made = make_project(tmp_path / "app")
    with started(made) as run:
        run.wait_for("ready ")
        (run.var / "mine.txt").touch()
        with started(made, "wipe", output="wipe.txt") as refused:
            assert refused.popen.wait(10) == 1
        assert "it already runs" in refused.said

    with started(made, "wipe") as wipe:
        assert wipe.popen.wait(10) == 0

    assert [path.name for path in (made / "var").iterdir()] == ["mine.txt"]
