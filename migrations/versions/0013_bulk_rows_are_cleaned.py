"""The rows of old bulk actions may be removed; the runs with their counts stay."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SELECT app_grant('bulk_rows', 'SELECT, INSERT, UPDATE, DELETE')")


def downgrade() -> None:
    op.execute(
        "DO $$ BEGIN IF current_setting('app.role') <> current_user THEN"
        " EXECUTE format('REVOKE DELETE ON bulk_rows FROM %I', current_setting('app.role')); END IF; END $$"
    )
