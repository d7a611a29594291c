"""Saved views of lists: own, shared, and what a role sees first; and the indexes that the lists are sorted by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SORTED_BY = {  # index: table and columns; a page anywhere in the list is read from it
    "ix_availability_slots_start": ("availability_slots", ["start_at", "id"]),
    "ix_packages_expires": ("packages", ["expires_at", "id"]),
    "ix_payments_paid": ("payments", ["paid_at", "id"]),
    "ix_payments_amount": ("payments", ["amount_minor", "id"]),
    "ix_tasks_due": ("tasks", ["due_on", "id"]),
    "ix_users_name": ("users", ["full_name", "id"]),
}
RARE = {  # index: table, columns and which rows; filters for what is rare find it without reading all that is common
    "ix_bookings_over": ("bookings", ["status", "start_at", "id"], "status IN ('canceled', 'expired')"),
    "ix_bookings_cause": ("bookings", ["cancel_cause", "start_at", "id"], "cancel_cause IS NOT NULL"),
    "ix_availability_slots_shut": ("availability_slots", ["status", "start_at", "id"], "status <> 'open'"),
    "ix_lessons_not_given": ("lessons", ["status", "scheduled_start_at", "id"], "status IN ('no_show', 'canceled')"),
    "ix_lessons_side": ("lessons", ["no_show_side", "scheduled_start_at", "id"], "no_show_side IS NOT NULL"),
}
ROLES = ("student", "teacher", "support", "finance", "auditor", "admin", "system", "anonymous")


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("selection", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("columns", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("is_shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "default_for",
            sa.Enum(*ROLES, name="default_for_known", native_enum=False, create_constraint=True, length=20),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("default_for IS NULL OR is_shared", name=op.f("ck_saved_views_default_is_shared")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 60", name=op.f("ck_saved_views_name_length")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_saved_views_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("owner_id", "desk", "name", name="uq_saved_views_name"),
    )
    op.create_index("ix_saved_views_shared", "saved_views", ["desk", "name"], postgresql_where=sa.text("is_shared"))
    op.create_index(
        "uq_saved_views_default",
        "saved_views",
        ["desk", "default_for"],
        unique=True,
        postgresql_where=sa.text("default_for IS NOT NULL"),
    )
    op.execute("SELECT audit_attach('saved_views', '{}', '{selection}')")  # people search for people
    op.execute("SELECT app_grant('saved_views', 'SELECT, INSERT, UPDATE, DELETE')")
    for name, (table, columns) in SORTED_BY.items():
        op.create_index(name, table, columns)
    for name, (table, columns, rows) in RARE.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(rows))


def downgrade() -> None:
    for name, (table, _, _) in RARE.items():
        op.drop_index(name, table_name=table)
    for name, (table, _) in SORTED_BY.items():
        op.drop_index(name, table_name=table)
    op.drop_table("saved_views")
