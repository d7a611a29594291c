"""A school that makes backups, into a folder of the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

import config
from tests import servers


@pytest.fixture
def school(
    db: Session, app: Flask, settings: config.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> config.Settings:
    """Its settings."""
    made = replace(settings, BACKUP_DIR=str(tmp_path / "backups"))
    monkeypatch.setitem(app.config, "SETTINGS", made)
    return made


@pytest.fixture
def elsewhere() -> Iterator[servers.Servers]:
    """An empty database on the same server, for the same roles."""
    name = "guitaronline_restored"
    servers.drop_database(name)
    yield servers.create_database(name, template="template0")
    servers.drop_database(name)
