"""The folder of a run, `VAR_DIR`: data of the servers, logs, secrets made once, and what is running now."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import config
from guitaronline.local.errors import StartFailed
from guitaronline.local.postgres import Passwords

OURS = (
    "postgres",
    "postgres.part",
    "redis",
    "log",
    "mail",
    "secrets.env",
    "run.env",
    "demo-logins.txt",
    "demo-unfinished",
    "lock",
)


@dataclass(frozen=True)
class Secrets:
    """What nobody chooses: made at the first start, kept in `secrets.env`, readable by its owner only."""

    SECRET_KEY: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    OWNER_PASSWORD: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    APPLICATION_PASSWORD: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    REDIS_PASSWORD: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def database(self) -> Passwords:
        return Passwords(self.OWNER_PASSWORD, self.APPLICATION_PASSWORD)


@dataclass(frozen=True)
class Folder:
    path: Path

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def run_env(self) -> Path:
        return self.path / "run.env"

    @property
    def demo_logins(self) -> Path:
        return self.path / "demo-logins.txt"

    @property
    def demo_unfinished(self) -> Path:
        return self.path / "demo-unfinished"

    def log(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"


def open_folder(path: str) -> Folder:
    """The folder exists and can be written. Its own name is absolute, and free of links: servers are recognised by it."""
    folder = Folder(Path(path).expanduser().resolve())
    try:
        folder.log("web").parent.mkdir(parents=True, exist_ok=True)
        folder.log("web").parent.chmod(0o700)
    except OSError as error:
        raise StartFailed(f"VAR_DIR={path}: {error.strerror}") from error
    return folder


def lock(folder: Folder) -> int:
    """Only one run at a time works in a folder. The lock falls with the process, however that ends."""
    descriptor = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode().strip()
        os.close(descriptor)
        raise StartFailed(
            f"it already runs in {folder.path} (process {holder}): stop it first, or set VAR_DIR to another folder"
        ) from None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def wipe(folder: Folder) -> None:
    """What runs have put into the folder is gone, and nothing else; not while one works in it."""
    if not (folder.path / "lock").exists():
        return
    held = lock(folder)
    try:
        for name in OURS:
            path = folder.path / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    finally:
        os.close(held)


def secrets_of(folder: Folder) -> Secrets:
    """The secrets of this folder, made when there are none yet."""
    path = folder.path / "secrets.env"
    if path.exists():
        return Secrets(**dict(line.split("=", 1) for line in path.read_text().splitlines()))
    if folder.postgres.exists():
        raise StartFailed(
            f"{path} is missing, and with it the passwords of the database beside it: put it back, or start over with an empty VAR_DIR"
        )
    made = Secrets()
    write_private(path, asdict(made))
    return made


def write_run_env(folder: Folder, settings: config.Settings, base_url: str) -> list[str]:
    """`run.env` holds every setting of the running instance, for `env $(cat run.env) flask …`.

    The shell splits it at spaces and nothing can quote them: returns the names that had to be left out for it."""
    values = {"BASE_URL": base_url, **as_environment(settings)}
    left_out = [name for name, value in values.items() if re.search(r"\s", value)]
    write_private(folder.run_env, {name: value for name, value in values.items() if name not in left_out})
    return left_out


def as_environment(settings: config.Settings) -> dict[str, str]:
    """Every setting as `config.load` reads it back."""
    return {name: as_text(name, value) for name, value in asdict(settings).items()}


def as_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if name.startswith("LIMIT_"):  # the two notations of flask-limiter; this one has no spaces
        return re.sub(r"\s*([;,])\s*", r"\1", re.sub(r"\s+per\s+", "/", str(value)))
    return str(value)


def write_private(path: Path, values: Mapping[str, str]) -> None:
    """The file appears whole, or not at all, and only its owner reads it."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
