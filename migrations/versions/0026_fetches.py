"""Reports that are asked of their provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

KINDS = ("activity", "payouts", "payout_lines")


def upgrade() -> None:
    table = "settlement_fetches"
    known = sa.Enum(*KINDS, name="kind_known", native_enum=False, create_constraint=True, length=20)
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", known, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("runs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (file_id IS NULL)", name=op.f("ck_settlement_fetches_closed_has_file")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["settlement_files.id"], name=op.f("fk_settlement_fetches_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_fetches")),
        sa.UniqueConstraint("kind", "day", name="uq_settlement_fetches_day"),
    )
    op.create_index("ix_settlement_fetches_due", table, ["due_at", "id"], postgresql_where=sa.text("closed_at IS NULL"))
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def downgrade() -> None:
    op.drop_table("settlement_fetches")
