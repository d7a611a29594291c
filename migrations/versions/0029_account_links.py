"""Links for a new password and to confirm an address, devices seen before, and addresses given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

PURPOSES = ("invite", "reset", "verify")


def upgrade() -> None:
    _allow_purposes(PURPOSES)
    _create_devices()
    _create_former_addresses()


def _allow_purposes(purposes: tuple[str, ...]) -> None:
    """The table is small (links live for days), so the check may be made in one step."""
    table, name = "sign_in_links", op.f("ck_sign_in_links_purpose_known")
    words = ", ".join(f"'{each}'" for each in purposes)
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"purpose IN ({words})")


def _create_devices() -> None:
    table = "known_devices"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_devices_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_devices")),
        sa.UniqueConstraint("user_id", "mark", name="uq_known_devices_once"),
    )
    op.create_index("ix_known_devices_seen", table, ["last_seen_at"])
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def _create_former_addresses() -> None:
    table = "former_addresses"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_former_addresses_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_addresses")),
    )
    op.create_index("ix_former_addresses_user_id", table, ["user_id"])
    op.create_index("ix_former_addresses_created_at", table, ["created_at"])
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, DELETE')")


def downgrade() -> None:
    op.drop_table("former_addresses")
    op.drop_table("known_devices")
    op.execute("DELETE FROM sign_in_links WHERE purpose <> 'invite'")
    _allow_purposes(PURPOSES[:1])
