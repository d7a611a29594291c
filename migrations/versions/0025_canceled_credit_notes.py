"""A refund that comes back cancels its credit note: by a credit note of its own, which names the one that holds no more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLE = "credit_notes"


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("cancels_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_credit_notes_cancels_id"), TABLE, TABLE, ["cancels_id"], ["id"])
    op.create_unique_constraint("uq_credit_notes_cancels_id", TABLE, ["cancels_id"])
    op.drop_constraint("uq_credit_notes_refund_id", TABLE)
    credits = sa.text("cancels_id IS NULL")
    op.create_index("uq_credit_notes_refund_id", TABLE, ["refund_id"], unique=True, postgresql_where=credits)


def downgrade() -> None:
    """Not while there are papers that cancel others: the constraint refuses it."""
    op.drop_index("uq_credit_notes_refund_id", TABLE)
    op.create_unique_constraint("uq_credit_notes_refund_id", TABLE, ["refund_id"])
    op.drop_constraint("uq_credit_notes_cancels_id", TABLE)
    op.drop_column(TABLE, "cancels_id")
