"""Calendar feeds: the secret links at which people's calendars ask for their lessons, as SHA-256 only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_calendar_feeds_is_sha256")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_calendar_feeds_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_feeds_token_hash")),
    )
    live = sa.text("revoked_at IS NULL")
    op.create_index("uq_calendar_feeds_live", "calendar_feeds", ["user_id"], unique=True, postgresql_where=live)
    op.execute("SELECT audit_attach('calendar_feeds', '{token_hash}')")
    op.execute("SELECT app_grant('calendar_feeds', 'SELECT, INSERT, UPDATE')")


def downgrade() -> None:
    op.drop_table("calendar_feeds")
