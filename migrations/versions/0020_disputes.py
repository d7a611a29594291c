"""Refunds through providers, credits in lessons, disputes, and approvals where one person runs the school."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

SEQUENCES = ("credit_reference", "dispute_reference")
CHECKS = {  # of tables that stand: proved after they hold for new rows, so that nobody waits long
    "ck_refunds_seen_where": ("refunds", "source = 'asked' OR provider_reference IS NOT NULL"),
    "ck_refunds_source_known": ("refunds", "source IN ('asked', 'provider')"),
    "ck_approvals_decided_how_known": ("approvals", "decided_how IN ('alone', 'withdrawn')"),
    "ck_approvals_decided_by_somebody": (
        "approvals",
        "(status = 'pending') = (decided_by IS NULL AND decided_how IS NULL)",
    ),
    "ck_approvals_decided_in_one_way": ("approvals", "decided_by IS NULL OR decided_how IS NULL"),
    "ck_approvals_alone_never_sooner": ("approvals", "due_alone_at >= created_at + interval '24 hours'"),
    "ck_approvals_alone_after_a_day": (
        "approvals",
        "decided_how IS DISTINCT FROM 'alone' OR status <> 'approved' OR decided_at >= due_alone_at",
    ),
}


def upgrade() -> None:
    for sequence in SEQUENCES:
        op.execute(f"CREATE SEQUENCE {sequence}")
        op.execute(f"SELECT app_grant('{sequence}', 'USAGE')")
    _widen_refunds()
    _widen_approvals()
    for name, (table, says) in CHECKS.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({says}) NOT VALID")
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    _create_calls()
    _create_credits()
    _create_disputes()


def _widen_refunds() -> None:
    table = "refunds"
    op.add_column(table, sa.Column("source", sa.String(20), server_default=sa.text("'asked'"), nullable=False))
    op.add_column(table, sa.Column("provider_reference", sa.Text(), nullable=True))
    op.add_column(table, sa.Column("needs_look", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(table, sa.Column("ended_package", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("uq_refunds_provider_reference", table, ["provider_reference"], unique=True)
    op.create_index("ix_refunds_to_look_at", table, ["id"], postgresql_where=sa.text("needs_look"))


def _widen_approvals() -> None:
    table = "approvals"
    op.add_column(table, sa.Column("decided_how", sa.String(20), nullable=True))
    op.add_column(table, sa.Column("due_alone_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint("ck_approvals_decided_by_somebody", table)
    waits = sa.text("status = 'pending' AND due_alone_at IS NOT NULL")
    op.create_index("ix_approvals_alone", table, ["due_alone_at"], postgresql_where=waits)


def _create_calls() -> None:
    table = "refund_calls"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["refunds.id"], name=op.f("fk_refund_calls_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_calls")),
    )
    op.create_index("ix_refund_calls_due", table, ["due_at", "id"], postgresql_where=sa.text("closed_at IS NULL"))
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def _create_credits() -> None:
    table = "refund_credits"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('CRD'::text, 'credit_reference'::text)"),
            nullable=False,
        ),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("package_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("lessons_revoked", sa.Integer(), nullable=False),
        sa.Column("lessons_granted", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("approval_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_credits_amount_positive")),
        sa.CheckConstraint("lessons_granted > 0", name=op.f("ck_refund_credits_gives_lessons")),
        sa.CheckConstraint("lessons_revoked >= 0", name=op.f("ck_refund_credits_takes_no_less_than_none")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refund_credits_payment_id")),
        sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=op.f("fk_refund_credits_package_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_refund_credits_requested_by")),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name=op.f("fk_refund_credits_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_credits")),
        sa.UniqueConstraint("reference", name=op.f("uq_refund_credits_reference")),
        sa.UniqueConstraint("package_id", name=op.f("uq_refund_credits_package_id")),
    )
    op.create_index("ix_refund_credits_payment_id", table, ["payment_id"])
    op.execute(f"SELECT audit_attach('{table}')")
    op.execute(f"SELECT append_only_attach('{table}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT')")


def _create_disputes() -> None:
    table = "disputes"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('DSP'::text, 'dispute_reference'::text)"),
            nullable=False,
        ),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "status",
            sa.Enum("open", "won", "lost", name="status_known", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("freezes", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("lessons_revoked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name=op.f("ck_disputes_amount_range")),
        sa.CheckConstraint("fee_minor BETWEEN 0 AND 1000000000000", name=op.f("ck_disputes_fee_range")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_disputes_currency_code")),
        sa.CheckConstraint("(status = 'open') = (decided_at IS NULL)", name=op.f("ck_disputes_decided_at_some_time")),
        sa.CheckConstraint("status = 'lost' OR lessons_revoked = 0", name=op.f("ck_disputes_only_lost_takes_lessons")),
        sa.CheckConstraint("status = 'open' OR NOT freezes", name=op.f("ck_disputes_only_open_freezes")),
        sa.CheckConstraint("isfinite(evidence_due_at)", name=op.f("ck_disputes_due_finite")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_disputes_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("reference", name=op.f("uq_disputes_reference")),
    )
    op.create_index("uq_disputes_provider_reference", table, ["provider_reference"], unique=True)
    op.create_index("ix_disputes_payment_id", table, ["payment_id"])
    op.create_index("ix_disputes_status", table, ["status", "id"])
    decided = sa.text("decided_at IS NOT NULL")
    op.create_index("ix_disputes_decided_at", table, ["decided_at"], postgresql_where=decided)
    op.create_index("ix_disputes_due", table, ["evidence_due_at", "id"])
    op.execute(f"SELECT audit_attach('{table}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def downgrade() -> None:
    for table in ("disputes", "refund_credits", "refund_calls"):
        op.drop_table(table)
    for name, (table, _) in CHECKS.items():
        op.drop_constraint(name, table)
    op.create_check_constraint(
        op.f("ck_approvals_decided_by_somebody"), "approvals", "(status = 'pending') = (decided_by IS NULL)"
    )
    op.drop_column("approvals", "due_alone_at")
    op.drop_column("approvals", "decided_how")
    for column in ("ended_package", "needs_look", "provider_reference", "source"):
        op.drop_column("refunds", column)
    for sequence in SEQUENCES:
        op.execute(f"DROP SEQUENCE {sequence}")
