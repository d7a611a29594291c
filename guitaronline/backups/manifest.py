"""What a backup says of itself: the file beside it against which a restore is compared."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from guitaronline.backups.errors import BackupFailed

FILE = "manifest.json"


@dataclass(frozen=True)
class Counted:
    """How many there are, and a sum over what they say that does not depend on their order."""

    number: int
    checksum: str


@dataclass(frozen=True)
class StoredFile:
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    name: str
    kind: str
    taken_at: str  # by the clock of the server, ISO 8601
    database: str
    server_major: int
    owner: str  # the role that owns everything in it
    application: str  # the role that works in it
    migration: str
    is_sealed: bool = False  # with the key of BACKUP_KEY_FILE
    files: dict[str, StoredFile] = field(default_factory=dict)
    tables: dict[str, Counted] = field(default_factory=dict)
    shape: dict[str, Counted] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.taken_at)

    @property
    def bytes(self) -> int:
        return sum(each.bytes for each in self.files.values())

    @property
    def rows(self) -> int:
        return sum(each.number for each in self.tables.values())


def write(folder: Path, manifest: Manifest) -> None:
    """It is on the disk, as the last file of its backup."""
    path = folder / FILE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(manifest), file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    """Raises BackupFailed when there is none, or it cannot be read."""
    try:
        found = json.loads((folder / FILE).read_text())
        return Manifest(
            **{
                **found,
                "files": {name: StoredFile(**each) for name, each in found["files"].items()},
                "tables": {name: Counted(**each) for name, each in found["tables"].items()},
                "shape": {name: Counted(**each) for name, each in found["shape"].items()},
            }
        )
    except FileNotFoundError as error:
        raise BackupFailed(f"there is no backup in {folder}") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupFailed(f"{folder / FILE} cannot be read: {type(error).__name__}") from error
