"""Decisions to keep a lesson although its teacher is away or the school closed: one row a booking and absence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = "kept_bookings"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("time_off_id", sa.Uuid(), nullable=True),
        sa.Column("closure_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("num_nonnulls(time_off_id, closure_id) = 1", name=op.f("ck_kept_bookings_one_absence")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_kept_bookings_booking_id")),
        sa.ForeignKeyConstraint(["time_off_id"], ["time_off.id"], name=op.f("fk_kept_bookings_time_off_id")),
        sa.ForeignKeyConstraint(["closure_id"], ["closures.id"], name=op.f("fk_kept_bookings_closure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_bookings")),
    )
    op.create_index("uq_kept_bookings_time_off", table, ["time_off_id", "booking_id"], unique=True)
    op.create_index("uq_kept_bookings_closure", table, ["closure_id", "booking_id"], unique=True)
    op.create_index("ix_kept_bookings_booking_id", table, ["booking_id"])
    op.execute("SELECT audit_attach('kept_bookings', '{}', '{reason}')")
    op.execute("SELECT app_grant('kept_bookings', 'SELECT, INSERT, DELETE')")


def downgrade() -> None:
    op.drop_table("kept_bookings")
