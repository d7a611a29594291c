"""The folder of the backups: each in a folder of its own that appears whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import config
from guitaronline.backups import manifest, sealing
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.manifest import Manifest, StoredFile

PART = ".part"
SEALED = ".sealed"
LOG = "wal"  # of the cluster, by `flask backup receive-wal`
READ_AT_ONCE = 1 << 20


def place(settings: config.Settings) -> Path:
    """Where the backups are; readable to their owner only. Raises BackupFailed."""
    if not settings.BACKUP_DIR:
        raise BackupFailed("BACKUP_DIR is not set: it names the folder for backups, on another disk than the database")
    folder = Path(settings.BACKUP_DIR).expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackupFailed(f"BACKUP_DIR={settings.BACKUP_DIR}: {error.strerror}") from error
    return folder


@contextmanager
def new_folder(home: Path, name: str) -> Iterator[Path]:
    """A folder to fill, which gets its name when all went well and is gone when not."""
    part = home / (name + PART)
    try:
        part.mkdir(mode=0o700)
        yield part
        part.rename(home / name)
    except OSError as error:
        raise BackupFailed(f"cannot write to {home}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def all_of(home: Path, kind: str) -> list[Path]:
    """The whole backups of a kind, oldest first: names begin with their moment."""
    return [
        each
        for each in sorted(home.iterdir())
        if (each / manifest.FILE).is_file() and each.suffix != PART and manifest.read(each).kind == kind
    ]


def named(home: Path, name: str, kind: str) -> Path:
    """The backup of that name, else the newest. Raises BackupFailed."""
    if name:
        if Path(name).name != name or not (home / name).is_dir():
            raise BackupFailed(f"there is no backup {name!r} in {home}: `flask backup list` names them")
        return home / name
    found = all_of(home, kind)
    if not found:
        raise BackupFailed(f"there is no backup in {home}")
    return found[-1]


def remove_old(home: Path, kind: str, *, keep: int) -> list[str]:
    """The newest `keep` backups of the kind are left; returns the names of those that are gone."""
    gone = all_of(home, kind)[:-keep]
    for folder in gone:
        shutil.rmtree(folder)
    return [folder.name for folder in gone]


def remove_parts(home: Path, ending: str) -> None:
    """What earlier processes left half done, of names with this ending, is gone. The caller is alone at them."""
    for folder in home.glob(f"*{ending}{PART}"):
        shutil.rmtree(folder, ignore_errors=True)


def sealed(folder: Path, settings: config.Settings) -> bool:
    """The files in the folder are sealed, if there is a key for it; whether they are."""
    if not settings.BACKUP_KEY_FILE:
        return False
    key = sealing.read_key(settings.BACKUP_KEY_FILE)
    for path in sorted(folder.iterdir()):
        sealing.seal(path, path.with_name(path.name + SEALED), key)
        path.unlink()
    return True


def stored(folder: Path) -> dict[str, StoredFile]:
    """Each file as it lies there."""
    return {path.name: StoredFile(digest(path), path.stat().st_size) for path in sorted(folder.iterdir())}


def expect_unharmed(folder: Path, told: Manifest) -> None:
    """Every file is what was written. Raises BackupFailed naming the first that is not."""
    for name, meant in told.files.items():
        path = folder / name
        if not path.is_file():
            raise BackupFailed(f"{path} is missing")
        if path.stat().st_size != meant.bytes or digest(path) != meant.sha256:
            raise BackupFailed(f"{path} is not what was written: its SHA-256 differs")


@contextmanager
def opened(folder: Path, told: Manifest, name: str, settings: config.Settings, scratch: Path) -> Iterator[Path]:
    """A file of the backup as it was before it was sealed; what is unsealed into `scratch` is gone afterwards."""
    if not told.is_sealed:
        yield folder / name
        return
    plain = scratch / f"{folder.name}.{name}"
    try:
        sealing.unseal(folder / (name + SEALED), plain, sealing.read_key(settings.BACKUP_KEY_FILE))
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(READ_AT_ONCE):
            found.update(part)
    return found.hexdigest()
