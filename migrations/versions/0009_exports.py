"""Exports: what left the console (under audit), how far a job is, and the parts of the files that it makes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROLES = ("student", "teacher", "support", "finance", "auditor", "admin", "system", "anonymous")
STATES = ("sent", "requested", "running", "ready", "failed", "canceled", "expired")


def known(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("filters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sort", sa.Text(), nullable=False),
        sa.Column("is_descending", sa.Boolean(), nullable=False),
        sa.Column("columns", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("format", known("format_known", "csv", "xlsx"), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("role", known("role_known", *ROLES), nullable=False),
        sa.Column("status", known("status_known", *STATES), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("rows >= 0", name=op.f("ck_exports_rows_not_negative")),
        sa.CheckConstraint("(status IN ('sent', 'ready')) <= (rows IS NOT NULL)", name=op.f("ck_exports_rows_known")),
        sa.CheckConstraint("(status = 'ready') <= (expires_at IS NOT NULL)", name=op.f("ck_exports_ready_expires")),
        sa.CheckConstraint("(status = 'failed') <= (error IS NOT NULL)", name=op.f("ck_exports_failed_says_why")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_exports_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index("ix_exports_owner", "exports", ["owner_id", "id"])
    op.create_index("ix_exports_expiring", "exports", ["expires_at"], postgresql_where=sa.text("status = 'ready'"))
    op.create_table(
        "export_runs",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name=op.f("fk_export_runs_export_id")),
        sa.PrimaryKeyConstraint("export_id", name=op.f("pk_export_runs")),
    )
    op.create_table(
        "export_parts",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name=op.f("fk_export_parts_export_id")),
        sa.PrimaryKeyConstraint("export_id", "sequence", name=op.f("pk_export_parts")),
    )
    op.execute("SELECT audit_attach('exports', '{}', '{search}')")  # people are searched for by name and address
    op.execute("SELECT app_grant('exports', 'SELECT, INSERT, UPDATE')")
    for table in ("export_runs", "export_parts"):
        op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def downgrade() -> None:
    for table in ("export_parts", "export_runs", "exports"):
        op.drop_table(table)
