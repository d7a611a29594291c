"""Numbers per day, which days must be counted anew, and the indexes by which a day is counted."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import UserDefinedType

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = {
    "kpi_days": "SELECT, INSERT, DELETE",
    "kpi_touched": "SELECT, INSERT, UPDATE, DELETE",
    "kpi_progress": "SELECT, INSERT, UPDATE",
}
INDEXES = {
    "ix_bookings_created_at": ("bookings", ["created_at"], None),
    "ix_bookings_canceled_at": ("bookings", ["canceled_at"], "canceled_at IS NOT NULL"),
    "ix_packages_activated_at": ("packages", ["activated_at"], None),
    "ix_refunds_settled_at": ("refunds", ["settled_at"], None),
    "ix_users_test": ("users", ["id"], "is_test"),
}


class Xid8(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


def upgrade() -> None:
    op.create_table(
        "kpi_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), server_default="", nullable=False),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column(
            "counted_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("day", "metric", "dimension", "currency", name=op.f("pk_kpi_days")),
    )
    op.create_table(
        "kpi_touched",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "touched_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_kpi_touched")),
    )
    op.create_table(
        "kpi_progress",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("counted_until", sa.Date(), nullable=False),
        sa.Column("seen_xid", Xid8(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("ceiling_id", sa.BigInteger(), nullable=False),
        sa.Column("ceiling_xid", Xid8(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_kpi_progress_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_progress")),
    )
    for table, privileges in TABLES.items():
        op.execute(f"SELECT app_grant('{table}', '{privileges}')")
    for name, (table, columns, where) in INDEXES.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(where) if where else None)


def downgrade() -> None:
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    for table in TABLES:
        op.drop_table(table)
