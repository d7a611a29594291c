"""Migrations run as the owner role, with time-outs, and tell the database which role the application works as."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import Connection, create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool

from guitaronline.db import Base, database_url

settings = current_app.config["SETTINGS"]
OWNER = database_url(settings.DATABASE_OWNER_URL or settings.DATABASE_URL)
APP_ROLE = make_url(database_url(settings.DATABASE_URL)).username or ""
# A migration that waits for a table makes everybody wait who comes after it: it gives up before they do (LOCK_TIMEOUT_MS), and
# is started again.
TIME_OUTS = "-c lock_timeout=3s -c statement_timeout=10min"


def run() -> None:
    engine = create_engine(OWNER, poolclass=NullPool, connect_args={"options": f"{TIME_OUTS} -c timezone=UTC"})
    with engine.connect() as connection:
        if (later := later_release(connection)) is not None:
            words = "The database is at %s, of a later release than this code: nothing is migrated, nothing compared."
            context.config.print_stdout(words, later)
            return
        connection.execute(text("SELECT set_config('app.role', :role, false)"), {"role": APP_ROLE})
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def later_release(connection: Connection) -> str | None:
    """The migration of the database when this code does not know it and it comes after all that it knows: the release was
    rolled back, and the code of before works on the schema of after."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT max(version_num) FROM alembic_version")).scalar()
    connection.rollback()
    known = {each.revision for each in context.script.walk_revisions()}
    return found if found is not None and found not in known and found > max(known) else None


run()
