"""What somebody who owns the database could do to it: break the glass and write past every trigger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import connection as Connection


def tamper(owner: Connection, *statements: str, values: Any = None) -> None:
    """The statements, with no trigger, no foreign key and no audit."""
    with owner.cursor() as cursor, glass_broken(cursor):
        for statement in statements:
            cursor.execute(statement, values)


@contextmanager
def glass_broken(cursor: Any) -> Iterator[None]:
    cursor.execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        cursor.execute("SET session_replication_role = origin")
