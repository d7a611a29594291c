"""Indexes for what the global search finds by. Each is small: none blocks for long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_users_phone_digits",
        "users",
        [sa.literal_column("regexp_replace(phone, '\\D'::text, ''::text, 'g'::text)").label("digits")],
        postgresql_using="gin",
        postgresql_ops={"digits": "gin_trgm_ops"},
    )
    op.create_index(
        "ix_tasks_open_title_trgm",
        "tasks",
        ["title"],
        postgresql_using="gin",
        postgresql_ops={"title": "gin_trgm_ops"},
        postgresql_where=sa.text("status = 'open'"),
    )


def downgrade() -> None:
    op.drop_index("ix_tasks_open_title_trgm", table_name="tasks")
    op.drop_index("ix_users_phone_digits", table_name="users")
