"""Migrations run as the owner role, with time-outs, and tell the database which role the application works as."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from guitaronline.db import Base, database_url

settings = current_app.config["SETTINGS"]
OWNER = database_url(settings.DATABASE_OWNER_URL or settings.DATABASE_URL)
APP_ROLE = make_url(database_url(settings.DATABASE_URL)).username or ""


def run() -> None:
    engine = create_engine(
        OWNER,
        poolclass=NullPool,
        connect_args={"options": "-c lock_timeout=5s -c statement_timeout=10min -c timezone=UTC"},
    )
    with engine.connect() as connection:
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


run()
