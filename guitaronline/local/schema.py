"""What state the database is in, seen without loading the application: a second start must not wait for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guitaronline.local.errors import StartFailed

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

REVISION = re.compile(r"""^(?:down_)?revision\b[^=]*=\s*(.+)$""", re.MULTILINE)
NAME = re.compile(r"""["']([^"']+)["']""")


def head_of(versions: Path) -> str | None:
    """The newest migration; None when there is none. Raises StartFailed when there are two."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for file in versions.glob("*.py"):
        for line in REVISION.finditer(file.read_text()):
            (followed if line.group(0).startswith("down_") else revisions).update(NAME.findall(line.group(1)))
    heads = sorted(revisions - followed)
    if len(heads) > 1:
        raise StartFailed(f"there are {len(heads)} newest migrations, {', '.join(heads)}: one must follow the other")
    return heads[0] if heads else None


def at_head(owner_url: str, versions: Path) -> bool:
    return stored_revision(owner_url) == head_of(versions)


def stored_revision(owner_url: str) -> str | None:
    return scalar(owner_url, "alembic_version", "SELECT version_num FROM alembic_version")  # type: ignore[no-any-return]


def is_empty(owner_url: str) -> bool:
    """Whether nobody is in the school yet."""
    return scalar(owner_url, "users", "SELECT 1 FROM users LIMIT 1") is None


def scalar(url: str, table: str, query: str) -> Any:
    """The first value of the answer; None when there is no row, or no such table yet."""
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [table])
            if cursor.fetchone() == (None,):
                return None
            cursor.execute(query)
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def connect(url: str) -> Connection:
    import psycopg2

    try:
        return psycopg2.connect(url.replace("+psycopg2", "", 1), connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise StartFailed(f"the database does not answer: {str(error).strip()}") from error
