"""Messages of a day are found without reading all: a block range index, which costs a queue next to nothing."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_messages_happened_at", "messages", ["happened_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_messages_happened_at", "messages")
