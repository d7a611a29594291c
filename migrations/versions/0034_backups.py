"""Runs of backups, rehearsals and restores."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

KINDS = ("backup", "base", "rehearsal", "restore")


def upgrade() -> None:
    table = "backup_runs"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(*KINDS, name="kind_known", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("loss_seconds", sa.Float(), nullable=True),
        sa.Column("problems", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.CheckConstraint(
            "finished_at IS NOT NULL OR problems = '[]'", name=op.f("ck_backup_runs_problems_at_the_end")
        ),
        sa.CheckConstraint("finished_at >= started_at", name=op.f("ck_backup_runs_ends_after_it_began")),
        sa.CheckConstraint("bytes >= 0 AND rows >= 0 AND loss_seconds >= 0", name=op.f("ck_backup_runs_sizes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_runs")),
    )
    op.create_index("ix_backup_runs_kind", table, ["kind", "started_at"])
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def downgrade() -> None:
    op.drop_table("backup_runs")
