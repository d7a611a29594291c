"""Codes that were used, codes for the day the phone is gone, confirming again, and changes of address that can be undone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None
SAFE_BECAUSE = {
    "require-concurrent-index-creation": "failed_logins holds two days",
    "ban-drop-constraint": "put back at once, with more purposes allowed than before",
    "constraint-missing-not-valid": "sign_in_links holds 30 days: the scan takes milliseconds",
}

BEFORE = ("invite", "reset", "verify")
PURPOSES = (*BEFORE, "address", "undo")


def upgrade() -> None:
    op.add_column("console_sessions", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("token_families", sa.Column("address", sa.Text(), nullable=True))
    op.create_index("ix_failed_logins_at", "failed_logins", ["at"])
    _allow_purposes(PURPOSES)
    _create_totp_uses()
    _create_recovery_codes()
    _create_address_changes()


def _allow_purposes(purposes: tuple[str, ...]) -> None:
    """The table is small (links live for days), so the check may be made in one step."""
    table, name = "sign_in_links", op.f("ck_sign_in_links_purpose_known")
    words = ", ".join(f"'{each}'" for each in purposes)
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"purpose IN ({words})")


def _create_totp_uses() -> None:
    table = "totp_uses"
    op.create_table(
        table,
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_totp_uses_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_uses")),
    )
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def _create_recovery_codes() -> None:
    table = "recovery_codes"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(code_hash) = 32", name=op.f("ck_recovery_codes_is_sha256")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_once"),
    )
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def _create_address_changes() -> None:
    table = "address_changes"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("undo_link_id", sa.Uuid(), nullable=True),
        sa.Column("new_email", sa.Text(), nullable=False),
        sa.Column("former_email", sa.Text(), nullable=True),
        sa.Column("former_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undo_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(done_at IS NULL) = (former_key IS NULL) AND (done_at IS NULL) = (former_email IS NULL)"
            " AND (done_at IS NULL) = (undo_until IS NULL) AND (done_at IS NULL) = (undo_link_id IS NULL)",
            name=op.f("ck_address_changes_done_as_a_whole"),
        ),
        sa.CheckConstraint(
            "undone_at IS NULL OR done_at IS NOT NULL", name=op.f("ck_address_changes_done_before_undone")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_address_changes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_changes")),
        sa.UniqueConstraint("link_id", name=op.f("uq_address_changes_link_id")),
        sa.UniqueConstraint("undo_link_id", name=op.f("uq_address_changes_undo_link_id")),
    )
    op.create_index("ix_address_changes_user_id", table, ["user_id", "id"])
    op.create_index("ix_address_changes_created_at", table, ["created_at"])
    reserved = sa.text("done_at IS NOT NULL AND undone_at IS NULL")
    op.create_index("ix_address_changes_kept_free", table, ["former_key", "undo_until"], postgresql_where=reserved)
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def downgrade() -> None:
    for table in ("address_changes", "recovery_codes", "totp_uses"):
        op.drop_table(table)
    op.execute("DELETE FROM sign_in_links WHERE purpose IN ('address', 'undo')")
    _allow_purposes(BEFORE)
    op.drop_index("ix_failed_logins_at", "failed_logins")
    op.drop_column("token_families", "address")
    op.drop_column("console_sessions", "confirmed_at")
