"""A fresh PostgreSQL for one rehearsal: its own folder, its own port, gone afterwards."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from psycopg2 import sql

import config
from guitaronline.backups import servers
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.manifest import Manifest
from guitaronline.local import postgres
from guitaronline.local.errors import StartFailed
from guitaronline.local.ports import HOST

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

DATABASE = "rehearsal"


@dataclass(frozen=True)
class Cluster:
    """A running server with an empty database that belongs to the roles of the backup."""

    owner_url: str
    application_url: str
    scratch: Path


@contextmanager
def fresh(told: Manifest, settings: config.Settings) -> Iterator[Cluster]:
    """A server for the backup. Nothing is flushed to disk; nothing is left of it afterwards.

    The caller is alone at it: what a killed rehearsal of the same school left is removed first. Raises BackupFailed."""
    beginning = f"guitaronline-rehearsal-{hashlib.sha256(settings.DATABASE_URL.encode()).hexdigest()[:8]}-"
    for left in Path(tempfile.gettempdir()).glob(f"{beginning}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=beginning))
    folder.chmod(0o711)  # the user of the server may pass through
    passwords = postgres.Passwords(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    try:
        server = postgres.start(folder / "postgres", folder / "postgres.log", passwords, durable=False)
    except StartFailed as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BackupFailed(f"no server for the rehearsal: {error}") from error
    try:
        with servers.connected(server.url(postgres.OWNER, "postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for role, password in ((told.owner, passwords.owner), (told.application, passwords.application)):
                    _ensure_role(cursor, role, password)
                owner, name = sql.Identifier(told.owner), sql.Identifier(DATABASE)
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(name, owner))
        yield Cluster(
            _url(server, told.owner, passwords.owner), _url(server, told.application, passwords.application), folder
        )
    finally:
        server.child.end(until=time.monotonic())  # nobody needs its last checkpoint
        shutil.rmtree(folder, ignore_errors=True)


def _ensure_role(cursor: Cursor, role: str, password: str) -> None:
    if not servers.value(cursor, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
        made = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD %s")
        cursor.execute(made.format(sql.Identifier(role)), [password])


def _url(server: postgres.Postgres, role: str, password: str) -> str:
    return f"postgresql://{quote(role)}:{password}@{HOST}:{server.port}/{DATABASE}"
