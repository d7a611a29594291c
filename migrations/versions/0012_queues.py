"""What Today's queues are found by. No hold pays for it: none of these columns changes with one, but where a package ends.

And the rows of old bulk actions may be removed; the runs with their counts stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # "Packages running out", "Trials with nothing bought". Writes the table anew: a second for a hundred thousand packages.
    little_left = sa.Computed(
        "CASE WHEN is_trial OR available + reserved <= 1 THEN updated_at ELSE NULL::timestamp with time zone END",
        persisted=True,
    )
    op.add_column("packages", sa.Column("little_left_at", sa.DateTime(timezone=True), little_left))
    op.create_index(
        "ix_packages_little_left",
        "packages",
        ["little_left_at"],
        postgresql_where=sa.text("little_left_at IS NOT NULL"),
    )
    # "Bookings that need a decision"
    op.create_index("ix_users_teaching", "users", ["id"], postgresql_where=sa.text("role = 'teacher' AND is_active"))
    # "Lessons in use but unpaid"
    op.create_index(
        "ix_packages_on_account", "packages", ["created_at", "id"], postgresql_where=sa.text("origin = 'on_account'")
    )
    # "Events that could not be handled"
    op.create_index(
        "ix_outbox_events_dead", "outbox_events", ["created_at", "id"], postgresql_where=sa.text("status = 'dead'")
    )
    # The approvals of one payment, on its page and in its timeline
    op.create_index("ix_approvals_payment_id", "approvals", ["payment_id"])
    op.execute("SELECT app_grant('bulk_rows', 'SELECT, INSERT, UPDATE, DELETE')")


def downgrade() -> None:
    op.execute(
        "DO $$ BEGIN IF current_setting('app.role') <> current_user THEN"
        " EXECUTE format('REVOKE DELETE ON bulk_rows FROM %I', current_setting('app.role')); END IF; END $$"
    )
    op.drop_index("ix_approvals_payment_id", table_name="approvals")
    op.drop_index("ix_outbox_events_dead", table_name="outbox_events")
    op.drop_index("ix_packages_on_account", table_name="packages")
    op.drop_index("ix_users_teaching", table_name="users")
    op.drop_index("ix_packages_little_left", table_name="packages")
    op.drop_column("packages", "little_left_at")
