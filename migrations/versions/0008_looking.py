"""Viewing as somebody, verifications of the chain, runs that somebody asked for, and the audit in the order of its clock."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PRIVILEGES = {
    "audit_verifications": "SELECT, INSERT",
    "asked_runs": "SELECT, INSERT, UPDATE, DELETE",
    "view_as_sessions": "SELECT, INSERT, UPDATE, DELETE",
}


def upgrade() -> None:
    op.create_table(
        "audit_verifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("unsealed", sa.BigInteger(), nullable=False),
        sa.Column("sealed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("broken", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_verifications")),
    )
    op.create_table(
        "asked_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("kind IN ('chain', 'invariants')", name=op.f("ck_asked_runs_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asked_runs")),
    )
    op.create_index(
        "uq_asked_runs_open", "asked_runs", ["kind"], unique=True, postgresql_where=sa.text("finished_at IS NULL")
    )
    op.create_table(
        "view_as_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("viewer_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["viewer_id"], ["users.id"], name=op.f("fk_view_as_sessions_viewer_id")),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name=op.f("fk_view_as_sessions_person_id")),
        sa.CheckConstraint(
            "until > started_at AND until <= started_at + interval '15 minutes'",
            name=op.f("ck_view_as_sessions_short"),
        ),
        sa.CheckConstraint("viewer_id <> person_id", name=op.f("ck_view_as_sessions_two_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_view_as_sessions")),
    )
    op.create_index("ix_view_as_sessions_session_id", "view_as_sessions", ["session_id", "id"])
    op.create_index(
        "ix_view_as_sessions_open", "view_as_sessions", ["until"], postgresql_where=sa.text("ended_at IS NULL")
    )
    for table, privileges in PRIVILEGES.items():
        op.execute(f"SELECT app_grant('{table}', '{privileges}')")
    op.execute("SELECT append_only_attach('audit_verifications')")
    op.add_column("check_runs", sa.Column("asked_by", sa.Uuid(), nullable=True))
    # The desk reads by the school's clock: a month of two years ago is one stretch of this index, not a walk to it.
    op.create_index("ix_audit_actions_at", "audit_actions", ["at", "id"])
    op.drop_index("ix_audit_actions_actor", "audit_actions")
    op.create_index("ix_audit_actions_actor", "audit_actions", ["actor_id", "at", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_actions_actor", "audit_actions")
    op.create_index("ix_audit_actions_actor", "audit_actions", ["actor_id", "id"])
    op.drop_index("ix_audit_actions_at", "audit_actions")
    op.drop_column("check_runs", "asked_by")
    for table in PRIVILEGES:
        op.drop_table(table)
